"""Pixels for a browser: whose they are, how they are rendered, and where renders are kept."""
