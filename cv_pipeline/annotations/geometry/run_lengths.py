"""COCO's run lengths of masks: column by column, first the pixels outside, then those inside.

Text from outside is decoded here, and not by a C library that trusts it: run lengths that do not
add up to the size are refused before anything of that size is made.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 1 << 27
"""Pixels of the largest mask that is read."""

Runs = NDArray[np.int64]


class BadShape(ValueError):
    """What was to be a shape is none.

    Args:
        reason: in a word, as it goes into the quarantine.
        detail: in a sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


def check_size(height: int, width: int) -> None:
    """Refuse a mask of a size that no image here has.

    Raises:
        BadShape: a side is less than 1, or there are too many pixels.
    """
    if height < 1 or width < 1:
        raise BadShape("bad_mask", f"A mask of {width}×{height} pixels.")
    if height * width > MOST_PIXELS:
        raise BadShape(
            "mask_too_large",
            f"A mask of {width}×{height} pixels; {MOST_PIXELS} pixels are read at most.",
        )


def check_runs(counts: Iterable[object], pixels: int) -> Runs:
    """Uncompressed run lengths that add up to so many pixels.

    Raises:
        BadShape: they do not, or are no whole numbers.
    """
    listed = list(counts)
    if not all(type(n) is int and 0 <= n <= pixels for n in listed):
        raise BadShape("bad_mask", "Run lengths that are not whole numbers within the mask.")
    runs = np.array(listed, dtype=np.int64)
    return _that_add_up(runs, pixels)


def decode_counts(text: str, pixels: int) -> Runs:
    """Run lengths out of COCO's compressed text.

    Raises:
        BadShape: it is not such a text, or its lengths do not add up to ``pixels``.
    """
    try:
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        raise BadShape("bad_mask", "Run lengths with characters that COCO's never have.") from None
    if len(codes) and (codes.min() < 0 or codes.max() > 63):
        raise BadShape("bad_mask", "Run lengths with characters that COCO's never have.")
    last = (codes & 0x20) == 0
    if len(codes) and not last[-1]:
        raise BadShape("bad_mask", "Run lengths that are cut off.")
    if not len(codes):
        raise BadShape("bad_mask", "No run lengths.")
    ends = np.flatnonzero(last)
    starts = np.r_[0, ends[:-1] + 1]
    digits = ends - starts + 1
    if digits.max() > 7:
        raise BadShape("bad_mask", "A run length of more digits than any has.")
    shift = 5 * (np.arange(len(codes)) - np.repeat(starts, digits))
    values = np.add.reduceat((codes & 0x1F) << shift, starts)
    negative = (codes[ends] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * digits[negative])
    # from the fourth on they are differences to the one before the last
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return _that_add_up(values, pixels)


def encode_counts(runs: Runs) -> str:
    """COCO's compressed text of run lengths."""
    values = runs.astype(np.int64, copy=True)
    values[3:] -= runs[1:-2]
    digits: list[NDArray[np.int64]] = []
    more = np.ones(len(values), dtype=bool)
    while more.any():
        low = values & 0x1F
        values = values >> 5
        sign = (low & 0x10) != 0
        again = more & np.where(sign, values != -1, values != 0)
        digits.append(np.where(more, low + np.where(again, 0x20, 0) + 48, 0))
        more = again
    table = np.stack(digits, axis=1) if digits else np.zeros((0, 0), np.int64)
    flat = table.ravel()
    return flat[flat > 0].astype(np.uint8).tobytes().decode("ascii")


def runs_of_mask(mask: NDArray[np.bool_]) -> Runs:
    """Run lengths of a mask (bool, height × width)."""
    return runs_of_line(np.asarray(mask, dtype=bool).ravel(order="F"))


def runs_of_line(line: NDArray[np.bool_]) -> Runs:
    """Run lengths of pixels in a row, first of those outside."""
    edges = np.flatnonzero(line[1:] != line[:-1]) + 1
    bounds = np.r_[0, edges, len(line)]
    runs: Runs = np.diff(bounds).astype(np.int64)
    if len(line) and line[0]:
        runs = np.insert(runs, 0, 0)
    return runs


def runs_of_part(part: NDArray[np.bool_], *, left: int, top: int, size: tuple[int, int]) -> Runs:
    """Run lengths of an image of which only a part (bool, height × width) is inside anywhere.

    Nothing of the image's size is made.

    Args:
        part: the part, which lies in the image.
        left: its first column there.
        top: its first row.
        size: height and width of the image.
    """
    high, wide = part.shape
    columns = np.zeros((wide, high + 2), dtype=bool)  # a pixel outside above and below each
    columns[:, 1:-1] = part.T
    line = columns.ravel()
    column, row = np.divmod(np.flatnonzero(line[1:] != line[:-1]) + 1, high + 2)
    places = (left + column) * size[0] + top + row - 1
    starts, ends = places[::2], places[1::2]
    # a run that reaches the bottom goes on where one begins at the top of the next column
    apart = starts[1:] != ends[:-1]
    starts, ends = starts[np.r_[True, apart][: len(starts)]], ends[np.r_[apart, True][: len(ends)]]
    bounds = np.stack([starts, ends], axis=1).ravel()
    runs: Runs = np.diff(np.r_[0, bounds, size[0] * size[1]]).astype(np.int64)
    return runs[:-1] if len(runs) > 1 and not runs[-1] else runs


def mask_of_runs(runs: Runs, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (bool, height × width) of run lengths."""
    return line_of_runs(runs).reshape(size, order="F")


def line_of_runs(runs: Runs) -> NDArray[np.bool_]:
    """Pixels in a row, of run lengths."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def area_of_runs(runs: Runs) -> int:
    """Pixels inside."""
    return int(runs[1::2].sum())


def bounds_of_runs(runs: Runs, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of the pixels inside, of which there must be one."""
    ends = np.cumsum(runs)
    first, last = ends[:-1:2], ends[1::2] - 1
    inside = last >= first
    first, last = first[inside], last[inside]
    left, right = first // height, last // height
    # a run that goes on into the next column reaches the bottom of one and the top of the other
    whole = right > left
    top = np.where(whole, 0, first % height)
    bottom = np.where(whole, height - 1, last % height)
    return int(left.min()), int(top.min()), int(right.max()) + 1, int(bottom.max()) + 1


def _that_add_up(runs: Runs, pixels: int) -> Runs:
    total = int(runs.sum()) if len(runs) and abs(runs).max() <= pixels else -1
    if total != pixels or (len(runs) and runs.min() < 0):
        raise BadShape(
            "bad_mask", f"Its run lengths do not add up to the {pixels} pixels of its size."
        )
    return runs
