"""The hash index finds what is near a query, and bounds the work of full buckets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cv_pipeline.datasets.duplicates.hash_index import NEIGHBOURS, HashIndex, transposed
from cv_pipeline.datasets.duplicates.hash_pairs import Hashes


def found(hashes: Hashes, queries: Hashes, distance: int) -> set[tuple[int, int]]:
    return {
        (int(row), int(item))
        for block in HashIndex(hashes).search(queries, distance=distance)
        for row, item in zip(*block, strict=True)
    }


def near(hashes: Hashes, queries: Hashes, distance: int) -> set[tuple[int, int]]:
    """By comparing all with all."""
    rows = np.argwhere(np.bitwise_count(queries[:, None] ^ hashes) <= distance)
    return {(int(q), int(i)) for q, i in rows}


@settings(max_examples=50, deadline=None)
@given(
    base=arrays(np.uint64, st.integers(1, 6), elements=st.integers(0, 2**64 - 1)),
    flips=st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.integers(0, 63), max_size=9)), max_size=15
    ),
    distance=st.integers(0, 9),
)
def test_all_that_is_found_is_near_and_all_within_three_bits_is_found(
    base: Hashes, flips: list[tuple[int, list[int]]], distance: int
) -> None:
    # hashes near each other, for random ones never are
    close = [int(base[n % len(base)]) ^ sum({1 << bit for bit in bits}) for n, bits in flips]
    hashes = np.concatenate([base, np.array(close, np.uint64)])[: NEIGHBOURS - 1]
    got = found(hashes, hashes, distance)
    assert near(hashes, hashes, min(distance, 3)) <= got <= near(hashes, hashes, distance)


def test_most_within_four_bits_are_found_among_many() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    queries = hashes[:2000].copy()
    for query in range(2000):
        for bit in rng.choice(64, query % 5, replace=False):
            queries[query] ^= np.uint64(1 << int(bit))
    got = found(hashes, queries, 6)
    hits = np.array([(query, query) in got for query in range(2000)])
    bits = np.arange(2000) % 5
    assert hits[bits <= 3].all()
    assert hits[bits == 4].mean() > 0.9
    assert len(got) == hits.sum()


def test_a_full_bucket_is_searched_around_the_query() -> None:
    hashes = np.arange(4000, dtype=np.uint64)  # alike in all but a few bits
    assert (0, 2000) in found(hashes, hashes[2000:2001], 0)
    looked_at = sum(len(r) for r, _ in HashIndex(hashes).search(hashes[:100], distance=64))
    assert looked_at <= 100 * 20 * NEIGHBOURS


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.integers(0, 300), min_size=1, max_size=120, unique=True),
    more=st.lists(st.integers(0, 300), max_size=120),
)
def test_more_hashes_bring_no_other_one_up(values: list[int], more: list[int]) -> None:
    few = np.array(values, np.uint64)
    many = np.concatenate([few, np.array([m for m in more if m not in values], np.uint64)])
    queries = np.arange(0, 300, 7, dtype=np.uint64)
    among = {(q, i) for q, i in found(many, queries, 6) if i < len(few)}
    assert among <= found(few, queries, 6)


@pytest.mark.parametrize("queries", [0, 1])
def test_nothing_is_found_in_nothing(queries: int) -> None:
    assert found(np.array([], np.uint64), np.arange(queries, dtype=np.uint64), 6) == set()


def test_transposing_exchanges_rows_and_columns() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 50, dtype=np.uint64)
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8)).reshape(-1, 8, 8)
    back = np.unpackbits(transposed(hashes).astype(">u8").view(np.uint8)).reshape(-1, 8, 8)
    assert (back == bits.transpose(0, 2, 1)).all()
