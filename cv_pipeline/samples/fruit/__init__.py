"""The demo world ``fruit``: fruit on conveyor belts and in crates, with known faults in it.

Generated from a seed, the same to the byte on every machine. Detection; three belts and a yard,
photographed all through 2025 and labelled by four people in Label Studio.
"""

from __future__ import annotations

from cv_pipeline.samples.fruit.more_labels import label_more
from cv_pipeline.samples.fruit.truth import Truth, read_truth
from cv_pipeline.samples.fruit.world import FruitWorld, generate

__all__ = ["FruitWorld", "Truth", "generate", "label_more", "read_truth"]
