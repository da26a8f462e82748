"""Images by chance alone: what every other algorithm has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.sample.interface import Need, Pool


class Random:
    """Every image is as likely as any other."""

    needs: tuple[Need, ...] = ()

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """See :class:`~cv_pipeline.plugins.sample.interface.Sampler`."""
        return np.random.default_rng(seed).choice(len(pool), budget, replace=False)
