"""Loaders turn staged images into input tensors; both do the same to each pixel."""

from __future__ import annotations

from cv_pipeline.training.loaders.loader import Loader, open_loader

__all__ = ["Loader", "open_loader"]
