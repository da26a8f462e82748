"""What a review algorithm is given, and what it gives: arrays in, an urgency for each piece out.

It is pure: the same work and seed give the same urgencies. A piece is what one annotator did on one
image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.registry import blamed_on, load_plugin

Need = Literal["record", "errors"]
"""What an algorithm may ask for: ``right`` and ``judged``, or ``errors``, of :class:`Work`."""


@dataclass(frozen=True, eq=False)
class Work:
    """n pieces of work by a annotators.

    Attributes:
        image_ids: (n,) image of each piece.
        annotator: (n,) int64, index of who did it.
        annotators: pseudonyms of the annotators.
        right: (a,) how often gold, or else others, said the same as each annotator.
        judged: (a,) out of how often.
        errors: (n,) score of the likeliest error in the labels of the image, 0 where none is
            suspected.
    """

    image_ids: pa.Array
    annotator: NDArray[np.int64]
    annotators: tuple[str, ...]
    right: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    judged: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    errors: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.image_ids)


class Reviewer(Protocol):
    """An algorithm that says what to review first."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it reads of the work."""
        ...

    def __call__(self, work: Work, *, seed: int) -> NDArray[np.float64]:
        """Say how urgent it is to look at each piece.

        Args:
            work: n pieces.
            seed: of whatever it leaves to chance.

        Returns:
            (n,) float64, the higher the sooner; 0 for no reason to look at it.
        """
        ...


def needs_of(name: str) -> tuple[Need, ...]:
    """What a review algorithm reads.

    Raises:
        PluginError: it is not there, or is none.
    """
    return _reviewer(name).needs


def ranked(name: str, work: Work, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The pieces in the order to review them in, those without any reason left out.

    Returns:
        (k,) positions of pieces, the most urgent first and among equals by chance; and how urgent
        each of them is.

    Raises:
        PluginError: the algorithm is not there, raised, or returned what it must not.
    """
    reviewer = _reviewer(name)
    with blamed_on("review", name):
        urgency = np.asarray(reviewer(work, seed=seed), dtype=np.float64)
    if urgency.shape != (len(work),):
        problem = f"an array of shape {urgency.shape} and not ({len(work)},)"
    elif not np.isfinite(urgency).all() or (urgency < 0).any():
        problem = "urgencies that are no numbers, or negative"
    else:
        order = np.lexsort((np.random.default_rng(seed).random(len(work)), -urgency))
        order = order[urgency[order] > 0]
        return order, urgency[order]
    raise PluginError(
        f"The review algorithm {name!r} returned {problem}.",
        do="Return a number of 0 or more for each piece.",
    )


def _reviewer(name: str) -> Reviewer:
    found: Reviewer = load_plugin("review", name)
    if not callable(found) or not isinstance(getattr(found, "needs", None), tuple):
        raise PluginError(
            f"The review algorithm {name!r} is no reviewer.",
            do="Give it needs, a tuple of names, and __call__(work, *, seed).",
        )
    return found
