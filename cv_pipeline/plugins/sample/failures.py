"""Images that look like those that the model does badly on, without copies of each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.sample.interface import Matrix, Need, Pool, most

COPY = 0.98
"""Likeness from which on an image shows what one that was chosen already shows."""
_CHOICE = 4
_ROWS_AT_ONCE = 65_536


class Failures:
    """The most alike first: the likeness of an image to several is that to the nearest."""

    needs: tuple[Need, ...] = ("embeddings", "failures")

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """See :class:`~cv_pipeline.plugins.sample.interface.Sampler`."""
        if not len(pool.failures):
            raise PluginError(
                "There is no image that the model does badly on, so nothing can be like one.",
                do="Evaluate the model first, or sample by uncertainty.",
            )
        likeness = _likeness(pool.embeddings, pool.failures)
        size = min(len(pool), _CHOICE * budget)
        order = most(likeness.astype(np.float64), budget=size, seed=seed)
        return _without_copies(pool.embeddings, order, budget)


def _likeness(rows: Matrix, references: Matrix) -> Matrix:
    """(n,) cosine of the angle to the nearest reference."""
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        found[part] = (rows[part] @ references.T).max(axis=1)
    return found


def _without_copies(rows: Matrix, order: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """The first of the order that are not much like an earlier one; copies only to fill up."""
    near = rows[order]
    copied = np.zeros(len(order), bool)
    kept: list[int] = []
    for place in range(len(order)):
        if len(kept) == budget:
            break
        if not copied[place]:
            kept.append(place)
            copied |= near @ near[place] >= COPY
    fill = np.setdiff1d(np.arange(len(order)), kept)[: budget - len(kept)]
    chosen: NDArray[np.int64] = order[np.concatenate([np.array(kept, np.int64), fill])]
    return chosen
