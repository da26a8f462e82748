"""Order, the budget and early ends, with loads that wait to be let go."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.storage.read_ahead import MOST_ITEMS, read_ahead


@given(
    sizes=st.lists(st.integers(0, 40), max_size=200),
    budget=st.integers(1, 100),
)
def test_order_and_budget(sizes, budget):
    started: list[int] = []

    def load(item: int) -> int:
        started.append(item)
        return item

    with ThreadPoolExecutor(4) as pool:
        results = []
        for item in read_ahead(
            range(len(sizes)), load, size=sizes.__getitem__, pool=pool, budget=budget
        ):
            ahead = [i for i in list(started) if i >= item]
            assert len(ahead) <= MOST_ITEMS
            assert len(ahead) <= 1 or sum(sizes[i] for i in ahead) <= budget
            results.append(item)
    assert results == list(range(len(sizes)))


def test_small_things_are_loaded_at_once():
    barrier = threading.Barrier(4)  # passed only by four loads that run together

    def load(item: int) -> int:
        barrier.wait(timeout=10)
        return item

    with ThreadPoolExecutor(4) as pool:
        found = list(read_ahead(range(4), load, size=lambda _: 1, pool=pool, budget=4))
    assert found == [0, 1, 2, 3]


def test_an_error_comes_in_its_place():
    def load(item: int) -> int:
        if item == 2:
            raise ValueError("the third")
        return item

    with ThreadPoolExecutor(2) as pool:
        results = read_ahead(range(5), load, size=lambda _: 1, pool=pool)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="the third"):
            next(results)


def test_who_stops_early_does_not_wait_for_the_rest():
    begun = []
    with ThreadPoolExecutor(1) as pool:
        release = threading.Event()

        def load(item: int) -> int:
            begun.append(item)
            assert item == 0 or release.wait(timeout=10)
            return item

        results = read_ahead(range(200), load, size=lambda _: 1, pool=pool)
        assert next(results) == 0
        results.close()
        release.set()
    assert len(begun) <= 2
