"""Work in the background is done once, told how far it is, and tried again after a failure."""

from __future__ import annotations

import threading

import pytest

from cv_pipeline.actor import acting_as
from cv_pipeline.errors import DatasetError
from cv_pipeline.inspector import jobs
from cv_pipeline.inspector.jobs import Busy, Jobs, JobState, Progress


def test_work_is_done_once_however_many_ask() -> None:
    done = []
    gate = threading.Event()

    def work(tell: Progress) -> str:
        tell(0.4)
        gate.wait(5)
        done.append(1)
        return "result"

    pool = Jobs()
    first = pool.ask("key", work, wait=0.05)
    assert (first.state, first.share, first.result) == ("running", 0.4, None)
    assert JobState.of(first).state == "running"
    gate.set()
    again = pool.ask("key", work, wait=5)
    assert again is first
    assert (again.state, again.share, again.result, done) == ("done", 1.0, "result", [1])


def test_a_failure_says_why_and_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fails(_: Progress) -> None:
        calls.append(1)
        raise DatasetError("It is gone.", do="Bring it back.")

    pool = Jobs()
    state = JobState.of(pool.ask("key", fails, wait=5))
    assert (state.state, state.error, state.do) == ("failed", "It is gone.", "Bring it back.")
    pool.ask("key", fails, wait=5)
    assert len(calls) == 1  # pages that ask again and again do not start it each time
    monkeypatch.setattr(jobs, "RETRY_SECONDS", 0.0)
    pool.ask("key", fails, wait=5)
    assert len(calls) == 2


def test_one_person_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "WAITING_OF_ONE", 2)
    gate = threading.Event()
    pool = Jobs()
    with acting_as("eve"):
        for key in ("a", "b"):
            pool.ask(key, lambda _: gate.wait(5), wait=0)
        with pytest.raises(Busy, match="of yours, 2"):
            pool.ask("c", lambda _: gate.wait(5), wait=0)
    with acting_as("ada"):
        asked = pool.ask("c", lambda _: gate.wait(5), wait=0)
    gate.set()
    asked.wait(5)
    assert asked.state == "done"


def test_not_everything_is_taken_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "WAITING", 2)
    gate = threading.Event()
    pool = Jobs()
    for key in ("a", "b"):
        pool.ask(key, lambda _: gate.wait(5), wait=0)
    with pytest.raises(Busy, match="2 comparisons"):
        pool.ask("c", lambda _: gate.wait(5), wait=0)
    pool.ask("a", lambda _: gate.wait(5), wait=0)  # what is under way can be asked after
    gate.set()
    assert pool.ask("b", lambda _: True, wait=5).state == "done"
    assert pool.ask("c", lambda _: True, wait=5).result is True
