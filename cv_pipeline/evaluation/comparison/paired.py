"""Differences of two models on the same images: how large, how sure, and by chance how likely.

The images are the sample: what one model does on an image is compared with what the other does on
that very image, which is far more telling than two separate intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.comparison.swaps import sign_flip_test
from cv_pipeline.evaluation.measure import LEVEL


@dataclass(frozen=True)
class Difference:
    """What a metric gained from one model to the other.

    Attributes:
        before: the metric of the first; None where it is not defined.
        after: of the second, likewise.
        difference: after - before; None where one of them is not defined.
        low: lower end of its 95 % confidence interval; None where one image alone speaks for it.
        high: upper end, likewise.
        p_value: probability of a difference so large in either direction, were there none.
    """

    before: float | None
    after: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None

    @property
    def significant(self) -> bool:
        """Whether it is hardly by chance."""
        return self.p_value is not None and self.p_value <= LEVEL


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums over images, such as recall: Σ part / Σ whole.

    Attributes:
        part: (images,) what counts.
        whole: (images,) what it is a share of.
    """

    part: NDArray[np.float64]
    whole: NDArray[np.float64]

    def take(self, images: NDArray[np.int64]) -> Ratio:
        """Those of some images."""
        return Ratio(self.part[images], self.whole[images])

    def value(self) -> float | None:
        """The ratio; None when the whole is 0."""
        whole = self.whole.sum()
        return float(self.part.sum() / whole) if whole else None


def ratio_difference(before: Ratio, after: Ratio) -> Difference:
    """The difference of two ratios of sums over the same images.

    The interval is Student's paired t of the linearised ratios (the ratio estimator of Cochran,
    *Sampling Techniques*, 1977, 6.4); the probability is that of :func:`swap_probability`, which
    few images do not mislead.

    Args:
        before: of the first model.
        after: of the second, on the same images in the same order.
    """
    first, second = before.value(), after.value()
    if first is None or second is None:
        return Difference(first, second)
    images = len(before.part)
    difference = second - first
    if images < 2:
        return Difference(first, second, difference)
    influence = _influence(after, second) - _influence(before, first)
    error = float(np.sqrt((influence**2).sum() / (images * (images - 1))))
    return _student(
        first, second, error=error, images=images, p_value=swap_probability(before, after)
    )


def swap_probability(before: Ratio, after: Ratio) -> float:
    """Probability of a difference so large in either direction, were the models exchangeable.

    Swapping the models on an image turns the sign of what it adds to part - r whole, r being the
    ratio of both models together, which no swap changes. Of recall that is the objects found more
    or fewer, and of accuracy McNemar's test (Psychometrika 12, 1947).

    Args:
        before: of the first model.
        after: of the second, on the same images in the same order.
    """
    whole = float(before.whole.sum() + after.whole.sum())
    both = float(before.part.sum() + after.part.sum()) / whole if whole else 0.0
    more = after.whole - before.whole
    return sign_flip_test(after.part - before.part - both * more)


def sampled_difference(
    before: float,
    after: float,
    *,
    samples_before: NDArray[np.float64],
    samples_after: NDArray[np.float64],
) -> Difference:
    """A difference with the middle 95 % of its paired bootstrap samples.

    The probability is twice the share of samples on the other side of 0, one more counted on either
    (Davison and Hinkley, *Bootstrap Methods*, 1997, 4.2): never below 2 / (samples + 1).

    Args:
        before: the metric of the first model.
        after: of the second.
        samples_before: (samples,) of the first, on resampled images; NaN where it is not defined.
        samples_after: of the second, on the same resampled images.
    """
    drawn = samples_after - samples_before
    drawn = drawn[~np.isnan(drawn)]
    difference = after - before
    if len(drawn) == 0:
        return Difference(before, after, difference)
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    fewer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    p_value = min(1.0, 2 * (fewer + 1) / (len(drawn) + 1))
    return Difference(
        before, after, difference, min(low, difference), max(high, difference), p_value
    )


def _influence(sums: Ratio, ratio: float) -> NDArray[np.float64]:
    out: NDArray[np.float64] = (sums.part - ratio * sums.whole) / sums.whole.mean()
    return out


def _student(
    before: float, after: float, *, error: float, images: int, p_value: float
) -> Difference:
    from scipy.special import stdtrit

    difference = after - before
    reach = float(stdtrit(images - 1, 0.975)) * error
    return Difference(before, after, difference, difference - reach, difference + reach, p_value)
