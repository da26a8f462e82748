"""eval_slices: metrics of the whole and of every slice, with the images behind them."""

import json
from dataclasses import asdict
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from assets.step import Step, metadata_table
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.evaluation.evaluation import evaluate
from cv_pipeline.evaluation.slices import worst_slices
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"
WORST = 10


class EvalSlicesConfig(dg.Config):
    """Which predictions to evaluate: a digest or prefix."""

    predictions: str | None = None


@dg.asset(deps=["predictions", "dataset_version"], code_version=CODE_VERSION, kinds={"parquet"})
def eval_slices(
    context: dg.AssetExecutionContext,
    config: EvalSlicesConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """Metrics on the test split, whole and by slice, and a row for every image.

    The dataset version is the one that the predictions were made on. The metric-drift sensor
    compares the numbers recorded here.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    predictions = step.inputs.read("predictions", version=config.predictions)
    dataset = step.inputs.follow(predictions, "dataset_version")
    dataset_folder = step.fetch("datasets", dataset.version, marker="dataset.json")
    described = json.loads((dataset_folder / "dataset.json").read_text())
    with step.scratch() as folder:
        made = evaluate(
            project=step.project,
            dataset=dataset_folder,
            predictions=step.fetch("predictions", predictions.version, marker="predictions.json"),
            metadata=current_metadata(
                step.catalog, version=described["table_versions"]["image_metadata"]
            ),
            folder=folder,
        )
        step.publish("evaluations", made.digest, folder, marker="evaluation.json")
    worst = worst_slices(made.slices, WORST, metric=step.project.metric, split=made.record.split)
    return step.result(
        made.digest,
        {
            **made.metrics,
            "metric": step.project.metric,
            "split": made.record.split,
            "notes": list(made.record.notes),
            "model": predictions.metadata["model"],
            "dataset": dataset.version,
            "slices": metadata_table(_of_all_classes(made.slices, step.project.metric)),
            "worst_slices": metadata_table(pa.Table.from_pylist([asdict(w) for w in worst])),
        },
    )


def _of_all_classes(slices: pa.Table, metric: str) -> pa.Table:
    wanted = pc.and_(pc.is_null(slices["label"]), pc.equal(slices["metric"], metric))
    return slices.filter(wanted).drop_columns(["label", "metric"])
