"""The metric-drift sensor on a real instance: evaluations in, run requests out."""

from __future__ import annotations

import dagster as dg
import pytest

from sensors import metric_drift_sensor

JOB = "demo_retraining"


@pytest.fixture
def tick(instance, projects):
    sensor = metric_drift_sensor("demo")

    def tick(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"projects": projects}
        ) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    return tick


def test_nothing_to_do_before_the_first_evaluation(tick):
    result = tick(None)
    assert not result.run_requests
    assert "no new evaluation" in result.skip_reason.skip_message


def test_a_drop_launches_one_retraining_with_a_new_seed(tick, record):
    record(0.80)
    bad = record(0.70)
    (request,) = tick(None).run_requests
    assert request.run_key == f"{bad}-1"
    assert request.run_config["ops"]["trained_model"]["config"] == {"seed": 7 + bad, "reuse": False}
    assert request.tags["cv_pipeline/reason"] == "metric_drift"
    assert "fell 12.5%" in request.tags["cv_pipeline/drift"]


def test_a_small_drop_does_not(tick, record):
    record(0.80)
    last = record(0.79)
    result = tick(None)
    assert not result.run_requests
    assert result.cursor == str(last)


def test_a_bad_evaluation_is_not_missed_when_a_better_one_follows_in_the_same_tick(tick, record):
    record(0.80)
    bad = record(0.60)
    record(0.80)
    (request,) = tick(None).run_requests
    assert request.run_key == f"{bad}-1"


def test_the_same_evaluation_recorded_again_is_no_news(tick, record, launch):
    """A nightly run on unchanged data records the old evaluation once more."""
    record(0.80)
    bad = record(0.60, version="bad")
    first = tick(None)
    launch(JOB, first.run_requests[0], dg.DagsterRunStatus.SUCCESS)
    record(0.82)
    record(0.60, version="bad")
    result = tick(str(bad))
    assert not result.run_requests


def test_a_slow_decline_is_caught_against_the_best(tick, record):
    for value in (0.80, 0.77, 0.75, 0.73):
        bad = record(value)
    result = tick(None)
    assert [r.run_key for r in result.run_requests] == [f"{bad}-1"]


def test_while_it_runs_nothing_more_is_launched_and_when_done_it_is_settled(
    tick, record, launch, instance
):
    record(0.80)
    bad = record(0.60)
    first = tick(None)
    run_id = launch(JOB, first.run_requests[0], dg.DagsterRunStatus.STARTED)
    second = tick(first.cursor)
    assert not second.run_requests
    assert "in progress" in second.skip_reason.skip_message
    instance.report_run_canceled(instance.get_run_by_id(run_id))  # it ended without a model
    third = tick(second.cursor)
    assert not third.run_requests  # the cooldown holds the next attempt back
    assert "cooldown" in third.skip_reason.skip_message
    assert int(third.cursor) < bad


def test_a_success_settles_the_evaluation(tick, record, launch):
    record(0.80)
    bad = record(0.60)
    first = tick(None)
    launch(JOB, first.run_requests[0], dg.DagsterRunStatus.SUCCESS)
    second = tick(first.cursor)
    assert not second.run_requests
    assert second.cursor == str(bad)


def test_after_three_failures_it_gives_up(tick, record, launch, edit):
    edit("cooldown_minutes: 60, daily_limit: 2", "cooldown_minutes: 0, daily_limit: 9")
    record(0.80)
    bad = record(0.60)
    cursor = None
    for attempt in (1, 2, 3):
        result = tick(cursor)
        assert result.run_requests[0].run_key == f"{bad}-{attempt}"
        launch(JOB, result.run_requests[0], dg.DagsterRunStatus.FAILURE)
        cursor = result.cursor
    last = tick(cursor)
    assert not last.run_requests
    assert last.cursor == str(bad)


def test_the_cooldown_holds_a_second_drift_back(tick, record, launch):
    record(0.80)
    record(0.60)
    first = tick(None)
    launch(JOB, first.run_requests[0], dg.DagsterRunStatus.SUCCESS)
    worse = record(0.50)
    result = tick(first.cursor)
    assert not result.run_requests
    assert "cooldown" in result.skip_reason.skip_message
    assert int(result.cursor) < worse  # looked at again when the cooldown is over


def test_the_daily_limit(tick, record, launch, edit):
    edit("cooldown_minutes: 60", "cooldown_minutes: 0")
    record(0.80)
    cursor = None
    for value in (0.60, 0.50):
        record(value)
        result = tick(cursor)
        launch(JOB, result.run_requests[0], dg.DagsterRunStatus.SUCCESS)
        cursor = result.cursor
    record(0.40)
    result = tick(cursor)
    assert not result.run_requests
    assert "daily limit of 2" in result.skip_reason.skip_message
