"""What two pictures have to do with each other, by their hashes and then by alignment.

The answer depends on the two pictures alone, so it is the same whatever others there are, in
whichever order they came.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.duplicates.alignment import FULL, mismatches, smooth
from cv_pipeline.datasets.duplicates.crops import WINDOWS, window_coefficients, window_hashes
from cv_pipeline.datasets.duplicates.hash_pairs import Rows
from cv_pipeline.datasets.duplicates.pictures import MIRROR, Pictures, alike, unexplained
from cv_pipeline.distinct import distinct
from cv_pipeline.imaging.perceptual import hamming

KINDS = ("same", "mirrored", "cropped", "cropped_mirrored")
"""Kinds from the plainest on; the plainest that holds is a pair's."""
PAIR = np.dtype(
    [
        ("i", np.int64),
        ("j", np.int64),
        ("kind", np.int8),
        ("distance", np.int32),
        ("mismatch", np.float32),
    ]
)
CROPS_AT_ONCE = 256
"""Pairs whose windows are compared at once."""

Pairs = NDArray[np.void]
"""(P,) of type ``PAIR``; ``kind`` counts in ``KINDS``, -1 is none."""


def kinds_of_pairs(pictures: Pictures, i: Rows, j: Rows, *, max_distance: int) -> Pairs:
    """Find the pairs that show one picture.

    Args:
        pictures: the pictures.
        i: (P,) one picture of each pair.
        j: (P,) the other.
        max_distance: most bits in which the hashes of a pair may differ.

    Returns:
        Those of the pairs, in their order, that are of a kind.
    """
    pairs = np.zeros(len(i), PAIR)
    pairs["i"], pairs["j"], pairs["kind"] = i, j, -1
    for mirrored in (False, True):
        _find_whole(pictures, pairs, mirrored=mirrored, max_distance=max_distance)
    left = np.flatnonzero(pairs["kind"] < 0)
    for start in range(0, len(left), CROPS_AT_ONCE):
        part = left[start : start + CROPS_AT_ONCE]
        pairs[part] = _with_crops(pictures, pairs[part], max_distance=max_distance)
    return pairs[pairs["kind"] >= 0]


def _find_whole(pictures: Pictures, pairs: Pairs, *, mirrored: bool, max_distance: int) -> None:
    """Fill in the pairs of which one picture is all of the other, perhaps mirrored."""
    left = np.flatnonzero(pairs["kind"] < 0)
    i, j = pairs["i"][left], pairs["j"][left]
    likely = pictures.likely(i, j, mirrored=mirrored, max_distance=max_distance)
    rows, i, j = left[likely], i[likely], j[likely]
    windows = np.repeat(np.array([FULL], np.float32), len(rows), axis=0)
    fit = _fit(pictures, i, j, windows, mirrored)
    good = fit <= 1
    pairs["kind"][rows[good]] = int(mirrored)
    pairs["distance"][rows[good]] = pictures.apart(i[good], j[good], mirrored=mirrored)
    pairs["mismatch"][rows[good]] = fit[good]


def _with_crops(pictures: Pictures, pairs: Pairs, *, max_distance: int) -> Pairs:
    """The pairs, filled in where one picture is a window of the other, perhaps mirrored.

    Of the windows whose hash is near enough the one that looks most alike is aligned; if either
    picture may be the other's crop, the alignment that fits better counts.
    """
    pairs["mismatch"] = np.inf
    for whole, part in (("i", "j"), ("j", "i")):
        coefficients = window_coefficients(pictures.thumbnails[pairs[whole]].astype(np.float32))
        hashes = window_hashes(coefficients)
        for kind, mirrored in ((2, False), (3, True)):
            wanted = (pictures.mirrored if mirrored else pictures.hashes)[pairs[part]]
            distance = hamming(hashes, wanted[:, None])
            near, window = np.nonzero(distance <= max_distance)
            frequencies = pictures.frequencies[pairs[part][near]] * (MIRROR if mirrored else 1)
            likely = alike(coefficients[near, window], frequencies)
            near, window, frequencies = near[likely], window[likely], frequencies[likely]
            left = np.full(distance.shape, np.inf, np.float32)
            left[near, window] = unexplained(coefficients[near, window], frequencies)
            rows = distinct(near)
            best = left[rows].argmin(1)
            fit = _fit(pictures, pairs[whole][rows], pairs[part][rows], WINDOWS[best], mirrored)
            known, fits = pairs["kind"][rows], pairs["mismatch"][rows]
            better = (known < 0) | (kind < known) | ((kind == known) & (fit < fits))
            good = (fit <= 1) & better
            rows = rows[good]
            pairs["kind"][rows] = kind
            pairs["distance"][rows] = distance[rows, best[good]]
            pairs["mismatch"][rows] = fit[good]
    return pairs


def _fit(
    pictures: Pictures, first: Rows, second: Rows, windows: NDArray[np.float32], mirrored: bool
) -> NDArray[np.float32]:
    """How badly each window of ``first`` fits the whole of ``second``; see ``mismatches``."""
    one, other = pictures.thumbnails[first], pictures.thumbnails[second]
    if mirrored:
        other = other[:, :, ::-1]
    return mismatches(smooth(one), smooth(other), windows)
