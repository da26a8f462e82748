"""How sure a ratio is, and whether a part of the images differs from the rest of them.

Objects of one image are not independent: what is said of n objects is said as of n divided by the
design effect, which tells how much further images scatter than independent objects would.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.measure import LEVEL
from cv_pipeline.evaluation.proportion import wilson_bounds
from cv_pipeline.evaluation.slicing.ratios import Numbers, Sums

FEW = 5.0
"""Expected count of a table's cell below which the test is the exact one (Cochran's rule)."""


@dataclass(frozen=True)
class Comparison:
    """Parts of the images beside the rest of them; NaN where one of them has no ratio.

    Attributes:
        value: the part's ratio.
        low: lower end of its 95 % interval.
        high: upper end.
        rest: the rest's ratio.
        difference: value - rest.
        shortfall: how far the part is below the rest at least (95 %, two-sided); negative where it
            may be above.
        p_value: probability of a difference so large in either direction, were there none.
    """

    value: Numbers
    low: Numbers
    high: Numbers
    rest: Numbers
    difference: Numbers
    shortfall: Numbers
    p_value: Numbers

    def __getitem__(self, key: object) -> Comparison:
        """The comparisons of some of the parts."""
        return Comparison(*(getattr(self, f.name)[key] for f in fields(self)))


def compare(part: Sums, rest: Sums) -> Comparison:
    """Compare parts of the images with the rest of them.

    - The scatter of a ratio R = Σx / Σy over images is Σ (x - R y)² (ratio estimator: Cochran,
      *Sampling Techniques*, 1977, 6.4), that of independent objects R (1 - R) Σy. Their quotient,
      over both parts together and at least 1, is the design effect D.
    - The interval is Wilson's (JASA 22, 1927) of Σy / D objects; of the part's own D where that is
      larger. With one object an image it is Wilson's interval itself.
    - The probability is that of Pearson's χ² divided by D (Rao and Scott, "A simple method for the
      analysis of clustered binary data", Biometrics 48, 1992); where that is below 0.1 and
      a cell of the table is expected to have fewer than 5, Fisher's exact one of the counts divided
      by D, twice its smaller tail.
    - The shortfall is Newcombe's interval of a difference (his method 10; Statistics in Medicine
      17, 1998) from both Wilson intervals.

    Args:
        part: sums of the parts, of any shape.
        rest: sums of the rests, of the same shape.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value, other = part.x / part.y, rest.x / rest.y
        effect = _design_effect([part, rest])
        low, high = _wilson(value, part.y / np.maximum(effect, _design_effect([part])))
        other_low, _ = _wilson(other, rest.y / np.maximum(effect, _design_effect([rest])))
        difference = value - other
        shortfall = -difference - np.hypot(high - value, other - other_low)
        p_value = _probability(part, rest, effect)
    return Comparison(value, low, high, other, difference, shortfall, p_value)


def ratio_interval(sums: Sums) -> tuple[Numbers, Numbers, Numbers]:
    """A ratio and the ends of its 95 % interval; NaN where it is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = sums.x / sums.y
        low, high = _wilson(value, sums.y / _design_effect([sums]))
    return value, low, high


def _wilson(value: Numbers, objects: Numbers) -> tuple[Numbers, Numbers]:
    """Ends of Wilson's 95 % interval of a share of so many objects, which need not be whole."""
    bounds = wilson_bounds(np.ravel(value * objects), np.ravel(objects))
    shape = np.shape(value)
    return bounds[:, 0].reshape(shape), bounds[:, 1].reshape(shape)


def corrected(p_values: Numbers, *, tests: int | None = None) -> Numbers:
    """Probabilities corrected after Benjamini and Hochberg (JRSS B 57, 1995); NaN stays.

    Args:
        p_values: (n,) of tests.
        tests: how many tests were made, where only those with the lowest probabilities are given.
    """
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    size = len(order) if tests is None else tests
    raised = p_values[order] * size / np.arange(1, len(order) + 1)
    out = np.full(len(p_values), np.nan)
    out[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return out


def _design_effect(parts: list[Sums]) -> Numbers:
    """How much further images scatter around their part's ratio than independent objects would."""
    scatter: Numbers = np.zeros(np.shape(parts[0].y))
    independent: Numbers = np.zeros(np.shape(parts[0].y))
    for part in parts:
        ratio = np.nan_to_num(part.x / part.y)
        scatter = scatter + part.xx - 2 * ratio * part.xy + ratio**2 * part.yy
        independent = independent + ratio * (1 - ratio) * part.y
    return np.fmax(np.where(independent > 0, scatter / independent, 1.0), 1.0)


def _probability(part: Sums, rest: Sums, effect: Numbers) -> Numbers:
    from scipy.special import ndtr

    both = part + rest
    pooled = both.x / both.y
    spread = effect * pooled * (1 - pooled) * (1 / part.y + 1 / rest.y)
    z = np.abs(part.x / part.y - rest.x / rest.y) / np.sqrt(spread)
    p = np.asarray(2 * ndtr(-z))
    # without any success, or any failure, nothing differs
    p = np.where((pooled == 0) | (pooled == 1), 1.0, p)
    smaller = np.minimum(part.y, rest.y) * np.minimum(pooled, 1 - pooled) / effect
    defined = (part.y > 0) & (rest.y > 0)
    exact = defined & (smaller < FEW) & (p < 2 * LEVEL)
    if exact.any():
        p[exact] = _fisher(part[exact], rest[exact], effect[exact])
    return np.where(defined, p, np.nan)


def _fisher(part: Sums, rest: Sums, effect: Numbers) -> Numbers:
    """Twice the smaller tail of the hypergeometric distribution, at most 1."""
    from scipy.stats import hypergeom

    def whole(numbers: Numbers) -> NDArray[np.int64]:
        return np.rint(numbers / effect).astype(np.int64)

    size, other = np.maximum(whole(part.y), 1), np.maximum(whole(rest.y), 1)
    found = np.minimum(whole(part.x), size)
    all_found = found + np.minimum(whole(rest.x), other)
    drawn = (size + other, all_found, size)
    tails = np.minimum(hypergeom.cdf(found, *drawn), hypergeom.sf(found - 1, *drawn))
    return np.asarray(np.minimum(2 * tails, 1.0))
