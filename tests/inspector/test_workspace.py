"""What pages share: one snapshot, one log, one answer to one question, for many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from dagster import MetadataValue, TableRecord

from cv_pipeline.errors import ProvenanceError, QueryError
from cv_pipeline.inspector.data.asking import ask_when
from cv_pipeline.inspector.kept import Kept, weight


def test_what_is_kept_is_made_once_by_many_threads():
    kept: Kept[int] = Kept(2)
    made = []
    gate = threading.Event()

    def make() -> int:
        gate.wait(5)
        made.append(1)
        return len(made)

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(kept.get, "a", make) for _ in range(8)]
        gate.set()
        assert [a.result() for a in asked] == [1] * 8


def test_the_least_used_is_given_up_and_a_failure_is_not_kept():
    kept: Kept[str] = Kept(2)
    for key in "ab":
        kept.get(key, lambda key=key: key)
    kept.get("a", lambda: "again")
    kept.get("c", lambda: "c")
    assert kept.get("a", lambda: "new") == "a"
    assert kept.get("b", lambda: "new") == "new"
    with pytest.raises(ZeroDivisionError):
        kept.get("d", lambda: str(1 / 0))
    assert kept.get("d", lambda: "d") == "d"


def test_what_is_kept_takes_no_more_room_than_there_is():
    kept: Kept[np.ndarray] = Kept(100, room=10_000)
    for number in range(20):
        kept.get(number, lambda: np.zeros(4_000, np.uint8))
    assert [n for n in range(20) if n in kept] == [18, 19]
    kept.get("large", lambda: np.zeros(50_000, np.uint8))  # the newest one is kept whatever it is
    assert ("large" in kept, 19 in kept) == (True, False)


def test_a_thing_weighs_what_it_holds(inspected):
    ids = pa.array(["0" * 64] * 1_000)
    assert weight(ids) == ids.nbytes > 64_000
    assert weight(pa.table({"a": ids})) >= ids.nbytes
    assert weight([ids] * 1_000) > 999 * ids.nbytes  # the first of many stand for all
    assert weight({"a": (ids, b"x" * 5_000)}) > ids.nbytes + 5_000
    # what Dagster records lets nobody look through it, and is kept all the same
    record = MetadataValue.table([TableRecord({"a": 1})]).schema
    assert weight({"a": [record, ids]}) > ids.nbytes
    chosen = inspected().app.state.workspace.select("large", "all images")
    # its images, and not the lake that they were found in
    assert chosen.numbers.nbytes <= weight(chosen) < 200_000


def test_one_question_is_asked_once_of_one_state(inspected):
    workspace = inspected().app.state.workspace
    first = workspace.select("large", "metadata.scene = 'yard'")
    assert workspace.select("large", "metadata.scene = 'yard'") is first
    with pytest.raises(QueryError, match="colour"):
        workspace.select("large", "colour = 'red'")


def test_what_was_written_is_seen_at_once_however_slow_the_store(inspected, monkeypatch):
    monkeypatch.setattr("cv_pipeline.inspector.workspace.SLOW_SECONDS", 0.0)
    monkeypatch.setattr("cv_pipeline.inspector.workspace.FRESH_SECONDS", 600.0)
    client = inspected()
    workspace = client.app.state.workspace
    first = workspace.snapshot("large")
    opened = []

    def open_again(catalog, **_):
        opened.append(catalog)
        return first

    monkeypatch.setattr("cv_pipeline.inspector.workspace.open_snapshot", open_again)
    client.get("/p/large")
    assert not opened
    client.post("/api/v1/p/large/no-such-thing", json={})
    workspace.snapshot("large")
    assert len(opened) == 1


def test_a_question_about_results_is_asked_again_after_an_evaluation(inspected, monkeypatch):
    """The results of a model in a query are those of its newest evaluation."""
    workspace = inspected().app.state.workspace
    with workspace.log() as log:
        newest = log.latest("large/eval_slices")
    text = f"results('{newest.metadata['model']}', correct = false)"
    first = workspace.select("large", text)
    plain = workspace.select("large", "metadata.scene = 'yard'")
    assert workspace.select("large", text) is first
    later = replace(newest, storage_id=newest.storage_id + 1000)
    with workspace.log() as log:
        latest = log.latest
        monkeypatch.setattr(log, "latest", lambda k: later if k == newest.key else latest(k))
    assert workspace.select("large", text) is not first
    assert workspace.select("large", "metadata.scene = 'yard'") is plain


def test_queries_that_refer_to_evaluations_are_answered_side_by_side(inspected):
    """The index of the event log is one thread's at a time, and queries share it."""
    workspace = inspected().app.state.workspace
    with workspace.log() as log:
        models = [e.version for e in log.first_of_each_version("large/trained_model")][-2:]
        dataset = log.latest("large/dataset_version").version
    texts = [
        f"{kind}('{model}', score < 0.{n}) and dataset('{dataset}', split = 'test')"
        for kind in ("results",)
        for model in models
        for n in range(1, 9)
    ]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda t: len(workspace.select("large", t).numbers), texts))
    alone = [len(workspace.select("large", text).numbers) for text in texts]
    assert together == alone
    assert max(alone) > 0


@pytest.mark.parametrize(
    "text",
    [
        "dataset('other@1a2b3c4d')",
        "results('other@latest', correct = false)",
        "predictions('other@latest') >= 1",
    ],
)
def test_a_query_tells_nothing_of_another_project(inspected, text):
    workspace = inspected().app.state.workspace
    with pytest.raises(ProvenanceError, match="is not of project large"):
        workspace.select("large", text)


@pytest.mark.parametrize(
    "state",
    [
        {"as_of": "other@latest"},
        {"as_of": "other/AP50@latest"},
        {"as_of": "test/AP50@latest"},
        {"as_of": "AP50 >= 0.01", "q": "dataset('other@latest')"},
        {"as_of": "large@latest", "q": "results('other@latest', correct = false)"},
    ],
)
def test_the_lake_of_then_tells_nothing_of_another_project(inspected, state):
    answer = inspected().get("/api/v1/p/large/images/count", params=state).json()
    assert "is not of project large" in answer["problem"]["what"]


@pytest.mark.parametrize("ref", ["other@1a2b3c4d", "nothing", "@", "large@large@latest"])
def test_what_is_not_there_names_no_other_project(inspected, ref):
    workspace = inspected().app.state.workspace
    with pytest.raises(ProvenanceError) as error:
        workspace.evaluated("large", ref)
    assert "Known" not in error.value.do


@pytest.mark.parametrize("condition", ["other@latest", "other/AP50@latest"])
def test_the_question_of_a_metric_tells_nothing_of_another_project(inspected, condition):
    workspace = inspected().app.state.workspace
    job = ask_when(workspace, "large", condition=condition, tag="", actor="ada")
    job.wait(30)
    assert "is not of project large" in str(job.error)
