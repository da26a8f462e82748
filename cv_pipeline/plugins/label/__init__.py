"""Label algorithms: what annotators find on an image when they open it."""

from __future__ import annotations

from cv_pipeline.plugins.label.interface import (
    Found,
    Labeller,
    Need,
    Suggested,
    Unlabelled,
    suggest,
)

__all__ = ["Found", "Labeller", "Need", "Suggested", "Unlabelled", "suggest"]
