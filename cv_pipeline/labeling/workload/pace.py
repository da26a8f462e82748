"""How long a label takes, by annotator and difficulty, from real lead times.

A mean of few times is drawn towards that of everybody, so that one slow first image makes nobody
slow: what somebody did counts with its number, and everybody's mean with that of twenty labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.labeling.batches.states import DIFFICULTIES
from cv_pipeline.quality.lead_times import LeadTimes, reckonable

DEFAULT_SECONDS = 30.0
"""Of a label, where not one time is known yet."""

_PRIOR_LABELS = 20.0


@dataclass(frozen=True, eq=False)
class Pace:
    """How long labels take.

    Attributes:
        annotators: pseudonyms, sorted.
        seconds: (annotators, 3) of a label, by difficulty: easy, medium, hard.
        timed: (annotators,) labels whose time is known.
        usual: (3,) of a label by anybody, by difficulty.
        times: what was done to the times.
    """

    annotators: tuple[str, ...]
    seconds: NDArray[np.float64]
    timed: NDArray[np.int64]
    usual: NDArray[np.float64]
    times: LeadTimes

    def of(self, annotators: Sequence[str]) -> NDArray[np.float64]:
        """(annotators, 3) seconds of a label; who has no time yet is like everybody."""
        places = {name: place for place, name in enumerate(self.annotators)}
        rows = [places.get(name, -1) for name in annotators]
        every = np.vstack([self.seconds, self.usual])
        found: NDArray[np.float64] = every[np.array(rows, np.int64)]
        return found


def pace_of(labels: pa.Table, *, longest: float | None = None) -> Pace:
    """How long labels take.

    Args:
        labels: schema ``LABELS``; those that are refused say nothing of anybody's pace.
        longest: declared bound of a time in seconds; None for the one that times give themselves.
    """
    labels = labels.filter(pc.invert(labels["refused"]))
    times = reckonable(labels["seconds"].to_numpy(), longest=longest)
    names, person = _codes(labels["annotator"])
    level = levels(labels["difficulty"])
    known = ~np.isnan(times.seconds)
    seconds, person, level = times.seconds[known], person[known], level[known]
    overall = float(seconds.mean()) if len(seconds) else DEFAULT_SECONDS
    factor = _drawn(np.bincount(level, seconds, 3), np.bincount(level, minlength=3), overall)
    factor = factor / overall
    # everybody's times as if all images were alike
    even = np.bincount(person, seconds / factor[level], len(names))
    timed = np.bincount(person, minlength=len(names))
    own = _drawn(even, timed, overall)
    return Pace(names, own[:, None] * factor, timed, overall * factor, times)


def levels(difficulty: pa.ChunkedArray) -> NDArray[np.int64]:
    """Difficulties as numbers: 0 for easy, 1 for medium, 2 for hard."""
    places = pc.index_in(difficulty, pa.array(DIFFICULTIES))
    found: NDArray[np.int64] = pc.fill_null(places, 1).cast(pa.int64()).to_numpy()
    return found


def _drawn(total: NDArray[Any], count: NDArray[Any], towards: float) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = (total + _PRIOR_LABELS * towards) / (count + _PRIOR_LABELS)
    return drawn


def _codes(names: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Distinct names, sorted, and the place of each row's among them."""
    known = pc.unique(names).sort()
    places = pc.index_in(names, known).cast(pa.int64())
    return tuple(known.to_pylist()), places.to_numpy()
