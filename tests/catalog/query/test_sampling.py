from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import QueryNode, parse
from cv_pipeline.catalog.query.nodes import Field, Sample
from tests.catalog.query.small_lakes import SmallLake, image


def lake_of(sizes: dict[str, int]) -> SmallLake:
    """A lake with so many images of each batch."""
    batches = [batch for batch, size in sorted(sizes.items()) for _ in range(size)]
    return SmallLake([image(n, batch=batch) for n, batch in enumerate(batches)])


def drawn(sizes: dict[str, int], size: int, *, seed: int = 0) -> Counter[str]:
    """How many of each batch a stratified sample has."""
    lake = lake_of(sizes)
    numbers = lake.ask(QueryNode(sample=Sample(size, by=Field("batch"), seed=seed)))
    assert numbers == sorted(set(numbers))
    return Counter(lake.images[n]["batch"] for n in numbers)


def test_a_sample_is_the_first_by_md5_of_seed_and_image() -> None:
    lake = lake_of({"a": 30})
    by_hash = sorted(
        lake.images, key=lambda i: hashlib.md5(f"7:{i['image_id']}".encode()).hexdigest()
    )
    assert lake.ask(parse("sample 5 seed 7")) == sorted(i["n"] for i in by_hash[:5])
    assert lake.ask(parse("sample 5 seed 7")) != lake.ask(parse("sample 5 seed 8"))
    assert lake.ask(parse("sample 5")) == lake.ask(parse("sample 5 seed 0"))


def test_a_sample_grows_without_losing_what_it_had() -> None:
    lake = lake_of({"a": 30})
    samples = [set(lake.ask(parse(f"sample {size} seed 7"))) for size in (3, 10, 30, 99)]
    assert [len(s) for s in samples] == [3, 10, 30, 30]
    assert all(a <= b for a, b in pairwise(samples))


def test_a_sample_of_what_there_is_not() -> None:
    lake = lake_of({"a": 3})
    for text in ("width > 10000 sample 5", "width > 10000 sample 5 by batch"):
        assert lake.ask(parse(text)) == []
    assert SmallLake([]).ask(parse("sample 5 by metadata.scene")) == []


def test_a_sample_is_ordered_and_cut_after_it_was_drawn() -> None:
    lake = SmallLake([image(n, width=100 - n) for n in range(20)])
    sample = lake.ask(parse("sample 6 seed 1"))
    assert lake.ask(parse("sample 6 seed 1 order by width limit 2")) == sample[:-3:-1]


def test_what_has_no_value_is_a_stratum_too() -> None:
    lake = SmallLake([image(n, metadata={"scene": "yard"} if n % 2 else {}) for n in range(20)])
    numbers = lake.ask(parse("sample 4 by metadata.scene"))
    assert sorted(n % 2 for n in numbers) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [
        # in proportion
        ({"a": 50, "b": 30, "c": 20}, 10, {"a": 5, "b": 3, "c": 2}),
        # 4.5, 3.375 and 1.125: the largest remainder takes what is left
        ({"a": 40, "b": 30, "c": 10}, 9, {"a": 5, "b": 3, "c": 1}),
        # 1.5 and 2.5: of equal remainders the larger stratum's
        ({"a": 3, "b": 5}, 4, {"a": 1, "b": 3}),
        # a share of a hundredth is one image all the same
        ({"a": 990, "b": 10}, 5, {"a": 4, "b": 1}),
        ({"a": 97, "b": 1, "c": 1, "d": 1}, 10, {"a": 7, "b": 1, "c": 1, "d": 1}),
        # as many images as strata
        ({"a": 97, "b": 1, "c": 1, "d": 1}, 4, {"a": 1, "b": 1, "c": 1, "d": 1}),
        # fewer images than strata: the largest have the largest remainders
        ({"a": 50, "b": 30, "c": 1}, 2, {"a": 1, "b": 1}),
        ({"a": 50, "b": 30, "c": 1}, 1, {"a": 1}),
        # all there are
        ({"a": 5, "b": 3}, 8, {"a": 5, "b": 3}),
        ({"a": 5, "b": 3}, 100, {"a": 5, "b": 3}),
    ],
)
def test_shares_of_strata(sizes: dict[str, int], size: int, expected: dict[str, int]) -> None:
    assert drawn(sizes, size) == expected


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1),
    size=st.integers(1, 100),
    seed=st.integers(0, 2**53),
)
def test_every_sample_is_fair(sizes: dict[str, int], size: int, seed: int) -> None:
    found = drawn(sizes, size, seed=seed)
    total = sum(sizes.values())
    assert sum(found.values()) == min(size, total)
    assert all(found[stratum] <= sizes[stratum] for stratum in sizes)
    if size >= len(sizes):
        assert all(found[stratum] >= 1 for stratum in sizes)
    exact = {s: Fraction(min(size, total) * n, total) for s, n in sizes.items()}
    if all(share >= 1 for share in exact.values()) or size < len(sizes):
        assert all(abs(found[s] - share) < 1 for s, share in exact.items())
