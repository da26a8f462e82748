"""The probability of paired differences by chance, were each as likely its opposite."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_EXACT = 14
_CLOSE = 1e-9
_STEPS = 100


def sign_flip_test(change: NDArray[np.float64]) -> float:
    """Probability of a sum of paired differences so far from 0, were each as likely its opposite.

    Fisher's randomisation test of paired differences (*The Design of Experiments*, 1935, 21). It is
    exact for up to 14 differences that are not 0, and for any number that are of one size, where it
    is the sign test, or McNemar's. Of others the saddlepoint approximation is taken (Robinson, JRSS
    B 44, 1982; with Lugannani and Rice's tail), continuous between the whole numbers where the
    differences are such. Its relative error is small in the far tail too, which matters where
    probabilities are corrected for many tests; drawn signs would end at one in their number. Where
    one difference outweighs all others, a large probability may be off by a few hundredths.

    Args:
        change: (n,) differences.
    """
    from scipy.special import bdtr

    sizes = np.abs(change)
    moved = sizes[sizes > _CLOSE * max(sizes.max(initial=0.0), _CLOSE)]
    observed = abs(float(change.sum()))
    slack = _CLOSE * float(moved.sum())
    if len(moved) == 0 or observed <= slack:
        return 1.0
    if np.ptp(moved) <= slack / len(moved):
        fewer = round((len(moved) - observed / float(moved.mean())) / 2)
        return min(1.0, 2 * float(bdtr(fewer, len(moved), 0.5)))
    if len(moved) <= _EXACT:
        signs = 2 * ((np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1) - 1
        return float((np.abs(signs @ moved) >= observed - slack).mean())
    if observed >= float(moved.sum()) - slack:
        return 2 * 0.5 ** len(moved)  # all of one sign
    return min(1.0, 2 * _tail(moved, observed))


def _tail(moved: NDArray[np.float64], observed: float) -> float:
    """Probability of a sum of at least so much, above 0 and below all of one sign."""
    from scipy.special import ndtr

    whole = np.rint(moved)
    step = float(np.gcd.reduce(whole.astype(np.int64))) if (whole == moved).all() else 0.0
    observed -= step  # half of the distance between sums, which is two steps
    if observed <= 0:
        return 0.5
    saddle = _saddle(moved, observed)
    tilted = saddle * moved
    logs = np.logaddexp(tilted, -tilted) - math.log(2)
    w = math.sqrt(max(0.0, 2 * (saddle * observed - float(logs.sum()))))
    spread = math.sqrt(float((moved**2 / np.cosh(np.minimum(tilted, 300.0)) ** 2).sum()))
    factor = math.sinh(min(saddle * step, 300.0)) / step if step else saddle
    if w < 1e-3:  # the two terms of the correction cancel
        return float(ndtr(-w))
    density = math.exp(-(w**2) / 2) / math.sqrt(2 * math.pi)
    return max(0.0, float(ndtr(-w)) + density * (1 / (factor * spread) - 1 / w))


def _saddle(moved: NDArray[np.float64], observed: float) -> float:
    """Tilt under which so large a sum is expected: Newton's steps, held between bounds."""
    low, high = 0.0, 1 / float(moved.max())
    while float((moved * np.tanh(high * moved)).sum()) < observed:
        low, high = high, 2 * high
    at = min(observed / float((moved**2).sum()), high)
    for _ in range(_STEPS):
        tanh = np.tanh(at * moved)
        over = float((moved * tanh).sum()) - observed
        if abs(over) <= 1e-10 * observed:
            break
        low, high = (low, at) if over > 0 else (at, high)
        slope = float((moved**2 * (1 - tanh**2)).sum())
        at = at - over / slope if slope > 0 else high
        if not low < at < high:
            at = (low + high) / 2
    return at
