"""What a sampling algorithm is given, and what it gives: arrays in, positions out.

It is pure: the same pool, budget and seed give the same images, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Need = Literal[
    "embeddings", "labelled", "failures", "uncertainty", "scores", "counts", "disagreement"
]
"""What an algorithm may ask for; see the attributes of :class:`Pool`."""

Matrix = NDArray[np.float32]


def _nothing() -> NDArray[np.float64]:
    return np.zeros(0)


def _no_rows() -> Matrix:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Pool:
    """n images to choose from, and what is known of them.

    An algorithm reads what it says that it needs; the rest may be empty.

    Attributes:
        image_ids: (n,) the images, sorted.
        labels: names of the c classes.
        embeddings: (n, d) float32, rows of length 1: the closer, the more alike.
        labelled: (m, d) the same of images that have labels already.
        failures: (f, d) the same of images that the model does badly on.
        uncertainty: (n,) how unsure the model is of each image; 0 is sure.
        scores: (n, c) what the model sees of each class: its probability, or for detection the
            number of objects to be expected.
        counts: (c,) labelled objects, or images, of each class so far.
        disagreement: (n,) share of annotators, or of models, that say something else than most.
    """

    image_ids: pa.Array
    labels: tuple[str, ...] = ()
    embeddings: Matrix = field(default_factory=_no_rows)
    labelled: Matrix = field(default_factory=_no_rows)
    failures: Matrix = field(default_factory=_no_rows)
    uncertainty: NDArray[np.float64] = field(default_factory=_nothing)
    scores: NDArray[np.float64] = field(default_factory=_nothing)
    counts: NDArray[np.float64] = field(default_factory=_nothing)
    disagreement: NDArray[np.float64] = field(default_factory=_nothing)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.image_ids)

    def take(self, rows: NDArray[np.int64]) -> Pool:
        """Some of the images, with what is known of them."""
        size = len(self)
        per_image = ("embeddings", "uncertainty", "scores", "disagreement")
        found = {name: getattr(self, name) for name in per_image}
        taken = {name: array[rows] for name, array in found.items() if len(array) == size}
        return replace(self, image_ids=self.image_ids.take(pa.array(rows)), **taken)


class Sampler(Protocol):
    """An algorithm that chooses images."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it reads of the pool."""
        ...

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """Choose images.

        Args:
            pool: n images to choose from.
            budget: how many to choose: at least 1 and at most n.
            seed: of whatever it leaves to chance.

        Returns:
            (budget,) int64, distinct positions in the pool, what to label first at the front.
        """
        ...


def most(values: NDArray[np.float64], *, budget: int, seed: int) -> NDArray[np.int64]:
    """Positions of the highest values, the highest first; among equals, chance decides."""
    chance = np.random.default_rng(seed).random(len(values))
    if budget < len(values):
        # the order of a million is not needed to find the first few hundred
        least = np.partition(values, len(values) - budget)[len(values) - budget]
        rows = np.flatnonzero(values >= least)
    else:
        rows = np.arange(len(values))
    order: NDArray[np.int64] = rows[np.lexsort((chance[rows], -values[rows]))][:budget]
    return order
