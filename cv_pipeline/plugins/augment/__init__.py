"""Augmentation algorithms: what is done to a training image after it was framed."""

from __future__ import annotations

from cv_pipeline.plugins.augment.apply import augmented, augmenter
from cv_pipeline.plugins.augment.interface import Augmented, Augmenter, Donor, Donors, Scene

__all__ = ["Augmented", "Augmenter", "Donor", "Donors", "Scene", "augmented", "augmenter"]
