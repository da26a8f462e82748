"""With a real daemon: a bad evaluation is recorded, retraining runs, its lineage is right."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from cv_pipeline.provenance import EventLog
from tests.tiny_world import ROOT

WAIT_SECONDS = 200.0
DAEMON = (str(Path(sys.executable).with_name("dagster-daemon")),)


def test_a_bad_evaluation_leads_to_a_retrained_model(own_world, tmp_path):
    world = own_world
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        log = EventLog(instance)
        good = log.latest("tiny/eval_slices")
        assert good is not None
        for value in (0.9, 0.5):
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    ["tiny", "eval_slices"],
                    metadata={"AP50": value},
                    tags={"dagster/data_version": f"recorded-{value}"},
                )
            )
        bad = log.latest("tiny/eval_slices")
        assert bad is not None
        log_file = (tmp_path / "daemon.log").open("w")
        daemon = subprocess.Popen(
            [*DAEMON, "run", "-m", "cv_pipeline.definitions"],
            env=world.environment,
            cwd=ROOT,
            stdout=log_file,
            stderr=subprocess.STDOUT,
        )
        try:
            run = _wait_for_retraining(instance)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
            log_file.close()
        print((tmp_path / "daemon.log").read_text()[-4000:])
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert run.tags["cv_pipeline/cause"] == str(bad.storage_id)
        assert run.tags["cv_pipeline/reason"] == "metric_drift"
        evaluation = log.in_run("tiny/eval_slices", run.run_id)
        predictions = log.in_run("tiny/predictions", run.run_id)
        model = log.in_run("tiny/trained_model", run.run_id)
        assert evaluation is not None
        assert predictions is not None
        assert model is not None
        # the chain of exact events, evaluation → predictions → model → dataset, is this run's own
        read = evaluation.input("tiny/predictions")
        assert read is not None
        assert read.storage_id == predictions.storage_id
        trained = predictions.input("tiny/trained_model")
        assert trained is not None
        assert trained.storage_id == model.storage_id
        assert model.metadata["seed"] == bad.storage_id
        assert not model.metadata["reused"]


def _wait_for_retraining(instance: dg.DagsterInstance) -> dg.DagsterRun:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        runs = instance.get_runs(dg.RunsFilter(job_name="tiny_retraining"))
        finished = [r for r in runs if r.is_finished]
        if finished:
            return finished[0]
        time.sleep(1.0)
    raise AssertionError("no retraining finished in time")
