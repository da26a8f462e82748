"""Pairs of 64-bit hashes within a few bits of each other, among a million in seconds.

A hash is cut into bands, and several bands together are a key: bits that differ spoil at most as
many bands, so two hashes that are near agree in some key (Norouzi, Punjani and Fleet, "Fast search
in Hamming space with multi-index hashing", CVPR 2012). Hashes are sorted by each key in turn, and
all that agree in it are compared; of more than ``CROWD`` that do, each with the ``NEXT`` that
follow it, so that a million look-alikes cost time in proportion to their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.catalog.engine import cores
from cv_pipeline.distinct import distinct

BITS = 64
SCHEMES = ((6, 9, 3), (8, 12, 4), (16, 16, 4))
"""Largest distance, number of bands, and bands of a key. Every two hashes within the distance agree
in some key as long as the distance is at most the bands less those of a key: to 6, 8 and 12 bits;
beyond, nearly all do. Keys have about 21 bits, so that few agree in one by chance."""
CROWD = 256
"""Hashes that agree in one key and are all compared."""
NEXT = 8
"""Hashes that each is compared with where more agree: those that follow it in order."""
COMPARED_AT_ONCE = 1 << 20
"""Comparisons of which the rows are in memory at a time."""

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]
Band = tuple[int, int]
"""Lowest bit and width of a band."""


@dataclass(frozen=True)
class Key:
    """Some bands of a hash.

    Attributes:
        bands: the bands, from the lowest bit on.
        before: the bands up to its last that are not its own.
    """

    bands: tuple[Band, ...]
    before: tuple[Band, ...]

    def of(self, hashes: Hashes) -> NDArray[np.uint32]:
        """The key of each hash."""
        key = np.zeros(len(hashes), np.uint32)
        for low, width in self.bands:
            part = (hashes >> np.uint64(low)).astype(np.uint32) & np.uint32((1 << width) - 1)
            key = (key << np.uint32(width)) | part
        return key

    def is_first(self, differences: Hashes) -> NDArray[np.bool_]:
        """Whether two hashes that agree in this key, and differ so, agree in no earlier one."""
        first = np.ones(len(differences), bool)
        for low, width in self.before:
            first &= (differences & np.uint64(((1 << width) - 1) << low)) != 0
        return first


def keys_for(distance: int) -> list[Key]:
    """The keys of a search, such that two hashes agree in the one of the lowest bands first."""
    count, chosen = next((b, c) for most, b, c in SCHEMES if distance <= most)
    edges = [BITS * band // count for band in range(count + 1)]
    bands = [(low, high - low) for low, high in pairwise(edges)]
    return [
        Key(own, tuple(b for b in bands[: bands.index(own[-1])] if b not in own))
        for own in combinations(bands, chosen)
    ]


def near_pairs(hashes: Hashes, *, distance: int, size: int) -> tuple[Rows, Rows]:
    """Find the pairs of pictures that have hashes near each other.

    All of them, save among more than ``CROWD`` hashes that agree in a key. What is found depends on
    the hashes alone; and pictures that are added never bring about a pair of two others.

    Args:
        hashes: (K × size,) the main hash of each picture, then the second of each, and so on; only
            main ones are compared with others than main ones.
        distance: most bits in which the hashes of a pair may differ, 0 to 16.
        size: number of pictures.

    Returns:
        (P,) and (P,) smaller and greater row of the pairs, each pair once, sorted.
    """
    order = np.argsort(hashes, kind="stable")
    search = partial(_agreeing, hashes[order], order, distance=distance, size=size)
    with ThreadPoolExecutor(cores(), thread_name_prefix="pairs") as threads:
        codes = distinct(np.concatenate(list(threads.map(search, keys_for(distance)))))
    return codes // size, codes % size


def _agreeing(hashes: Hashes, entries: Rows, key: Key, *, distance: int, size: int) -> Rows:
    """Codes, smaller row × size + greater row, of the near pairs that agree in a key first.

    Args:
        hashes: (M,) in ascending order, which is thus that of hashes that agree.
        entries: (M,) their rows before they were sorted.
        key: the key.
        distance: most bits that may differ.
        size: number of pictures.
    """
    keys = key.of(hashes)
    order = _stable_order(keys)
    keys, hashes, entries = keys[order], hashes[order], entries[order]
    found = [np.empty(0, np.int64)]
    for first, second in _compared(keys):
        differences = hashes[first] ^ hashes[second]
        near = np.flatnonzero(np.bitwise_count(differences) <= distance)
        near = near[key.is_first(differences[near])]
        a, b = entries[first[near]], entries[second[near]]
        pair = (np.minimum(a, b) < size) & (a % size != b % size)
        a, b = a[pair] % size, b[pair] % size
        found.append(np.minimum(a, b) * size + np.maximum(a, b))
    return np.concatenate(found)


def _compared(keys: NDArray[np.uint32]) -> Iterator[tuple[Rows, Rows]]:
    """Rows of two hashes that are compared, each two once; keys are in ascending order."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    lengths = np.diff(np.append(starts, len(keys)))
    several = lengths > 1
    starts, lengths = starts[several], lengths[several]
    rows = _ranges(starts, lengths)
    following = np.repeat(starts + lengths, lengths) - rows - 1
    following = np.minimum(following, np.repeat(np.where(lengths > CROWD, NEXT, CROWD), lengths))
    ends = np.cumsum(following)
    portions = np.arange(0, ends.max(initial=0) + COMPARED_AT_ONCE, COMPARED_AT_ONCE)
    cuts = np.searchsorted(ends, portions, side="right")
    for low, high in pairwise(cuts):
        count = following[low:high]
        yield np.repeat(rows[low:high], count), _ranges(rows[low:high] + 1, count)


def _ranges(starts: Rows, lengths: Rows) -> Rows:
    """The numbers of several ranges, one range after the other."""
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) + np.repeat(starts - ends + lengths, lengths)


def _stable_order(keys: NDArray[np.uint32]) -> Rows:
    """Stable ascending order: two passes over 16 bits, for which NumPy has a radix sort."""
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    upper = (keys >> np.uint32(16)).astype(np.uint16)
    return np.asarray(order[np.argsort(upper[order], kind="stable")])
