"""Images on which the model sees classes that are rare among the labels.

Each class weighs the inverse of its number of labels so far, plus one; an image weighs what it is
expected to show. Images are drawn without replacement by weight (Efraimidis and Spirakis, "Weighted
random sampling with a reservoir", IPL 2006), so that the commoner of the rare classes come too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.sample.interface import Need, Pool, most


class Rarity:
    """The rarer what it seems to show, the likelier."""

    needs: tuple[Need, ...] = ("scores", "counts")

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """See :class:`~cv_pipeline.plugins.sample.interface.Sampler`."""
        chances, ties = np.random.default_rng(seed).spawn(2)
        weight = pool.scores @ (1 / (pool.counts + 1))
        with np.errstate(divide="ignore"):
            # log of u^(1/weight); an image of no weight comes after all others
            keys = np.log(chances.random(len(pool))) / np.maximum(weight, 1e-300)
        return most(keys, budget=budget, seed=int(ties.integers(2**63)))
