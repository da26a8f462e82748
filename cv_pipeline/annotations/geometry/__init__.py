"""Shapes: canonical JSON, checks against an image, and conversions."""

from __future__ import annotations

from cv_pipeline.annotations.geometry.run_lengths import BadShape
from cv_pipeline.annotations.geometry.shape import (
    KeyPoint,
    KeyPoints,
    Mask,
    Polygon,
    RotatedBox,
    Shape,
    box_of_corners,
    keypoints,
    polygon,
    read_shape,
    rotated_box,
)

__all__ = [
    "BadShape",
    "KeyPoint",
    "KeyPoints",
    "Mask",
    "Polygon",
    "RotatedBox",
    "Shape",
    "box_of_corners",
    "keypoints",
    "polygon",
    "read_shape",
    "rotated_box",
]
