"""Boxes found in images, matched with the objects that are there."""
