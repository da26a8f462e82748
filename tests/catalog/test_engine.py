from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psutil
import pytest

from cv_pipeline.catalog import engine
from cv_pipeline.catalog.engine import map_batches


def squares(numbers: Sequence[int]) -> list[int]:
    return [n * n for n in numbers]


def where(numbers: Sequence[int]) -> list[int]:
    return [os.getpid() for _ in numbers]


def slow_where(numbers: Sequence[int]) -> list[int]:
    time.sleep(0.05)
    return [os.getpid() for _ in numbers]


def heavy_imports(numbers: Sequence[int]) -> list[list[str]]:
    from cv_pipeline.catalog import image_features
    from cv_pipeline.catalog.ingest import image_check

    assert image_check
    assert image_features
    heavy = {"torch", "lance", "mlflow", "great_expectations", "sklearn", "boto3", "dagster"}
    heavy |= {"pyarrow", "duckdb", "pydantic", "scipy"}
    return [sorted(heavy & sys.modules.keys()) for _ in numbers]


def fails_at_three(numbers: Sequence[int]) -> list[int]:
    if 3 in numbers:
        raise ValueError("three is not wanted")
    return list(numbers)


def dies_of_seven(numbers: Sequence[int]) -> list[int]:
    if 7 in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return list(numbers)


def mapped(function: Any, batches: Iterable[Sequence[int]]) -> Iterator[tuple[Any, list[Any]]]:
    return map_batches(function, batches, size=lambda n: n)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cores", lambda: 2)


class _Nowhere:
    """A function of a module that only this process has."""

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        return list(numbers)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return eval, ("__import__('no_such_module')",)


NOWHERE = _Nowhere()


def batches(count: int, size: int = 2) -> list[list[int]]:
    return [list(range(n * size, (n + 1) * size)) for n in range(count)]


def test_nothing_to_do_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_Worker", None)
    assert list(mapped(where, [])) == []


@pytest.mark.usefixtures("two_cores")
def test_one_batch_starts_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[None] = []

    class Counted(engine._Worker):
        def __init__(self) -> None:
            started.append(None)
            super().__init__()

    monkeypatch.setattr(engine, "_Worker", Counted)
    assert list(mapped(squares, [[3]])) == [([3], [9])]
    assert len(started) == 1


def test_an_item_that_kills_its_worker_kills_it_alone_on_one_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "cores", lambda: 1)
    given = [[6, 7], [7], [8]]
    assert [found for _, found in mapped(dies_of_seven, given)] == [[6, None], [None], [8]]


@pytest.mark.usefixtures("two_cores")
class TestWorkers:
    def test_results_come_in_order(self) -> None:
        given = batches(20)
        assert list(mapped(squares, given)) == [(b, squares(b)) for b in given]

    def test_the_work_is_done_elsewhere_by_several_and_they_end(self) -> None:
        pids = {pid for _, found in mapped(slow_where, batches(12)) for pid in found}
        assert os.getpid() not in pids
        assert len(pids) == 2
        assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)

    def test_workers_import_nothing_but_what_decodes(self) -> None:
        assert list(mapped(heavy_imports, [[1]])) == [([1], [[]])]

    def test_only_a_few_batches_are_taken_ahead(self) -> None:
        taken = 0

        def counted() -> Iterator[list[int]]:
            nonlocal taken
            for batch in batches(50):
                taken += 1
                yield batch

        results = mapped(squares, counted())
        for done, _ in enumerate(results):
            assert taken <= done + 6

    def test_large_batches_wait_until_there_is_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "BUDGET", 100)
        taken = 0

        def counted() -> Iterator[list[int]]:
            nonlocal taken
            for weight in (60, 60, 60, 500, 10, 10):
                taken += 1
                yield [weight]

        for done, _ in enumerate(mapped(squares, counted())):
            assert taken <= done + 2 or done >= 3

    def test_workers_that_do_not_start_are_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(RuntimeError, match="did not start"):
            list(mapped(squares, batches(3)))

    def test_a_function_that_workers_cannot_find_is_an_error(self) -> None:
        with pytest.raises(RuntimeError, match="no_such_module"):
            list(mapped(NOWHERE, batches(3)))

    def test_an_error_says_where(self) -> None:
        with pytest.raises(RuntimeError, match=r"(?s)fails_at_three.*three is not wanted"):
            list(mapped(fails_at_three, batches(5)))

    def test_an_item_that_kills_its_worker_is_found(self) -> None:
        found = {
            n: r for b, rs in mapped(dies_of_seven, batches(8)) for n, r in zip(b, rs, strict=True)
        }
        assert found == {n: (None if n == 7 else n) for n in range(16)}

    def test_leaving_early_ends_the_workers(self) -> None:
        results = mapped(where, batches(30))
        _, pids = next(results)
        assert pids
        results.close()  # type: ignore[attr-defined] # it is a generator
        assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)


def test_one_core_has_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cores", lambda: 1)
    pids = {pid for _, found in mapped(where, batches(5)) for pid in found}
    assert len(pids) == 1
    assert os.getpid() not in pids
