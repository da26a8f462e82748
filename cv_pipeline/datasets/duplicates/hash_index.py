"""An index of 64-bit hashes that finds those near a query, made for very many queries.

A hash is cut into five bands, once by its rows of frequencies and once by its columns, and has a
key for each two bands of one kind, of about 25 bits: hashes that differ in up to three bits agree
in at least one key, and nearly all that differ in up to six. Most keys of a query are no image's,
which one look into a table of bits tells; of more than ``NEIGHBOURS`` images with one key the
query is compared with those around it in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from cv_pipeline.datasets.duplicates.hash_pairs import BITS, Band, Hashes, Rows

BANDS: tuple[Band, ...] = ((51, 13), (38, 13), (25, 13), (12, 13), (0, 12))
"""Lowest bit and width of the bands."""
NEIGHBOURS = 16
"""Members of one bucket that a query is compared with."""
FILTER_BITS = (10, 26)
"""Fewest and most leading bits of a key that the table of bits tells apart."""
SPARSE = 5
"""The table of bits has 2 to the power of this times as many as there are hashes."""


class HashIndex:
    """The hashes of a set of images, sorted once per key.

    Args:
        hashes: (N,) hashes.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        kinds = (hashes, transposed(hashes))
        self._tables = [[_Table(h, key) for key in combinations(BANDS, 2)] for h in kinds]

    def search(self, queries: Hashes, *, distance: int) -> Iterator[tuple[Rows, Rows]]:
        """Find indexed hashes that agree with a query in a key and are near it.

        Hashes that are added to the index never bring it about that another one is found.

        Args:
            queries: (Q,) hashes.
            distance: most bits in which a match may differ.

        Yields:
            Rows of ``queries`` and rows of the index, of equal length. A match may be yielded for
            several keys.
        """
        for tables, asked in zip(self._tables, (queries, transposed(queries)), strict=True):
            for table in tables:
                rows, items = table.look_up(asked)
                near = np.bitwise_count(queries[rows] ^ self._hashes[items]) <= distance
                yield rows[near], items[near]


def transposed(hashes: Hashes) -> Hashes:
    """The hashes with rows and columns of their 8 × 8 bits exchanged.

    H. S. Warren, *Hacker's Delight*, 2nd edition, section 7-3: blocks of 1, 2 and 4 bits across
    the diagonal change places.
    """
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0xF0F0F0F0)):
        moved = (hashes ^ (hashes >> np.uint64(shift))) & np.uint64(mask)
        hashes = hashes ^ moved ^ (moved << np.uint64(shift))
    return hashes


class _Table:
    """The hashes with the bands of one key moved to the top, sorted."""

    def __init__(self, hashes: Hashes, key: tuple[Band, ...]) -> None:
        self._key = key
        self._bands = (*key, *(band for band in BANDS if band not in key))
        moved = _gathered(hashes, self._bands)
        order = np.argsort(moved, kind="stable")
        self._sorted = moved[order]
        self._items = order.astype(np.uint32)
        width = sum(width for _, width in key)
        self._rest = np.uint64(BITS - width)
        leading = min(int(np.clip(np.log2(len(hashes) + 1) + SPARSE, *FILTER_BITS)), width)
        self._shift = np.uint64(width - leading)
        taken = np.zeros(2**leading, bool)
        taken[moved >> self._rest >> self._shift] = True
        self._taken = np.packbits(taken, bitorder="little")

    def look_up(self, queries: Hashes) -> tuple[Rows, Rows]:
        """Rows of ``queries`` and indexed items with the same key."""
        leading = _gathered(queries, self._key) >> self._shift
        octets = self._taken[leading >> np.uint64(3)]
        rows = np.flatnonzero(octets >> (leading & np.uint64(7)).astype(np.uint8) & 1)
        moved = _gathered(queries[rows], self._bands)
        first = moved >> self._rest << self._rest
        low = np.searchsorted(self._sorted, first)
        high = np.searchsorted(self._sorted, first | ((1 << self._rest) - 1), side="right")
        full = np.flatnonzero(high - low > NEIGHBOURS)
        if len(full):
            around = np.searchsorted(self._sorted, moved[full]) - NEIGHBOURS // 2
            low[full] = np.clip(around, low[full], high[full] - NEIGHBOURS)
            high[full] = low[full] + NEIGHBOURS
        count = high - low
        ends = np.cumsum(count)
        offset = np.arange(count.sum()) - np.repeat(ends - count, count)
        return np.repeat(rows, count), self._items[np.repeat(low, count) + offset].astype(np.int64)


def _gathered(hashes: Hashes, bands: tuple[Band, ...]) -> Hashes:
    """The bits of some bands, the first band's highest."""
    gathered = np.zeros_like(hashes)
    for low, width in bands:
        part = (hashes >> np.uint64(low)) & np.uint64((1 << width) - 1)
        gathered = (gathered << np.uint64(width)) | part
    return gathered
