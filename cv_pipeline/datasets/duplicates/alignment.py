"""Whether two thumbnails show the same picture, when one may be a crop of the other.

The crop window is refined by Gauss–Newton least squares (Baker and Matthews, "Lucas–Kanade 20
years on", IJCV 2004), together with gain and offset; what then still differs anywhere in the
picture is weighed against what a slight misalignment there would explain. A fruit that one frame
has and the other has not is thus seen, however alike the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.imaging.perceptual import SIDE

FULL = (0.0, float(SIDE), 0.0, float(SIDE))
"""The window of a picture that is not cropped: x_min, x_max, y_min, y_max in thumbnail pixels."""
MISALIGNED = 0.42
"""Misalignment that is tolerated, thumbnail pixels."""
CONTRAST = 0.14
"""Difference that is tolerated, as a share of the picture's contrast."""
NOISE = 1.0
"""Variance of the difference that is tolerated, grey levels squared."""
LARGEST_CROP = 4.5
"""Most that may be cut from a side, thumbnail pixels."""

STEPS = 3
"""Refinements of a window."""
PROMISING = 2.5
"""Mismatch after a refinement beyond which another would not bring it down to 1."""
BATCH = 128
"""Pairs worked on at once: few enough to stay in the processor's cache."""

RIDGE = np.diag([10, 10, 10, 10, 0.01, 0.01]).astype(np.float32)
"""Keeps the normal equations solvable for a picture without edges."""

Thumbnails = NDArray[np.float32]


def smooth(thumbnails: NDArray[np.uint8]) -> Thumbnails:
    """Thumbnails (N, 32, 32), blurred a little so that resampling leaves no trace in them."""
    kernel = _gaussian(0.6)
    return np.asarray(kernel @ thumbnails.astype(np.float32) @ kernel.T, dtype=np.float32)


def mismatches(
    first: Thumbnails, second: Thumbnails, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How badly a window of each first picture fits the whole of the second.

    The local mean square difference, after gain and offset, over what is tolerated there:
    ``MISALIGNED``² times the local mean square gradient (of the picture that has more), plus
    ``CONTRAST``² times the variance of the picture, plus ``NOISE``; local means are Gaussian
    (σ = 1.5 pixels), and the worst place in the picture counts. At most 1 is the same picture.

    Args:
        first: (N, 32, 32) smoothed thumbnails.
        second: (N, 32, 32) smoothed thumbnails.
        windows: (N, 4) windows of the first to start from, thumbnail pixels.

    Returns:
        (N,) square roots of that ratio, for the best refined window.
    """
    out = np.empty(len(first), np.float32)
    for start in range(0, len(first), BATCH):
        part = slice(start, start + BATCH)
        out[part] = _mismatches(first[part], second[part], windows[part])
    return out


def _mismatches(
    first: Thumbnails, second: Thumbnails, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    best = np.full(len(first), np.inf, np.float32)
    rows = np.arange(len(first))
    for _ in range(STEPS):
        windows = _refined(first, second, windows)
        fit = _mismatch(_cut(first, windows), second)
        best[rows] = np.minimum(best[rows], fit)
        open_ = (fit > 1) & (fit <= PROMISING)
        rows, first, second, windows = rows[open_], first[open_], second[open_], windows[open_]
    return best


def _mismatch(first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
    a = first - first.mean((1, 2), keepdims=True)
    b = second - second.mean((1, 2), keepdims=True)
    power = (b * b).mean((1, 2), keepdims=True)
    a *= (a * b).mean((1, 2), keepdims=True) / np.maximum((a * a).mean((1, 2), keepdims=True), 1)
    gradient = np.maximum(_pool(_steepness(a)), _pool(_steepness(b)))
    allowed = MISALIGNED**2 * gradient + CONTRAST**2 * power + NOISE
    difference = _pool((b - a) ** 2)
    mismatch: NDArray[np.float32] = np.sqrt((difference / allowed).max((1, 2)))
    return mismatch


def _steepness(pictures: Thumbnails) -> Thumbnails:
    """Squared length of the gradient at each pixel."""
    down, right = _gradients(pictures)
    return np.asarray(down * down + right * right, np.float32)


def _gradients(pictures: Thumbnails) -> tuple[Thumbnails, Thumbnails]:
    """Central differences down and to the right; one-sided at the edges."""
    down, right = np.empty_like(pictures), np.empty_like(pictures)
    np.subtract(pictures[:, 2:], pictures[:, :-2], out=down[:, 1:-1])
    np.subtract(pictures[:, :, 2:], pictures[:, :, :-2], out=right[:, :, 1:-1])
    down[:, 1:-1] *= 0.5
    right[:, :, 1:-1] *= 0.5
    down[:, 0], down[:, -1] = pictures[:, 1] - pictures[:, 0], pictures[:, -1] - pictures[:, -2]
    right[:, :, 0] = pictures[:, :, 1] - pictures[:, :, 0]
    right[:, :, -1] = pictures[:, :, -1] - pictures[:, :, -2]
    return down, right


def _refined(
    first: Thumbnails, second: Thumbnails, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Windows after one Gauss–Newton step over their four edges, gain and offset."""
    x_min, x_max, y_min, y_max = windows.T[:, :, None, None]
    across = ((np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)
    seen = _cut(first, windows)
    down, right = _gradients(seen)
    right *= SIDE / (x_max - x_min)
    down *= SIDE / (y_max - y_min)
    columns = (
        right * (1 - across),
        right * across,
        down * (1 - across)[:, None],
        down * across[:, None],
        seen,
        np.ones_like(seen),
    )
    jacobian = np.stack([c.reshape(-1, SIDE * SIDE) for c in columns], axis=1)
    normal = jacobian @ jacobian.transpose(0, 2, 1) + RIDGE
    solved = np.linalg.solve(normal, jacobian @ second.reshape(-1, SIDE * SIDE, 1))[..., 0]
    gain = np.maximum(solved[:, 4:5], 0.2)
    refined: NDArray[np.float32] = windows + np.clip(solved[:, :4] / gain, -1, 1)
    refined[:, 0::2] = np.clip(refined[:, 0::2], -0.5, LARGEST_CROP)
    refined[:, 1::2] = np.clip(refined[:, 1::2], SIDE - LARGEST_CROP, SIDE + 0.5)
    return refined


def _cut(pictures: Thumbnails, windows: NDArray[np.float32]) -> Thumbnails:
    """Each picture's window, scaled to a whole thumbnail."""
    rows = _interpolation(windows[:, 2], windows[:, 3])
    columns = _interpolation(windows[:, 0], windows[:, 1])
    return np.asarray(rows @ pictures @ columns.transpose(0, 2, 1), dtype=np.float32)


def _interpolation(low: NDArray[np.float32], high: NDArray[np.float32]) -> Thumbnails:
    """(N, 32, 32) matrices that sample the centres of 32 cells between two edges.

    Cubic convolution (Keys, IEEE Transactions on Acoustics, Speech and Signal Processing 29,
    1981) with a = -0.5: a linear kernel would blur each pixel by another amount.
    """
    cells = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    at = np.clip(low[:, None] + (high - low)[:, None] * cells - 0.5, 0, SIDE - 1)
    x = np.abs(at[:, :, None] - np.arange(SIDE, dtype=np.float32))
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((2.5 - 0.5 * x) * x - 4) * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    return np.asarray(weights / weights.sum(2, keepdims=True), dtype=np.float32)


def _pool(pictures: Thumbnails) -> Thumbnails:
    """(N, 15, 15) local means, at every second pixel that is not at the edge."""
    return np.asarray(_POOL @ pictures @ _POOL_ACROSS, dtype=np.float32)


def _gaussian(sigma: float) -> Thumbnails:
    """(32, 32) matrix that blurs one axis; its rows add up to one at the edges too."""
    away = np.abs(np.arange(SIDE)[:, None] - np.arange(SIDE)) / sigma
    # beyond 4 σ a weight would be a subnormal number, with which processors are slow
    weights = np.where(away <= 4, np.exp(-0.5 * away**2), 0)
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float32)


_POOL = np.ascontiguousarray(_gaussian(1.5)[1:-1:2])
_POOL_ACROSS = np.ascontiguousarray(_POOL.T)  # a strided operand would take the slow way
