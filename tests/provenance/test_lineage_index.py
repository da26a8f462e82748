"""The index answers as a scan of the whole log does, also while the log grows."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cv_pipeline.provenance import EventLog, Materialization, lineage_index
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.trace import Trace, flatten, trace_down, trace_event
from tests.provenance.recorded_world import report

# an asset and those that it may read, as in the pipeline: with ways round
PARENTS = {
    "raw_images": (),
    "image_features": ("raw_images",),
    "dataset_version": ("image_features", "raw_images"),
    "trained_model": ("dataset_version",),
    "predictions": ("trained_model", "dataset_version"),
    "eval_slices": ("predictions", "dataset_version"),
}


def scan(log: list[Materialization], key: str, version: str) -> list[Materialization]:
    """The children of a version by the plainest of scans."""
    found: dict[tuple[str, str], Materialization] = {}
    for event in log:
        read = event.input(key)
        if read is not None and read.version == version:
            found[event.key, event.version] = event
    return list(found.values())


def scan_below(log: list[Materialization], key: str, version: str) -> set[tuple[str, str]]:
    """Every version below a version, likewise."""
    below = set()
    for event in scan(log, key, version):
        below |= {(event.key, event.version)} | scan_below(log, event.key, event.version)
    return below


def shown(traces: list[Trace]) -> set[tuple[str, str]]:
    return {(node.key, node.version) for node in flatten(traces)}


chance = st.randoms(use_true_random=False)
step = st.tuples(st.sampled_from(list(PARENTS)), st.integers(0, 2), chance)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(step, min_size=5, max_size=16), pause=st.integers(0, 15))
def test_it_answers_as_a_scan(instance, steps, pause):
    """Runs interleave, versions come again, and what is read is not always the newest."""
    project = f"p{uuid.uuid4().hex}"  # one instance for all examples: making one takes a second
    log, grown = EventLog(instance), LineageIndex(instance)
    made: dict[str, list[Materialization]] = {asset: [] for asset in PARENTS}
    for number, (asset, content, random) in enumerate(steps):
        read = [random.choice(made[p]) for p in PARENTS[asset] if made[p]]
        made[asset].append(report(instance, asset, f"{asset}-{content}", read, project=project))
        if number == pause:  # it has seen a part, and catches up later
            trace_down(grown, made[asset][-1])
    grown.catch_up()
    events = [event for key in log.asset_keys(project) for event in log.oldest_first(key)]
    for index in (grown, LineageIndex(instance)):
        for event in events:
            key, version = event.key, event.version
            assert list(index.children(key, version)) == scan(events, key, version)
            assert shown(trace_down(index, event)) == scan_below(events, key, version)
            assert index.event(key, event.storage_id) == event
            assert index.first_of_version(key, version) == log.first_of_version(key, version)


def test_what_happens_after_a_question_is_seen_after_the_next_catch_up(instance):
    index = LineageIndex(instance)
    dataset = report(instance, "dataset_version", "d", [])
    assert not index.children("p/dataset_version", "d")
    model = report(instance, "trained_model", "m", [dataset])
    assert not index.children("p/dataset_version", "d")
    index.catch_up()
    assert list(index.children("p/dataset_version", "d")) == [model]
    assert index.latest("p/trained_model") == model


def test_only_what_is_new_is_read_again(instance, monkeypatch):
    asked = []

    def counted(records_filter, **options):
        asked.append(records_filter.after_storage_id)
        return fetch(records_filter, **options)

    dataset = report(instance, "dataset_version", "d", [])
    fetch = instance.fetch_materializations
    monkeypatch.setattr(instance, "fetch_materializations", counted)
    monkeypatch.setattr(lineage_index, "SETTLED", timedelta(0))
    index = LineageIndex(instance)
    assert index.latest("p/dataset_version") == dataset
    assert index.latest("p/dataset_version") == dataset
    index.catch_up()
    assert index.latest("p/dataset_version") == dataset
    assert asked == [None, dataset.storage_id]


def test_a_late_commit_of_a_smaller_id_is_not_missed(instance, monkeypatch):
    """Two writers: the one with the smaller id commits after the index has read the other."""
    first = report(instance, "dataset_version", "first", [])
    second = report(instance, "dataset_version", "second", [])
    fetch = instance.fetch_materializations

    def without_the_first(records_filter, **options):
        page = fetch(records_filter, **options)
        records = [r for r in page.records if r.storage_id != first.storage_id]
        return type(page)(records, cursor=page.cursor, has_more=page.has_more)

    index = LineageIndex(instance)
    with monkeypatch.context() as uncommitted:
        uncommitted.setattr(instance, "fetch_materializations", without_the_first)
        assert list(index.oldest_first("p/dataset_version")) == [second]
    index.catch_up()
    assert list(index.oldest_first("p/dataset_version")) == [first, second]


def test_a_dataset_that_many_models_share_is_no_large_tree(instance):
    dataset = report(instance, "dataset_version", "d", [])
    for n in range(12):
        model = report(instance, "trained_model", f"m{n}", [dataset])
        made = report(instance, "predictions", f"p{n}", [model, dataset])
        report(instance, "eval_slices", f"e{n}", [made, dataset])

    def size(traces) -> int:
        return sum(1 + size(t.down) for t in traces)

    found = trace_event(LineageIndex(instance), dataset)
    assert [t.node.kind for t in found.down] == ["model"] * 12
    assert size(found.down) == 36


def test_predictions_on_another_dataset_are_below_both(instance):
    first, second = (report(instance, "dataset_version", d, []) for d in "ab")
    model = report(instance, "trained_model", "m", [first])
    made = report(instance, "predictions", "p", [model, second])
    report(instance, "eval_slices", "e", [made, second])
    index = LineageIndex(instance)
    assert [t.node.kind for t in trace_down(index, first)] == ["model"]
    assert [t.node.kind for t in trace_down(index, second)] == ["predictions"]


def test_content_that_comes_of_itself_again_ends_the_descent(instance):
    raw = report(instance, "raw_images", "r", [])
    features = report(instance, "image_features", "f", [raw])
    report(instance, "raw_images", "r", [features])
    index = LineageIndex(instance)
    found = trace_down(index, raw)
    assert [(n.kind, n.version) for n in flatten(found)] == [("features", "f"), ("images", "r")]


@pytest.mark.parametrize("project", ["q", "p/x"])
def test_an_unknown_project_has_nothing(instance, project):
    report(instance, "dataset_version", "d", [])
    index = LineageIndex(instance)
    assert index.asset_keys(project) == []
    assert list(index.children(f"{project}/dataset_version", "d")) == []
    assert index.latest(f"{project}/dataset_version") is None
