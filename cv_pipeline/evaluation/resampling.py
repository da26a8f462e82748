"""Bootstrap samples of images, as how often each image counts (Efron 1979), and their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.measure import Interval

WEIGHTS_AT_ONCE = 500_000


@dataclass(frozen=True)
class Resampling:
    """How images are resampled.

    Attributes:
        resamples: number of samples.
        seed: of the random numbers.
    """

    resamples: int = 1000
    seed: int = 0

    def weights(self, images: int) -> Iterator[NDArray[np.float64]]:
        """(samples, images) how often each image is drawn, in blocks that fit into the cache.

        Each block lies in memory image by image. They are the same for every call with the same
        number of images.
        """
        rng = np.random.default_rng(self.seed)
        step = max(1, WEIGHTS_AT_ONCE // images)
        for first in range(0, self.resamples, step):
            samples = min(step, self.resamples - first)
            drawn = rng.integers(0, images, (samples, images))
            drawn *= samples
            drawn += np.arange(samples)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=samples * images)
            yield counts.reshape(images, samples).astype(np.float64).T

    def cells(self, counts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """(samples, cells) how many images of each kind are drawn, in blocks that fit into memory.

        Images of one kind need not be told apart: their number is multinomial.

        Args:
            counts: (cells,) images of each kind.
        """
        rng = np.random.default_rng(self.seed)
        total = int(counts.sum())
        step = max(1, WEIGHTS_AT_ONCE // len(counts))
        for first in range(0, self.resamples, step):
            samples = min(step, self.resamples - first)
            yield rng.multinomial(total, counts / total, size=samples)


def percentiles(value: float, samples: NDArray[np.float64]) -> Interval:
    """A value with the middle 95 % of its bootstrap samples, stretched to hold the value.

    Samples on which the metric is not defined (NaN) are left out.
    """
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0:
        return Interval(value, value, value)
    low, high = np.percentile(defined, [2.5, 97.5]).tolist()
    return Interval(value, min(low, value), max(high, value))
