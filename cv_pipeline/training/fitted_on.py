"""The images that the normalisation of a model's input is fitted on, by name.

They are training images alone: what the model is given must not know of the images that it is
validated or tested on. A model's card names them, and anyone can see whether they are.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from cv_pipeline.datasets.statistics import images_digest
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.spec import Record

MAX_IMAGES = 1000
"""Images that a fit uses at most, evenly spaced: the error of the mean is then negligible."""


class FittedOn(Record):
    """Images that something was fitted on."""

    images: int = Field(description="number of images")
    digest: str = Field(description="SHA-256 of their ids, sorted, each ended by a line feed")


def fitted_on(examples: Examples) -> FittedOn:
    """The images among some training examples that the normalisation is fitted on."""
    ids = examples.image_ids.take(pa.array(evenly_spaced(len(examples), MAX_IMAGES)))
    return FittedOn(images=len(ids), digest=images_digest(ids))


def evenly_spaced(n: int, most: int) -> NDArray[np.int64]:
    """Ascending rows of at most ``most`` of ``n`` items, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, num=min(n, most)).round().astype(np.int64))
