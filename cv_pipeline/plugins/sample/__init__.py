"""Sampling algorithms: which images are worth labelling next."""

from __future__ import annotations

from cv_pipeline.plugins.sample.draw import CONTROL, Drawn, draw
from cv_pipeline.plugins.sample.interface import Need, Pool, Sampler

__all__ = ["CONTROL", "Drawn", "Need", "Pool", "Sampler", "draw"]
