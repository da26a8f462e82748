"""Pictures as arrays: reading any kind, rendering, perceptual hashes and plain measures."""

from __future__ import annotations

from cv_pipeline.imaging.measures import Measures, measure
from cv_pipeline.imaging.perceptual import grey_thumbnail, hamming, phash
from cv_pipeline.imaging.read import ImageInfo, decode, inspect
from cv_pipeline.imaging.render import contact_sheet, thumbnail_jpeg, to_rgb8

__all__ = [
    "ImageInfo",
    "Measures",
    "contact_sheet",
    "decode",
    "grey_thumbnail",
    "hamming",
    "inspect",
    "measure",
    "phash",
    "thumbnail_jpeg",
    "to_rgb8",
]
