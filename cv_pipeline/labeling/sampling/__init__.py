"""Which of the images that wait are worth labelling next."""

from __future__ import annotations
