"""predictions: what a model says of the held-out images of a dataset version."""

from typing import Any

import dagster as dg

from assets.step import Step, reporting
from cv_pipeline.datasets.training_sample import training_sample
from cv_pipeline.project import SplitName
from cv_pipeline.provenance import Materialization
from cv_pipeline.storage.memo import Memo
from cv_pipeline.training import (
    PredictionSpec,
    execution_environment,
    run_prediction,
    speed_facts,
)
from resources import ObjectStoreResource, Projects

CODE_VERSION = "3"
SPLITS: tuple[SplitName, ...] = ("val", "test")


class PredictionsConfig(dg.Config):
    """Which model, and on which dataset version: digests or prefixes.

    Without a dataset version it is the one that this run made, or the one that the model was
    trained on: the test split of another one may hold images that the model has seen.
    """

    trained_model: str | None = None
    dataset_version: str | None = None


@dg.asset(
    deps=["trained_model", "dataset_version"],
    code_version=CODE_VERSION,
    kinds={"pytorch", "parquet"},
    pool="training",
)
@reporting
def predictions(
    context: dg.AssetExecutionContext,
    config: PredictionsConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """The model's predictions on the validation and test splits, image by image, with scores.

    A sample of the training split is predicted too, to tell bias from variance. Those of a model
    that was trained on folds are on the test split alone.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    model = step.inputs.read("trained_model", version=config.trained_model)
    dataset = step.inputs.read("dataset_version", version=config.dataset_version, made_with=model)
    made = predicted(step, model=model, dataset=dataset, store_url=object_store.url)
    return step.result(made["digest"], {**made, "model": model.version, "dataset": dataset.version})


def predicted(
    step: Step, *, model: Materialization, dataset: Materialization, store_url: str
) -> dict[str, Any]:
    """Publish a model's predictions on a dataset version, unless they are known already.

    Returns:
        Metadata of the predictions, their ``digest`` among them.
    """
    # a model of one fold was trained on images of the val split
    splits = SPLITS if model.metadata.get("fold") is None else ("test",)
    version = step.fetch("datasets", dataset.version, marker="dataset.json")
    train_images, outside = (
        training_sample(version, step.project.evaluation.train_images)
        if splits == SPLITS
        else (0, frozenset[str]())
    )
    of_train: tuple[SplitName, ...] = ("train",) if train_images else ()
    gone = tuple(i for i in step.taken_out(dataset, (*splits, *of_train)) if i not in outside)
    skipped = {"taken_out": len(gone), "left_out": list(gone)} if gone else {}
    recipe = {
        "model": model.version,
        "dataset": dataset.version,
        "splits": splits,
        "code_version": CODE_VERSION,
        "environment": execution_environment(),
        "train_images": train_images,
        # what was taken out since is left out, and gives other predictions
        **({"taken_out": gone} if gone else {}),
    }
    memo = Memo(step.store, project=step.project.name, stage="predictions")
    known = memo.get(recipe)
    if known is None:
        with step.scratch() as folder:
            spec = PredictionSpec(
                task=step.project.task,
                model=step.fetch("models", model.version, marker="model.json"),
                model_digest=model.version,
                dataset=version,
                dataset_digest=dataset.version,
                taken_out=gone,
                store_url=store_url,
                splits=splits,
                train_images=train_images,
                out=folder / "predictions",
            )
            report = run_prediction(spec, log=step.log.info)
            step.publish("predictions", report.digest, spec.out, marker="predictions.json")
        known = {
            "digest": report.digest,
            "dagster/row_count": report.rows,
            "images": report.images,
            **skipped,
            "seconds": report.seconds,
            **speed_facts(report),
        }
        memo.put(recipe, known)
    return known
