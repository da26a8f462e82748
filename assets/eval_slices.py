"""eval_slices: metrics of the whole and of every slice, with the images behind them."""

from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.evaluation import Evaluation, evaluate, load_evaluation
from cv_pipeline.evaluation.slicing.lake import known_images
from cv_pipeline.evaluation.slicing.words import short_query
from cv_pipeline.provenance import pinned
from resources import ObjectStoreResource, Projects

CODE_VERSION = "3"


class EvalSlicesConfig(dg.Config):
    """Which predictions to evaluate: a digest or prefix."""

    predictions: str | None = None


@dg.asset(deps=["predictions", "dataset_version"], code_version=CODE_VERSION, kinds={"parquet"})
@reporting
def eval_slices(
    context: dg.AssetExecutionContext,
    config: EvalSlicesConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """Metrics on the test split, whole and by slice, the worst slices, and a row for every image.

    The dataset version is the one that the predictions were made on. The metric-drift sensor
    compares the numbers recorded here.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    predictions = step.inputs.read("predictions", version=config.predictions)
    dataset = step.inputs.follow(predictions, "dataset_version")
    dataset_folder = step.fetch("datasets", dataset.version, marker="dataset.json")
    versions = table_versions(dataset)
    with step.scratch() as folder:
        made = evaluate(
            project=step.project,
            dataset=dataset_folder,
            predictions=step.fetch("predictions", predictions.version, marker="predictions.json"),
            metadata=current_metadata(step.catalog, version=versions["image_metadata"]),
            folder=folder,
            known=known_images(
                step.project, step.catalog, dataset=dataset_folder, table_versions=versions
            ),
        )
        step.publish("evaluations", made.digest, folder, marker="evaluation.json")
    return step.result(
        made.digest,
        {
            **made.metrics,
            "metric": step.project.metric,
            "split": made.record.split,
            "intervals": {m: vars(i) for m, i in made.record.intervals.items()},
            "calibration": _calibration(made),
            "errors": {kind: t.model_dump() for kind, t in made.record.errors.items()},
            "notes": list(made.record.notes),
            "model": predictions.metadata["model"],
            "dataset": dataset.version,
            "slices": metadata_table(_of_all_classes(made)),
            "worst_slices": metadata_table(_worst(made)),
            "worst_slices_in_words": made.worst_slices["sentence"].to_pylist(),
            "gap": list(made.record.gap.reading),
            "errors_by_split": metadata_table(
                pa.Table.from_pylist([e.model_dump() for e in made.record.gap.errors])
            ),
            "suspicions": [s.model_dump() for s in made.record.suspicions],
        },
    )


@dg.asset_check(
    asset="eval_slices",
    name="too_good_to_be_true",
    description="No result looks like a leak or a giveaway from the outside.",
)
@reporting
def too_good_to_be_true(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.AssetCheckResult:
    """What the evaluation suspects, each with the checks that follow from it; it stops nothing."""
    key = next(iter(context.selected_asset_check_keys)).asset_key
    step = Step(context, projects=projects, object_store=object_store, project=key.path[0])
    evaluated = step.inputs.read("eval_slices")
    folder = step.fetch("evaluations", evaluated.version, marker="evaluation.json")
    suspicions = load_evaluation(folder).record.suspicions
    told = " ".join(s.sentence for s in suspicions) or "Nothing is too good to be true."
    step.log.info(told)
    result = dg.AssetCheckResult(
        passed=not suspicions,
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={"suspicions": [s.model_dump() for s in suspicions]},
    )
    return pinned(result, evaluated)


def _calibration(made: Evaluation) -> dict[str, Any]:
    """How far scores can be believed, without the bars of the diagrams."""
    report = made.record.calibration
    bars = {"as_predicted": {"reliability"}, "tempered": {"reliability"}}
    return report.model_dump(mode="json", exclude=bars) if report else {}


def _worst(made: Evaluation) -> pa.Table:
    """The worst slices without long lists of ids, which would fill the event log for good."""
    rows = made.worst_slices.drop_columns(["sentence"])
    queries = pa.array([short_query(q) for q in rows["query"].to_pylist()], pa.string())
    return rows.set_column(rows.schema.get_field_index("query"), "query", queries)


def _of_all_classes(made: Evaluation) -> pa.Table:
    """The optimizing metric on the headline split and its slices, all classes together."""
    rows = made.slices.filter(
        (pc.field("split") == made.record.split)
        & (pc.field("metric") == made.record.metric)
        & pc.field("label").is_null()
    )
    return rows.drop_columns(["split", "label", "metric"])
