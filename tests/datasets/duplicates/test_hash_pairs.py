"""The search for near hashes finds what comparing all with all finds; crowds cost little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cv_pipeline.datasets.duplicates import hash_pairs
from cv_pipeline.datasets.duplicates.hash_pairs import (
    BITS,
    CROWD,
    NEXT,
    Hashes,
    keys_for,
    near_pairs,
)


def found(hashes: Hashes, mirrored: Hashes, distance: int) -> list[tuple[int, int]]:
    both = np.concatenate([hashes, mirrored])
    i, j = near_pairs(both, distance=distance, size=len(hashes))
    return list(zip(i.tolist(), j.tolist(), strict=True))


def expected(hashes: Hashes, mirrored: Hashes, distance: int) -> list[tuple[int, int]]:
    """By comparing all with all."""
    sides = ((hashes, hashes), (hashes, mirrored), (mirrored, hashes))
    rows = []
    for i in range(len(hashes)):
        apart = [np.bitwise_count(a[i] ^ b[i + 1 :]) for a, b in sides]
        rows += [(i, i + 1 + int(j)) for j in np.flatnonzero(np.min(apart, axis=0) <= distance)]
    return rows


def near(base: Hashes, flips: list[tuple[int, list[int]]]) -> Hashes:
    """Hashes that differ from some of ``base`` in a few bits; random ones never are near."""
    made = [int(base[n % len(base)]) ^ sum({1 << bit for bit in bits}) for n, bits in flips]
    return np.array(made, np.uint64)


bits = st.lists(st.integers(0, 63), max_size=13)
flips = st.lists(st.tuples(st.integers(0, 5), bits), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    base=arrays(np.uint64, st.integers(1, 6), elements=st.integers(0, 2**64 - 1)),
    plain=flips,
    flipped=flips,
    distance=st.integers(0, 8),
)
def test_every_pair_within_the_distance_is_found(
    base: Hashes,
    plain: list[tuple[int, list[int]]],
    flipped: list[tuple[int, list[int]]],
    distance: int,
) -> None:
    size = min(len(plain), len(flipped))
    hashes, mirrored = near(base, plain[:size]), near(base, flipped[:size])
    assert found(hashes, mirrored, distance) == expected(hashes, mirrored, distance)


@settings(max_examples=5, deadline=None)
@given(
    base=arrays(np.uint64, 2, elements=st.integers(0, 2**64 - 1)),
    plain=flips,
    distance=st.integers(9, 12),
)
def test_larger_distances_too(
    base: Hashes, plain: list[tuple[int, list[int]]], distance: int
) -> None:
    hashes = near(base, plain)
    mirrored = np.random.default_rng(0).integers(0, 2**64, len(hashes), dtype=np.uint64)
    assert found(hashes, mirrored, distance) == expected(hashes, mirrored, distance)


def test_of_thousands_of_hashes_too() -> None:
    rng = np.random.default_rng(0)
    hashes, mirrored = rng.integers(0, 2**64, (2, 3000), dtype=np.uint64)
    for copy in range(0, 3000, 3):
        flipped = rng.choice(64, rng.integers(0, 9), replace=False).astype(np.uint64)
        side = hashes if copy % 2 else mirrored
        side[copy] = hashes[copy + 1] ^ np.bitwise_or.reduce(
            np.uint64(1) << flipped, initial=np.uint64(0)
        )
    assert found(hashes, mirrored, 6) == expected(hashes, mirrored, 6)


@pytest.mark.parametrize("at_once", [1, 2, 7, 100])
def test_memory_is_bounded_by_portions(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2**64, 10, dtype=np.uint64)
    hashes = base[rng.integers(0, 10, 60)] ^ (np.uint64(1) << rng.integers(0, 64, 60, np.uint64))
    whole = found(hashes, hashes, 6)
    monkeypatch.setattr(hash_pairs, "COMPARED_AT_ONCE", at_once)
    assert found(hashes, hashes, 6) == whole == expected(hashes, hashes, 6)


@pytest.mark.parametrize("distance", [0, 6, 7, 8, 12, 16])
def test_keys_are_about_as_selective_at_every_distance(distance: int) -> None:
    keys = keys_for(distance)
    assert all(16 <= sum(width for _, width in key.bands) <= 24 for key in keys)
    bands = {band for key in keys for band in key.bands}
    assert sum(width for _, width in bands) == BITS
    assert len(bands) - len(keys[0].bands) >= min(distance, 12)


def test_of_a_crowd_each_is_compared_with_the_next_few() -> None:
    alike = np.full(CROWD + 20, 0x0123_4567_89AB_CDEF, np.uint64)
    other = np.random.default_rng(0).integers(0, 2**64, len(alike), dtype=np.uint64)
    pairs = found(alike, other, 6)
    assert pairs == [
        (i, j) for i in range(len(alike)) for j in range(i + 1, i + 1 + NEXT) if j < len(alike)
    ]
    few = found(alike[:CROWD], other[:CROWD], 6)
    assert len(few) == CROWD * (CROWD - 1) // 2


@settings(max_examples=40, deadline=None)
@given(
    base=arrays(np.uint64, 2, elements=st.integers(0, 2**64 - 1)),
    plain=st.lists(st.tuples(st.integers(0, 1), bits), min_size=2, max_size=40),
    kept=st.data(),
)
def test_more_pictures_bring_about_no_pair_of_others(
    base: Hashes, plain: list[tuple[int, list[int]]], kept: st.DataObject
) -> None:
    hashes = near(base, plain)
    mirrored = hashes[::-1].copy()
    part = sorted(kept.draw(st.sets(st.integers(0, len(hashes) - 1), min_size=1)))
    crowd = hash_pairs.CROWD, hash_pairs.NEXT
    hash_pairs.CROWD, hash_pairs.NEXT = 3, 1
    try:
        all_pairs = found(hashes, mirrored, 6)
        of_part = found(hashes[part], mirrored[part], 6)
    finally:
        hash_pairs.CROWD, hash_pairs.NEXT = crowd
    among = {(part.index(i), part.index(j)) for i, j in all_pairs if {i, j} <= set(part)}
    assert among <= set(of_part)


@pytest.mark.parametrize("size", [0, 1])
def test_too_few_for_a_pair(size: int) -> None:
    hashes = np.zeros(size, np.uint64)
    assert found(hashes, hashes, 6) == []
