"""Images that the model is least sure of.

Of a classification, 1 less the margin between the two best classes (Scheffer, Decomain and Wrobel,
"Active hidden Markov models for information extraction", IDA 2001). Of a detection, the corrections
to be expected, summed over its objects (the sum does best in Brust, Käding and Denzler, "Active
learning for deep object detection", VISAPP 2019). Objects that a model sees nothing of count for
nothing: that is what diversity and the control arm are for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.sample.interface import Need, Pool, most


class Uncertainty:
    """The least sure first."""

    needs: tuple[Need, ...] = ("uncertainty",)

    def __call__(self, pool: Pool, *, budget: int, seed: int) -> NDArray[np.int64]:
        """See :class:`~cv_pipeline.plugins.sample.interface.Sampler`."""
        return most(pool.uncertainty, budget=budget, seed=seed)
