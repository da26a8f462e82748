"""The hash index finds what comparing all with all finds, and bounds the work of full buckets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cv_pipeline.datasets.hash_index import BITS, Hashes, HashIndex, bands_for


def found(
    hashes: Hashes, queries: Hashes, *, bands: int, distance: int, radius: int, bucket: int = 256
) -> set[tuple[int, int, int]]:
    index = HashIndex(hashes, bands=bands)
    return {
        (int(row), int(item), int(apart))
        for block in index.search(queries, distance=distance, radius=radius, bucket=bucket)
        for row, item, apart in zip(*block, strict=True)
    }


def near(hashes: Hashes, queries: Hashes, distance: int) -> set[tuple[int, int, int]]:
    """By comparing all with all."""
    apart = np.bitwise_count(queries[:, None] ^ hashes)
    return {(int(q), int(i), int(apart[q, i])) for q, i in np.argwhere(apart <= distance)}


@settings(max_examples=50, deadline=None)
@given(
    base=arrays(np.uint64, st.integers(1, 6), elements=st.integers(0, 2**64 - 1)),
    flips=st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.integers(0, 63), max_size=9)), max_size=30
    ),
    distance=st.integers(0, 9),
    bands=st.integers(3, 16),
)
def test_an_exact_search_finds_all(
    base: Hashes, flips: list[tuple[int, list[int]]], distance: int, bands: int
) -> None:
    # hashes near each other, for random ones never are
    close = [int(base[n % len(base)]) ^ sum({1 << bit for bit in bits}) for n, bits in flips]
    hashes = np.concatenate([base, np.array(close, np.uint64)])
    got = found(hashes, hashes, bands=bands, distance=distance, radius=distance // bands)
    assert got == near(hashes, hashes, distance)


@pytest.mark.parametrize("distance", [0, 6, 12, 16])
@pytest.mark.parametrize("size", [2, 600, 100_000, 1_000_000])
def test_the_work_of_a_query_is_bounded(size: int, distance: int) -> None:
    bands = bands_for(size, distance)
    assert 3 <= bands <= 16
    assert size / 2 ** (BITS // bands) < 5000


def test_a_full_bucket_is_searched_around_the_query() -> None:
    hashes = np.arange(10_000, dtype=np.uint64)  # alike in all but a few bits
    got = found(hashes, hashes[5000:5001], bands=4, distance=0, radius=0, bucket=64)
    assert got == {(0, 5000, 0)}
    index = HashIndex(hashes, bands=4)
    looked_at = sum(
        len(rows) for rows, _, _ in index.search(hashes[:100], distance=64, radius=0, bucket=64)
    )
    assert looked_at <= 100 * 4 * 64


def test_nothing_is_found_in_nothing() -> None:
    none = np.array([], np.uint64)
    assert found(none, none, bands=4, distance=6, radius=1) == set()
    assert found(none, np.array([1], np.uint64), bands=4, distance=6, radius=1) == set()
