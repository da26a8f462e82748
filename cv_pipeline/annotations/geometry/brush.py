"""Label Studio's run lengths of brush strokes: bits of a picture with red, green, blue and alpha.

The label-studio-sdk has a decoder of its own, which makes a picture of whatever size the text
claims, and a list of its bits; this one goes from run to run, so that it needs as much memory as
the text has bits, whatever it claims. A pixel is inside where its alpha is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry.parts import MaskPart
from cv_pipeline.annotations.geometry.run_lengths import (
    BadShape,
    Runs,
    check_size,
    runs_of_line,
)

_CHANNELS = 4
_SIZES = (3, 4, 8, 16)
"""Bits of the run lengths that are written; any four are read."""


def part_of_brush(rle: Sequence[object], *, size: tuple[int, int]) -> MaskPart:
    """The mask that run lengths of a brush give, as run lengths.

    Args:
        rle: bytes, as numbers.
        size: height and width of the image, as the region states them.

    Raises:
        BadShape: they are no such run lengths, or not of an image of that size.
    """
    height, width = size
    check_size(height, width)
    if len(rle) > _CHANNELS * height * width * 3 + 64:
        raise BadShape("bad_mask", f"{len(rle)} bytes of run lengths are more than it can have.")
    if not all(type(b) is int and 0 <= b <= 255 for b in rle):
        raise BadShape("bad_mask", "Run lengths of a brush that are not bytes.")
    stream = _Bits(bytes(rle))  # type: ignore[arg-type]
    values = stream.read(32)
    if values != height * width * _CHANNELS:
        raise BadShape(
            "size_mismatch",
            f"Run lengths of {values} values, for an image of {width}×{height} pixels.",
        )
    word = stream.read(5) + 1
    if word > 8:
        raise BadShape("bad_mask", f"Values of {word} bits; a picture's have 8.")
    sizes = [stream.read(4) + 1 for _ in range(4)]
    counts: list[Runs] = []
    at = 0
    while at < values:
        alike = stream.read(1)
        end = at + 1 + stream.read(sizes[stream.read(2)])
        if end > values:
            raise BadShape("bad_mask", "Run lengths of more values than the picture has.")
        # the pixels whose alpha, every fourth value, is among these
        pixels = end // _CHANNELS - at // _CHANNELS
        if alike:
            inside = stream.read(word) > 0
            found = np.array([0, pixels] if inside else [pixels, 0])
        else:
            alpha = stream.words(end - at, word)[_CHANNELS - 1 - at % _CHANNELS :: _CHANNELS]
            found = runs_of_line(alpha > 0) if pixels else np.zeros(2, np.int64)
        counts.append(found if len(found) % 2 == 0 else np.r_[found, 0])
        at = end
    return MaskPart(size, (0, 0), size, _joined(np.concatenate(counts)))


def _joined(runs: Runs) -> Runs:
    """Run lengths, outside and inside in turns, without those of nothing in between."""
    inside = np.arange(len(runs)) % 2 == 1
    inside, runs = inside[runs > 0], runs[runs > 0]
    first = np.flatnonzero(np.r_[True, inside[1:] != inside[:-1]])
    joined = np.add.reduceat(runs, first)
    return np.r_[0, joined] if inside[0] else joined


def brush_of_mask(pixels: NDArray[np.bool_]) -> list[int]:
    """Run lengths of a brush for a mask (bool, height × width): bytes, as numbers."""
    runs = (runs_of_line(pixels.ravel()) * _CHANNELS).tolist()
    bits = [f"{pixels.size * _CHANNELS:032b}", f"{7:05b}", *(f"{s - 1:04b}" for s in _SIZES)]
    for place, run in enumerate(runs):
        value = "11111111" if place % 2 else "00000000"
        while run:
            length = min(run, 1 << _SIZES[-1])
            size = next(k for k, s in enumerate(_SIZES) if length <= 1 << s)
            bits.append(f"1{size:02b}{length - 1:0{_SIZES[size]}b}{value}")
            run -= length
    text = "".join(bits)
    packed = np.packbits(np.frombuffer(text.encode(), dtype=np.uint8) - ord("0"))
    return [int(b) for b in packed.tolist()]


class _Bits:
    """Bits of bytes, one number after the other.

    Args:
        data: the bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bits = len(data) * 8
        self._at = 0

    def read(self, bits: int) -> int:
        """The next number of so many bits.

        Raises:
            BadShape: there are fewer left.
        """
        end = self._at + bits
        if end > self._bits:
            raise BadShape("bad_mask", "Run lengths of a brush that are cut off.")
        first, last = self._at >> 3, (end + 7) >> 3
        found = int.from_bytes(self._data[first:last]) >> ((last << 3) - end)
        self._at = end
        return found & ((1 << bits) - 1)

    def words(self, count: int, bits: int) -> NDArray[np.uint8]:
        """The next numbers of so many bits each.

        Raises:
            BadShape: there are fewer left.
        """
        end = self._at + count * bits
        if end > self._bits:
            raise BadShape("bad_mask", "Run lengths of a brush that are cut off.")
        first, last = self._at >> 3, (end + 7) >> 3
        part = np.unpackbits(np.frombuffer(self._data[first:last], dtype=np.uint8))
        skipped = self._at - (first << 3)
        table = part[skipped : skipped + count * bits].reshape(count, bits)
        self._at = end
        return table @ (1 << np.arange(bits - 1, -1, -1)).astype(np.uint8)
