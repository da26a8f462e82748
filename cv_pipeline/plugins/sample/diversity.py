"""Images that show what no labelled image shows: a core set, by greedy k-centre.

Sener and Savarese, "Active learning for convolutional neural networks: a core-set approach", ICLR
2018, algorithm 1: always the image that is furthest from everything labelled or chosen. Its largest
distance is at most twice the least possible (Gonzalez, 1985).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.sample.interface import Matrix, Need, Pool

MOST_DISTANCES = 200_000_000
"""Distances that are worked out at most: of a larger pool, candidates are drawn by chance first."""
MOST_LABELLED = 4_096
"""Labelled images that are compared with at most; of more, as many are drawn by chance."""
_ROWS_AT_ONCE = 65_536


class Diversity:
    """The furthest first. Memory is that of the embeddings, and a few numbers an image."""

    needs: tuple[Need, ...] = ("embeddings", "labelled")

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """See :class:`~cv_pipeline.plugins.sample.interface.Sampler`."""
        rng = np.random.default_rng(seed)
        candidates = np.arange(len(pool))
        size = max(MOST_DISTANCES // budget, 10 * budget)
        if len(pool) > size:
            candidates = np.sort(rng.choice(len(pool), size, replace=False))
        labelled = pool.labelled
        if len(labelled) > MOST_LABELLED:
            labelled = labelled[rng.choice(len(labelled), MOST_LABELLED, replace=False)]
        embeddings = pool.embeddings[candidates] if len(candidates) < len(pool) else pool.embeddings
        return candidates[k_centre(embeddings, labelled, budget=budget, rng=rng)]


def k_centre(
    rows: Matrix, centres: Matrix, *, budget: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Greedy k-centre: rows that are, one after the other, furthest from all centres.

    Args:
        rows: (n, d) what to choose from.
        centres: (m, d) what is there already; without any, the first row is chosen by chance.
        budget: how many to choose.
        rng: chance.

    Returns:
        (budget,) positions, in the order of choice.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    squares = np.einsum("ij,ij->i", rows, rows)
    chosen = np.empty(budget, np.int64)
    if len(centres):
        distance = _to_nearest(rows, squares, np.asarray(centres, np.float32))
        first = 0
    else:
        chosen[0] = rng.integers(len(rows))
        distance = _to_nearest(rows, squares, rows[chosen[:1]])
        distance[chosen[0]] = -np.inf
        first = 1
    for place in range(first, budget):
        best = int(distance.argmax())
        chosen[place] = best
        # squared distance; a chosen row is never chosen again, nor is its copy before the others
        np.minimum(distance, squares - 2 * (rows @ rows[best]) + squares[best], out=distance)
        distance[best] = -np.inf
    return chosen


def _to_nearest(rows: Matrix, squares: Matrix, centres: Matrix) -> Matrix:
    """(n,) squared distance of each row to the nearest centre."""
    distance = np.empty(len(rows), np.float32)
    of_centres = np.einsum("ij,ij->i", centres, centres)
    step = max(1, _ROWS_AT_ONCE * 64 // max(len(centres), 1))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        found = (of_centres - 2 * (rows[part] @ centres.T)).min(axis=1)
        distance[part] = found + squares[part]
    return distance
