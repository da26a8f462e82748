"""The gate asks for a passing verdict on the very candidate, on a real Dagster instance."""

import dagster as dg
import pytest

from cv_pipeline.errors import GateRefused
from cv_pipeline.provenance import EventLog, Inputs, pinned, require_passing, verdicts_on


@pytest.fixture
def run(instance, world):
    """Run the tiny candidate and its check; the world says whether the check passes."""

    @dg.asset(key_prefix="p", code_version="1")
    def dataset_candidate() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion(world.content))

    @dg.asset(key_prefix="p", deps=[dataset_candidate])
    def pause() -> None:
        world.between()

    @dg.multi_asset_check(
        specs=[dg.AssetCheckSpec("clean", asset=dataset_candidate, additional_deps=[pause])]
    )
    def checks(context: dg.AssetCheckExecutionContext):
        inputs = Inputs(instance=context.instance, run=context.run, project="p")
        candidate = inputs.read("dataset_candidate")
        result = dg.AssetCheckResult(
            passed="bad" not in candidate.version,
            severity=dg.AssetCheckSeverity.WARN
            if "warn" in candidate.version
            else dg.AssetCheckSeverity.ERROR,
            description=f"looked at {candidate.version}",
        )
        yield pinned(result, candidate)

    def go(*, with_check: bool = True) -> dg.ExecuteInProcessResult:
        with_checks = [dataset_candidate, pause, checks]
        return dg.materialize(
            with_checks if with_check else [dataset_candidate, pause],
            instance=instance,
            raise_on_error=False,
        )

    return go


def candidate_of(instance, run_id=None):
    log = EventLog(instance)
    event = log.in_run("p/dataset_candidate", run_id) if run_id else None
    return event or log.latest("p/dataset_candidate")


def test_a_passing_verdict_opens_the_gate(run, instance, world):
    world.content = "good"
    run()
    candidate = candidate_of(instance)
    verdicts = verdicts_on(instance, candidate, ["clean"])
    assert [v.passed for v in verdicts] == [True]
    require_passing(candidate, verdicts)


def test_a_failed_verdict_refuses_with_its_reason(run, instance, world):
    world.content = "bad"
    run()
    candidate = candidate_of(instance)
    with pytest.raises(GateRefused, match=r"1 of 1 checks did not pass\.\n  clean: looked at bad"):
        require_passing(candidate, verdicts_on(instance, candidate, ["clean"]))


def test_a_failed_warning_does_not_refuse(run, instance, world):
    world.content = "bad, but only a warning: warn"
    run()
    candidate = candidate_of(instance)
    verdicts = verdicts_on(instance, candidate, ["clean"])
    assert not verdicts[0].passed
    require_passing(candidate, verdicts)


def test_a_missing_verdict_is_a_failure(run, instance, world):
    world.content = "good"
    run()
    run(with_check=False)  # the same content, but this very materialization was never checked
    candidate = candidate_of(instance)
    with pytest.raises(GateRefused, match="never run on this candidate"):
        require_passing(candidate, verdicts_on(instance, candidate, ["clean"]))


def test_interleaved_runs_judge_each_its_own_candidate(run, instance, world):
    """Run B happens between run A's candidate and run A's check."""

    def run_b() -> None:
        world.between = lambda: None
        world.content = "good"
        assert run().success

    world.content = "bad"
    world.between = run_b
    run_a = run()
    bad = candidate_of(instance, run_a.run_id)
    good = candidate_of(instance)
    assert (bad.version, good.version) == ("bad", "good")
    assert not verdicts_on(instance, bad, ["clean"])[0].passed
    assert verdicts_on(instance, good, ["clean"])[0].passed


def test_an_old_verdict_is_found_behind_many_newer_ones(run, instance, world, monkeypatch):
    monkeypatch.setattr("cv_pipeline.provenance.verdicts.PAGE", 2)
    world.content = "bad"
    run()
    old = candidate_of(instance)
    world.content = "good"
    for _ in range(4):
        run()
    assert [v.summary for v in verdicts_on(instance, old, ["clean"])] == ["looked at bad"]
    assert verdicts_on(instance, candidate_of(instance), ["clean"])[0].passed
