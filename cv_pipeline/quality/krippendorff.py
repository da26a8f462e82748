"""Krippendorff's α for names: how far annotators agree beyond what chance would give.

α = 1 - D_o / D_e (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C):
with n_uc annotators who gave unit u the value c, m_u = Σ_c n_uc, over the units with m_u ≥ 2,
n = Σ_u m_u and n_c = Σ_u n_uc,

    D_o = 1 - (1/n) Σ_u Σ_c n_uc (n_uc - 1) / (m_u - 1)
    D_e = 1 - Σ_c n_c (n_c - 1) / (n (n - 1))

Missing values need nothing: a unit counts with the values that it has. Written from counts, so
that millions of units take a second. The interval is the bootstrap's over whole images, whose units
are not independent of one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cv_pipeline.evaluation.resampling import Resampling, percentiles


@dataclass(frozen=True)
class Alpha:
    """An α and how sure it is.

    Attributes:
        value: 1 for perfect agreement, 0 for chance, below 0 for worse; None where it is not
            defined, for nothing can be compared or all values are the same.
        low: lower end of its 95 % confidence interval; None likewise.
        high: upper end.
        units: units that two or more annotators gave a value, which alone count.
        values: values that they gave.
        why: why it is not defined; empty where it is.
    """

    value: float | None
    low: float | None
    high: float | None
    units: int
    values: int
    why: str = ""


@dataclass(frozen=True)
class Reliability:
    """What annotators said of units, as counts.

    Attributes:
        unit: (n,) index of the unit of each value.
        value: (n,) index of the value; an annotator gives a unit one at most.
        image: (units,) index of the image of each unit.
    """

    unit: NDArray[np.int64]
    value: NDArray[np.int64]
    image: NDArray[np.int64]

    def alpha(self, resampling: Resampling | None = None) -> Alpha:
        """Krippendorff's α with a bootstrap interval over images.

        Args:
            resampling: how images are resampled; 1,000 times by default.
        """
        return self.alphas([self.value], resampling)[0]

    def alphas(
        self, values: Sequence[NDArray[np.int64]], resampling: Resampling | None = None
    ) -> list[Alpha]:
        """The α of several readings of the same values, such as each against all others.

        All are resampled alike.

        Args:
            values: each (n,), in the place of ``value``.
            resampling: how images are resampled; 1,000 times by default.
        """
        units = len(self.image)
        given = np.bincount(self.unit, minlength=units)
        pairable = given >= 2
        kept = pairable[self.unit]
        if not kept.any():
            nothing = Alpha(None, None, None, 0, 0, "no two annotators labelled the same thing")
            return [nothing] * len(values)
        image_of_unit = np.zeros(units, np.int64)
        _, image_of_unit[pairable] = np.unique(self.image[pairable], return_inverse=True)
        sums = [_Sums.of(self.unit[kept], v[kept], given, image_of_unit) for v in values]
        images = int(image_of_unit.max()) + 1
        observed = [float(s.alphas(np.ones((1, images)))[0]) for s in sums]
        samples: list[list[NDArray[np.float64]]] = [[] for _ in sums]
        for weights in (resampling or Resampling()).weights(images):
            for place, one in enumerate(sums):
                if not np.isnan(observed[place]):
                    samples[place].append(one.alphas(weights))
        told = (int(pairable.sum()), int(kept.sum()))
        return [_alpha(v, s, told) for v, s in zip(observed, samples, strict=True)]


def _alpha(value: float, samples: list[NDArray[np.float64]], told: tuple[int, int]) -> Alpha:
    if np.isnan(value):
        return Alpha(None, None, None, *told, "all labels are the same, so chance explains all")
    interval = percentiles(value, np.concatenate(samples)) if samples else None
    low, high = (interval.low, interval.high) if interval else (value, value)
    return Alpha(value, low, high, *told)


@dataclass(frozen=True)
class _Sums:
    """What of each image adds up.

    Attributes:
        agreeing: (images,) Σ_u Σ_c n_uc (n_uc - 1) / (m_u - 1).
        counts: (images, values) n_c of each image.
    """

    agreeing: NDArray[np.float64]
    counts: sparse.csr_array

    @classmethod
    def of(
        cls,
        unit: NDArray[np.int64],
        value: NDArray[np.int64],
        given: NDArray[np.int64],
        image: NDArray[np.int64],
    ) -> _Sums:
        _, value = np.unique(value, return_inverse=True)
        width = int(value.max()) + 1
        pair, times = np.unique(unit * width + value, return_counts=True)
        of_unit, of_value = pair // width, pair % width
        images = int(image[of_unit].max()) + 1
        share = times * (times - 1) / (given[of_unit] - 1)
        shape = (images, width)
        counts = sparse.coo_array((times.astype(np.float64), (image[of_unit], of_value)), shape)
        agreeing = np.bincount(image[of_unit], share, minlength=images).astype(np.float64)
        return cls(agreeing, counts.tocsr())

    def alphas(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(samples,) α of each sample; NaN where it is not defined.

        Args:
            weights: (samples, images) how often each image counts.
        """
        of_value = (self.counts.T @ weights.T).T
        n = of_value.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            observed = 1 - (weights @ self.agreeing) / n
            expected = 1 - (of_value * (of_value - 1)).sum(axis=1) / (n * (n - 1))
            alpha = 1 - observed / expected
        return np.where(expected > 0, alpha, np.nan).astype(np.float64)
