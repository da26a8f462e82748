"""Investigations: from an alert to its images to a run, kept, shared, commented on and measured."""
