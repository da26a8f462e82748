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
    return Statistics(
        images=len(image_ids),
        images_digest=images_digest(image_ids),
        measures={name: _moments(fitted_on[name].to_numpy()) for name in MEASURES},
    )


def images_digest(image_ids: pa.Array) -> str:
    """SHA-256 over the sorted ids, each followed by a line feed, after ``images/1``."""
    in_order = pc.all(pc.less_equal(image_ids[:-1], image_ids[1:]), min_count=0).as_py()
    ids = image_ids if in_order else image_ids.sort()
    return combined_digest("images/1", "".join(f"{image_id}\n" for image_id in ids.to_pylist()))


def _moments(values: np.ndarray) -> Moments:
    if not len(values):
        return Moments(mean=0.0, std=0.0)
    values = np.sort(values)  # so that the order of rows does not matter
    mean, std = (float(f"{v:.{_DIGITS}g}") for v in (values.mean(), values.std()))
    return Moments(mean=mean, std=std)
