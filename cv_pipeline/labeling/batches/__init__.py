"""Batches of images to label: declared, divided, followed, and let through the hand-off gate."""

from __future__ import annotations
