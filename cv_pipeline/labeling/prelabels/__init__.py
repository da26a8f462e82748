"""What annotators find on an image when they open it, and what became of it."""

from __future__ import annotations
