"""Differences of two models on the same images: how large, how sure, and by chance how likely.

The images are the sample: what one model does on an image is compared with what the other does on
that very image, which is far more telling than two separate intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
class Sums:
    """A ratio of sums over images, such as recall: Σ part / Σ whole.

    Attributes:
        part: (images,) what counts.
        whole: (images,) what it is a share of.
    """

    part: NDArray[np.float64]
    whole: NDArray[np.float64]

    def take(self, images: NDArray[np.int64]) -> Sums:
        """Those of some images."""
        return Sums(self.part[images], self.whole[images])

    def value(self) -> float | None:
        """The ratio; None when the whole is 0."""
        whole = self.whole.sum()
        return float(self.part.sum() / whole) if whole else None


def ratio_difference(before: Sums, after: Sums) -> Difference:
    """The difference of two ratios of sums over the same images.

    Each ratio is linearised (the ratio estimator of Cochran, *Sampling Techniques*, 1977, 6.4), so
    that the difference is a mean of one number an image: its interval and probability are those of
    Student's paired t.

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
    return _student(first, second, error=error, images=images)


def accuracy_difference(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Difference:
    """The difference of two shares of images that are right.

    The interval is that of Student's paired t; the probability is McNemar's exact one
    (Psychometrika 12, 1947), which knows only the images that one model alone has right.

    Args:
        before: (images,) whether the first model is right.
        after: the same of the second.
    """
    once = np.ones(len(before))
    made = ratio_difference(Sums(before.astype(float), once), Sums(after.astype(float), once))
    if made.difference is None:
        return made
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return Difference(
        made.before, made.after, made.difference, made.low, made.high, mcnemar(gained, lost)
    )


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided probability that as many images change sides so unevenly by chance.

    Args:
        gained: images that the second model alone has right.
        lost: images that the first alone has right.
    """
    from scipy.stats import binomtest

    changed = gained + lost
    return float(binomtest(gained, changed, 0.5).pvalue) if changed else 1.0


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


def _influence(sums: Sums, ratio: float) -> NDArray[np.float64]:
    out: NDArray[np.float64] = (sums.part - ratio * sums.whole) / sums.whole.mean()
    return out


def _student(before: float, after: float, *, error: float, images: int) -> Difference:
    from scipy.special import stdtr, stdtrit

    difference = after - before
    freedom = images - 1
    reach = float(stdtrit(freedom, 0.975)) * error
    if error > 0:
        p_value = float(2 * stdtr(freedom, -abs(difference) / error))
    else:
        p_value = 1.0 if difference == 0 else 0.0
    return Difference(before, after, difference, difference - reach, difference + reach, p_value)
