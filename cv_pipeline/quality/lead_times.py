"""Lead times as annotation tools give them, made fit to reckon with, and what was done to them.

A tab that stays open over lunch is no work. Times above a bound count as the bound; which they are
and how much was cut off is always told. The bound is declared, or that which the times give
themselves: Tukey's far fence on their logarithms, never below three times their median, and never
above a working day: whoever may change a label may write any time, and no one may count for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 8 * 3600.0
"""Seconds that no label takes: a working day."""

_LEAST_TIMES = 20
_FENCE = 3.0
_MEDIANS = 3.0


@dataclass(frozen=True, eq=False)
class LeadTimes:
    """Lead times that can be reckoned with.

    Attributes:
        seconds: of work; NaN where it is not known. None is above ``bound``.
        capped: which were above it, and count as it.
        bound: in seconds; a working day where there are too few times to give one.
        declared: whether the bound was declared.
        missing: how many times are not known, or are no times: zero, negative, not finite.
        cut: seconds that were cut off.
    """

    seconds: NDArray[np.float64]
    capped: NDArray[np.bool_]
    bound: float
    declared: bool
    missing: int
    cut: float

    @property
    def words(self) -> str:
        """What was done to them, as a sentence."""
        told = []
        if count := int(self.capped.sum()):
            rule = "the declared bound" if self.declared else "their bound"
            told.append(
                f"{count:,} of {len(self.seconds):,} times were above {rule} of {self.bound:.0f} s"
                f" and count as it: {self.cut / 3600:.1f} h were cut off"
            )
        if self.missing:
            told.append(
                f"{self.missing:,} labels have no time and count with the mean of the others"
            )
        return "; ".join(told) if told else "every time counts as the tool gave it"


def reckonable(seconds: NDArray[np.float64], *, longest: float | None = None) -> LeadTimes:
    """Bound lead times.

    Args:
        seconds: (labels,) as the tool gave them; NaN where it gave none.
        longest: declared bound in seconds; None for the one that the times give themselves.
    """
    given = np.asarray(seconds, np.float64)
    known = np.isfinite(given) & (given > 0)
    bound = bound_of(given[known]) if longest is None else float(longest)
    capped = known & (given > bound)
    tamed = np.where(known, np.minimum(given, bound), np.nan)
    return LeadTimes(
        seconds=tamed,
        capped=capped,
        bound=bound,
        declared=longest is not None,
        missing=int((~known).sum()),
        cut=float((given[capped] - bound).sum()) if capped.any() else 0.0,
    )


def bound_of(seconds: NDArray[np.float64]) -> float:
    """The bound that positive times give themselves; a working day for fewer than 20."""
    if len(seconds) < _LEAST_TIMES:
        return LONGEST
    first, middle, third = np.quantile(np.log(seconds), [0.25, 0.5, 0.75])
    fence = third + _FENCE * (third - first)
    with np.errstate(over="ignore"):  # of absurd times it is beyond all bounds
        return float(min(max(np.exp(fence), _MEDIANS * np.exp(middle)), LONGEST))
