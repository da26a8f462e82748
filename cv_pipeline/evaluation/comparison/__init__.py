"""Two models on the same images: which is better, how surely, and where."""

from __future__ import annotations

from cv_pipeline.evaluation.comparison.comparison import Comparison, compare
from cv_pipeline.evaluation.comparison.sides import Side

__all__ = ["Comparison", "Side", "compare"]
