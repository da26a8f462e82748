"""The correction and the seed that a training keeps, when runs come between each other."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from assets.trained_model import TrainedModelConfig, _kept, _seed
from cv_pipeline.project import Training
from cv_pipeline.provenance import Inputs


def test_a_correction_does_not_leak_into_a_run_that_began_before_it(tmp_path: Path) -> None:
    """While run A trains nothing yet, run B makes a corrected model of the same dataset."""
    own = Training(model="fcos_resnet18", input_size=(48, 64), epochs=9)
    mine, others = "a" * 64, "b" * 64
    kept: dict[str, Any] = {}
    waiting = [lambda: run(corrective=others)]

    @dg.asset(key_prefix="tiny")
    def trained_model(
        context: dg.AssetExecutionContext, config: TrainedModelConfig
    ) -> dg.MaterializeResult[Any]:
        while waiting and config.corrective is None:
            waiting.pop()()
        inputs = Inputs(instance=context.instance, run=context.run, project="tiny")
        step: Any = SimpleNamespace(inputs=inputs, project=SimpleNamespace(training=own))
        found = _kept(step, config, "d" * 64)
        digest = found.metadata["corrective"] if found else config.corrective
        kept[context.run.run_id] = (digest, _seed(step, "d" * 64))
        metadata = {
            "dataset": "d" * 64,
            "corrective": digest,
            "seed": config.seed or 0,
            "project_seed": own.seed,
            "project_training": own.model_dump(mode="json"),
        }
        return dg.MaterializeResult(data_version=dg.DataVersion("m" * 64), metadata=metadata)

    def run(**config: Any) -> str:
        ops = {"tiny__trained_model": {"config": config}}
        done = dg.materialize([trained_model], instance=instance, run_config={"ops": ops})
        return done.run_id

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        seventh = run(corrective=mine, seed=7)
        interrupted = run()  # B, corrected by others, comes while it runs
        later = run()
    assert kept[seventh] == (mine, own.seed)
    assert kept[interrupted] == (mine, 7)
    [between] = [v for k, v in kept.items() if k not in (seventh, interrupted, later)]
    assert between == (others, 7)
    assert kept[later] == (mine, 0)  # of the newest model, which is that of the interrupted run
