"""Errors on train, val and test side by side, and what they say together."""
