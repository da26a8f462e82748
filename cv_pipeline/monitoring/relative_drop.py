"""What a relative drop of a metric is: between evaluations, and between the epochs of a training.

A drop from a reference is ``(reference - value) / reference``. It is defined for references above
0 and counts from the threshold of the project on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# a drop of exactly the threshold counts, whatever its last binary digit
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Drop:
    """A value that fell too far.

    Attributes:
        against: what it fell from: ``last`` when it fell that far in one step, ``best`` when it
            did so only over several.
        position: where that is among the earlier values.
        reference: what that was.
        drop: relative drop from it, above 0.
    """

    against: Literal["best", "last"]
    position: int
    reference: float
    drop: float


def relative_drop(value: float, earlier: Sequence[float], *, threshold: float) -> Drop | None:
    """How far a value fell from the last or the best before it; None when not too far.

    Args:
        value: the newest.
        earlier: those before it, oldest first; all are finite.
        threshold: relative drop from which on it counts.
    """
    if not earlier:
        return None
    last, best = len(earlier) - 1, max(range(len(earlier)), key=earlier.__getitem__)
    if _exceeds(value, earlier[last], threshold):
        return _drop(value, earlier, last, "last")
    if _exceeds(value, earlier[best], threshold):
        return _drop(value, earlier, best, "best")
    return None


def _exceeds(value: float, reference: float, threshold: float) -> bool:
    return reference > 0 and (reference - value) / reference >= threshold - _TOLERANCE


def _drop(
    value: float, earlier: Sequence[float], position: int, against: Literal["best", "last"]
) -> Drop:
    reference = earlier[position]
    return Drop(against, position, reference, (reference - value) / reference)
