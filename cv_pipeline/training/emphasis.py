"""Training images that an epoch draws more often than the others.

Each time it is augmented anew, and the order is drawn over all of an epoch's draws, so the same
seed gives the same epochs. Without emphasis every image is drawn once.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from cv_pipeline.datasets.statistics import images_digest
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.spec import Emphasis, Record


class Emphasised(Record):
    """Which training images were drawn more often, and how often."""

    images: int = Field(description="number of images")
    digest: str = Field(description="SHA-256 of their ids, sorted, each ended by a line feed")
    weight: int = Field(description="times that each of them was drawn in an epoch")


def draws(image_ids: pa.Array, emphasis: Emphasis) -> tuple[NDArray[np.int64], Emphasised]:
    """The draws of an epoch, before they are shuffled.

    Args:
        image_ids: (n,) the training images.
        emphasis: which of them are drawn more often.

    Returns:
        (draws,) rows of images, ascending, each as often as it is drawn; and what to put on record.

    Raises:
        TrainingError: none of the images is trained on.
    """
    wanted = pc.is_in(image_ids, value_set=pa.array(emphasis.images, pa.string()))
    often = wanted.to_numpy(zero_copy_only=False)
    if not often.any():
        raise TrainingError(
            f"None of the {len(emphasis.images)} images that are to count more is trained on.",
            do="Label some of them, or select images of the training split.",
        )
    rows = np.repeat(np.arange(len(image_ids)), np.where(often, emphasis.weight, 1))
    chosen = image_ids.filter(wanted)
    return rows, Emphasised(
        images=len(chosen), digest=images_digest(chosen), weight=emphasis.weight
    )
