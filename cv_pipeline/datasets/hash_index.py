"""An index of 64-bit hashes that finds those within a few bits of a query, without n² comparisons.

Multi-index hashing (Norouzi, Punjani and Fleet, "Fast search in Hamming space with multi-index
hashing", CVPR 2012): a hash is cut into bands; two hashes within d bits agree to within d // bands
bits in at least one of them. Buckets larger than ``BUCKET`` are searched only around the query, so
that a million look-alikes cost time in proportion to their number; all else is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

BITS = 64
BUCKET = 256
"""Members of one bucket that a query is compared with."""
BLOCK = 1 << 15
"""Queries looked up at a time, which bounds the memory."""

Hashes = NDArray[np.uint64]


class HashIndex:
    """The hashes of a set of images, sorted once per band.

    Args:
        hashes: (N,) hashes.
        bands: number of bands that a hash is cut into, 1 to 32.
    """

    def __init__(self, hashes: Hashes, *, bands: int) -> None:
        self.hashes = hashes
        self._bands = [tuple(range(band, BITS, bands)) for band in range(bands)]
        self._tables = [_Table(hashes, band) for band in self._bands]

    def search(
        self, queries: Hashes, *, distance: int, radius: int, bucket: int = BUCKET
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Find indexed hashes near each query.

        With ``radius`` at least ``distance // bands`` every hash within the distance is found
        (save in buckets that are too large); with less, those that agree with the query to within
        ``radius`` bits in some band. One match may be yielded by several bands.

        Args:
            queries: (Q,) hashes.
            distance: most bits in which a match may differ.
            radius: most bits in which one band of a match may differ.
            bucket: most members of one bucket that a query is compared with.

        Yields:
            Rows of ``queries``, rows of the index and their distances in bits, of equal length.
        """
        for start in range(0, len(queries), BLOCK):
            block = queries[start : start + BLOCK]
            for table in self._tables:
                keys = table.rotated(block)
                for mask in _masks(table.width, radius):
                    rows, items = table.look_up(keys ^ mask, bucket=bucket)
                    apart = np.bitwise_count(block[rows] ^ self.hashes[items]).astype(np.int64)
                    near = apart <= distance
                    yield rows[near] + start, items[near], apart[near]


def bands_for(size: int, distance: int) -> int:
    """Number of bands with the least work for an exact search.

    The work of a query is, for every band, the number of keys that are probed times one plus the
    expected size of a bucket.

    Args:
        size: number of indexed hashes.
        distance: search distance in bits.
    """

    def work(bands: int) -> float:
        width = BITS // bands
        probes = sum(comb(width, k) for k in range(distance // bands + 1))
        return float(bands * probes * (1 + size / 2**width))

    return min(range(3, 17), key=work)


class _Table:
    """The hashes sorted by their bits in the order of one band first."""

    def __init__(self, hashes: Hashes, band: tuple[int, ...]) -> None:
        rest = tuple(bit for bit in range(BITS) if bit not in set(band))
        self._order_of_bits = np.array(band + rest)
        self.width = len(band)
        rotated = self.rotated(hashes)
        self._items = np.argsort(rotated, kind="stable")
        self._sorted = rotated[self._items]
        prefixes = (self._sorted >> np.uint64(BITS - self.width)).astype(np.int64)
        self._starts = np.searchsorted(prefixes, np.arange(2**self.width + 1))

    def rotated(self, hashes: Hashes) -> Hashes:
        """The hashes with this band's bits moved to the top, in order."""
        octets = np.ascontiguousarray(hashes).astype(">u8").view(np.uint8).reshape(-1, 8)
        bits = np.unpackbits(octets, axis=1).take(self._order_of_bits, axis=1)
        return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)

    def look_up(self, keys: Hashes, *, bucket: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of ``keys`` and the indexed items whose band equals theirs."""
        prefix = (keys >> np.uint64(BITS - self.width)).astype(np.int64)
        low, high = self._starts[prefix], self._starts[prefix + 1]
        full = np.flatnonzero(high - low > bucket)
        if len(full):
            at = np.searchsorted(self._sorted, keys[full])
            first = np.clip(at - bucket // 2, low[full], high[full] - bucket)
            low[full], high[full] = first, first + bucket
        count = high - low
        rows = np.repeat(np.arange(len(keys)), count)
        offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return rows, self._items[low[rows] + offset]


def _masks(width: int, radius: int) -> list[np.uint64]:
    """Every pattern of at most ``radius`` flipped bits among the top ``width``."""
    return [
        np.uint64(sum(1 << (BITS - 1 - bit) for bit in bits))
        for flips in range(radius + 1)
        for bits in combinations(range(width), flips)
    ]
