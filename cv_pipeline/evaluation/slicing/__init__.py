"""Metrics of parts of the images, and the parts that are worst."""
