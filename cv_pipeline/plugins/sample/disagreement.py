"""Images that models, or annotators, say different things of (query by committee).

Seung, Opper and Sompolinsky, "Query by committee", COLT 1992.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.sample.interface import Need, Pool, most


class Disagreement:
    """The most disputed first."""

    needs: tuple[Need, ...] = ("disagreement",)

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """See :class:`~cv_pipeline.plugins.sample.interface.Sampler`."""
        return most(pool.disagreement, budget=budget, seed=seed)
