"""The provenance contract, line by line, on a real Dagster instance."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance import EventLog, Materialization

Run = Callable[..., dg.ExecuteInProcessResult]


def newest(log: EventLog, asset: str) -> Materialization:
    event = log.latest(f"p/{asset}")
    assert event is not None
    return event


def read_by(event: Materialization, asset: str) -> tuple[str, int]:
    pointer = event.input(f"p/{asset}")
    assert pointer is not None
    return pointer.version, pointer.storage_id


def test_a_step_names_the_exact_version_and_event_that_it_read(materialize: Run, log: EventLog):
    materialize()
    dataset, model = newest(log, "dataset_version"), newest(log, "trained_model")
    assert read_by(model, "dataset_version") == (dataset.version, dataset.storage_id)
    assert read_by(newest(log, "predictions"), "trained_model")[1] == model.storage_id


def test_of_two_interleaved_runs_each_reads_what_it_made(materialize: Run, log: EventLog, world):
    """Between two steps of run A, the whole of run B happens: A must not see any of it."""

    def run_b() -> None:
        world.between = lambda: None
        world.content = "second"
        assert materialize().success

    world.between = run_b
    run_a = materialize()
    run_id = run_a.run_id
    model = log.in_run("p/trained_model", run_id)
    predictions = log.in_run("p/predictions", run_id)
    evaluation = log.in_run("p/eval_slices", run_id)
    dataset = log.in_run("p/dataset_version", run_id)
    assert None not in (model, predictions, evaluation, dataset)
    assert model.storage_id < newest(log, "eval_slices").storage_id  # B did come between
    latest_model_before = next(
        e.storage_id
        for e in log.newest_first("p/trained_model")
        if e.storage_id < predictions.storage_id
    )
    assert latest_model_before != model.storage_id  # "the latest" would have been B's
    assert read_by(predictions, "trained_model") == (model.version, model.storage_id)
    assert read_by(predictions, "dataset_version") == (dataset.version, dataset.storage_id)
    assert read_by(evaluation, "predictions")[1] == predictions.storage_id
    assert read_by(evaluation, "dataset_version")[1] == dataset.storage_id


def test_an_older_dataset_version_by_configuration(materialize: Run, log: EventLog, world):
    materialize()
    old = newest(log, "dataset_version")
    world.content = "second"
    materialize("dataset_version")
    assert newest(log, "dataset_version").version != old.version
    materialize(
        "trained_model",
        "pause",
        "predictions",
        "eval_slices",
        trained_model={"dataset_version": old.version[:10]},
    )
    for asset in ("trained_model", "predictions", "eval_slices"):
        assert read_by(newest(log, asset), "dataset_version") == (old.version, old.storage_id)


def test_without_configuration_the_latest_is_read(materialize: Run, log: EventLog, world):
    materialize()
    world.content = "second"
    materialize("dataset_version")
    materialize("trained_model")
    latest = newest(log, "dataset_version")
    assert read_by(newest(log, "trained_model"), "dataset_version")[1] == latest.storage_id


def test_a_step_run_alone_follows_the_dataset_of_the_predictions(
    materialize: Run, log: EventLog, world
):
    materialize()
    first = newest(log, "dataset_version")
    world.content = "second"
    materialize("dataset_version")
    materialize("eval_slices")
    assert read_by(newest(log, "eval_slices"), "dataset_version")[1] == first.storage_id


def test_making_and_configuring_another_version_in_one_run_is_refused(
    materialize: Run, log: EventLog, world
):
    materialize()
    old = newest(log, "dataset_version")
    world.content = "second"
    with pytest.raises(ProvenanceError, match="is configured to read version"):
        materialize(trained_model={"dataset_version": old.version})


def test_an_unknown_version_and_a_missing_parent_say_what_to_do(materialize: Run, log: EventLog):
    with pytest.raises(ProvenanceError, match=r"was never materialized.*dagster asset materialize"):
        materialize("trained_model")
    materialize("dataset_version")
    with pytest.raises(ProvenanceError, match="No materialization of p/dataset_version"):
        materialize("trained_model", trained_model={"dataset_version": "ffff"})


def test_a_re_execution_reads_what_the_original_run_read(
    materialize: Run, log: EventLog, instance: dg.DagsterInstance, world
):
    """Re-executing one step of run A after run B gives A's inputs, not B's."""
    from cv_pipeline.provenance import Inputs

    run_a = materialize()
    world.content = "second"
    materialize()
    again = instance.create_run_for_job(
        _trivial_job(),
        parent_run_id=run_a.run_id,
        root_run_id=run_a.run_id,
        tags={"dagster/parent_run_id": run_a.run_id, "dagster/root_run_id": run_a.run_id},
    )
    inputs = Inputs(instance=instance, run=again, project="p")
    assert inputs.read("trained_model") == log.in_run("p/trained_model", run_a.run_id)


def test_what_was_there_before_is_not_what_another_run_made_since(
    materialize: Run, log: EventLog, instance: dg.DagsterInstance, world
):
    """Nor is it for the run that repeats one, however much later."""
    from cv_pipeline.provenance import Inputs

    def before(run_id: str) -> Materialization | None:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return Inputs(instance=instance, run=run, project="p").before("trained_model")

    first = materialize().run_id
    assert before(first) is None
    second = instance.create_run_for_job(_trivial_job(), parent_run_id=first, root_run_id=first)
    waiting = [materialize]
    world.between = lambda: waiting.pop()() if waiting else None
    third = materialize().run_id
    [fourth] = {e.run_id for e in log.newest_first("p/trained_model")} - {first, third}
    model = log.in_run("p/trained_model", first)
    assert before(third) == model != newest(log, "trained_model")
    assert before(fourth) == log.in_run("p/trained_model", third)  # which had made it by then
    assert before(second.run_id) is None


def _trivial_job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def trivial() -> None:
        nothing()

    return trivial
