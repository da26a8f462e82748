"""Statistics of the training split, to scale what is known of images by.

They are fitted on training images alone: what a model is given must not know of the images that it
is tested on. They name the images that they were fitted on.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from cv_pipeline.catalog.digest import combined_digest

MEASURES = ("brightness", "contrast", "sharpness", "saturation", "hue")
"""Columns of ``image_features`` that are measured of every image."""
_DIGITS = 9
"""Significant digits that are kept: summing in another order changes later ones."""


class Moments(BaseModel):
    """Mean and standard deviation of one measure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: float
    std: float


class Statistics(BaseModel):
    """What was fitted, and on which images.

    Attributes:
        images: number of images.
        images_digest: SHA-256 of their ids, sorted; see :func:`images_digest`.
        measures: moments of each measure.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int
    images_digest: str
    measures: dict[str, Moments]


def fit_statistics(image_ids: pa.Array, measures: pa.Table) -> Statistics:
    """Fit the statistics of some images.

    Args:
        image_ids: the images to fit on.
        measures: ``image_id`` and :data:`MEASURES` of at least those images.
    """
    fitted_on = measures.filter(pc.is_in(measures["image_id"], value_set=image_ids))
    fitted_on = fitted_on.sort_by("image_id")
    return Statistics(
        images=len(image_ids),
        images_digest=images_digest(image_ids),
        measures={name: _moments(fitted_on[name].to_numpy()) for name in MEASURES},
    )


def images_digest(image_ids: pa.Array) -> str:
    """SHA-256 over the sorted ids, each followed by a line feed, after ``images/1``."""
    lines = pc.binary_join_element_wise(image_ids.sort(), "", "\n")
    return combined_digest("images/1", "".join(lines.to_pylist()))


def _moments(values: np.ndarray) -> Moments:
    if not len(values):
        return Moments(mean=0.0, std=0.0)
    mean, std = (float(f"{v:.{_DIGITS}g}") for v in (values.mean(), values.std()))
    return Moments(mean=mean, std=std)
