"""error_analysis: what is wrong, where and why, with charts and one page to read."""

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.pictures import keep_page
from cv_pipeline.catalog.schemas.activations import ACTIVATIONS
from cv_pipeline.errors import TrainingError
from cv_pipeline.evaluation import Evaluation, load_evaluation
from cv_pipeline.evaluation.error_analysis.activation import activation_slices, sample_images
from cv_pipeline.evaluation.error_analysis.analysis import MARKER, analyse_errors
from cv_pipeline.evaluation.error_analysis.mistakes import confident_mistakes, hardest_images
from cv_pipeline.provenance import Materialization
from cv_pipeline.provenance.evaluated import Evaluated, parent_of
from cv_pipeline.provenance.reports import report_page
from cv_pipeline.settings import cv_home
from cv_pipeline.storage.memo import Memo
from cv_pipeline.training import ActivationSpec, execution_environment, run_explanation
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"
SHOWN = 20


class ErrorAnalysisConfig(dg.Config):
    """Which evaluation to analyse: a digest or prefix."""

    eval_slices: str | None = None


@dg.asset(
    deps=["eval_slices", "predictions", "dataset_version"],
    code_version=CODE_VERSION,
    kinds={"parquet", "html"},
    pool="training",
)
@reporting
def error_analysis(
    context: dg.AssetExecutionContext,
    config: ErrorAnalysisConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """Kinds of error and their cost, hardest images, likely label errors, where the model looks.

    The folder holds them as tables and charts. One self-contained page tells it all; it lies apart,
    with the pictures, for it goes when one of its images is taken out.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    event = step.inputs.read("eval_slices", version=config.eval_slices)
    predictions = step.inputs.follow(event, "predictions")
    dataset = step.inputs.follow(event, "dataset_version")
    model = parent_of(step.inputs.log, predictions, "trained_model")
    evaluation = load_evaluation(step.fetch("evaluations", event.version, marker="evaluation.json"))
    said = step.fetch("predictions", predictions.version, marker="predictions.json")
    activations, notes = _activations(
        step, evaluation, model=model, dataset=dataset, store_url=object_store.url
    )
    with step.scratch() as folder:
        made = analyse_errors(
            evaluation,
            pq.read_table(said / "predictions.parquet"),
            activations=activations,
            activation_slices=activation_slices(
                activations,
                current_metadata(step.catalog, version=table_versions(dataset)["image_metadata"]),
                keys=step.project.evaluation.slices,
            ),
            notes=notes,
            folder=folder,
        )
        step.publish("error_analyses", made.digest, folder, marker=MARKER)
    evaluated = Evaluated(
        event=event,
        predictions=predictions,
        model=model,
        dataset=dataset,
        store=step.store,
        cache=cv_home() / "cache",
    )
    page = None
    while page is None:  # an image on it may be taken out meanwhile, and is not on the next
        html, images = report_page(
            project=step.project, evaluated=evaluated, analysis=made, log=step.inputs.log
        )
        # it holds pixels, and must go when one of its images is taken out
        page = keep_page(step.store, step.project.name, html, images, name=event.version)
    key = f"{step.store.url}/{step.key('error_analyses', made.digest)}"
    split = evaluation.record.split
    return step.result(
        made.digest,
        {
            "evaluation": event.version,
            "model": model.version,
            "dataset": dataset.version,
            "report": dg.MetadataValue.path(f"{step.store.url}/{page}"),
            "charts": {name: f"{key}/{name}" for name in made.record.charts},
            "errors": {kind: t.model_dump() for kind, t in evaluation.record.errors.items()},
            "likely_label_errors": len(made.label_errors),
            "label_errors": metadata_table(made.label_errors),
            "hardest_images": metadata_table(
                hardest_images(evaluation.per_image, split=split, n=SHOWN)
            ),
            "confident_mistakes": metadata_table(
                confident_mistakes(evaluation.matches, split=split, n=SHOWN)
            ),
            "activation": metadata_table(made.activation_slices),
            "notes": list(made.record.notes),
        },
    )


def _activations(
    step: Step,
    evaluation: Evaluation,
    *,
    model: Materialization,
    dataset: Materialization,
    store_url: str,
) -> tuple[pa.Table, tuple[str, ...]]:
    """Activation shares on a sample of images: schema ACTIVATIONS, and why there are none."""
    wanted = step.project.evaluation.activation_images
    if wanted == 0 or step.project.task != "detection":
        return ACTIVATIONS.empty_table(), ()
    split = evaluation.record.split
    gone = step.taken_out(dataset, ("train", "val", "test"))
    images = sample_images(evaluation.per_image, split=split, n=wanted, gone=gone)
    recipe = {
        "model": model.version,
        "dataset": dataset.version,
        "images": images,
        "code_version": CODE_VERSION,
        "environment": execution_environment(),
    }
    memo = Memo(step.store, project=step.project.name, stage="activations")
    known = memo.get(recipe)
    if known is None:
        try:
            rows = _explained(step, images, split, model=model, dataset=dataset, url=store_url)
        except TrainingError as error:
            # a model that cannot be explained can still be analysed
            return ACTIVATIONS.empty_table(), (f"No class-activation maps: {error.what}",)
        known = {"rows": rows.to_pylist()}
        memo.put(recipe, known)
    return pa.Table.from_pylist(known["rows"], schema=ACTIVATIONS), ()


def _explained(
    step: Step,
    images: list[str],
    split: str,
    *,
    model: Materialization,
    dataset: Materialization,
    url: str,
) -> pa.Table:
    with step.scratch() as folder:
        spec = ActivationSpec.model_validate(
            {
                "model": step.fetch("models", model.version, marker="model.json"),
                "dataset": step.fetch("datasets", dataset.version, marker="dataset.json"),
                "images": images,
                "split": split,
                "store_url": url,
                "out": Path(folder) / "activations.parquet",
            }
        )
        run_explanation(spec, log=step.log.info)
        return pq.read_table(spec.out)
