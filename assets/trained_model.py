"""trained_model: a model trained on exactly one dataset version."""

from pathlib import Path
from typing import Any

import dagster as dg

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.correction import CorrectiveRecord, read_corrective, selected_images
from cv_pipeline.datasets.splitting.folds import folds_of
from cv_pipeline.datasets.version import load_version
from cv_pipeline.monitoring.epoch_drop import epoch_drops, summarize_drops
from cv_pipeline.provenance import Materialization, pinned
from cv_pipeline.storage.memo import Memo
from cv_pipeline.training import (
    Emphasis,
    FoldParts,
    ModelCard,
    TrainingSpec,
    check_normalisation,
    execution_environment,
    read_model_card,
    run_training,
)
from cv_pipeline.training.epoch_results import read_epochs, worse_images
from resources import ObjectStoreResource, Projects, Tracking

CODE_VERSION = "1"


class TrainedModelConfig(dg.Config):
    """Which dataset version to train on, and how.

    ``dataset_version`` is a digest or prefix; without it, the one that this run made or the
    latest. ``seed`` replaces the project's, or that of the newest model of this dataset. ``reuse``
    takes the model of an earlier, identical training, for it would give the same weights. ``fold``
    validates on one fold of the dataset version and trains on the others, or by time on the earlier
    ones; without it the train and val splits are used. ``corrective`` is the digest of a corrective
    record, which then says the parameters and the seed; without it, that of the model that was the
    newest of this dataset when the run began, so that no later run undoes a correction; an empty
    text is none at all.
    """

    dataset_version: str | None = None
    seed: int | None = None
    fold: int | None = None
    corrective: str | None = None
    reuse: bool = True


@dg.asset(deps=["dataset_version"], code_version=CODE_VERSION, kinds={"pytorch"}, pool="training")
@reporting
def trained_model(
    context: dg.AssetExecutionContext,
    config: TrainedModelConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
    tracking: Tracking,
) -> dg.MaterializeResult[Any]:
    """A model, trained in a process of its own; the data version is the digest of the model.

    Its metadata names the dataset, every parameter, the hardware and the MLflow run; the
    augmentation parameters that were really drawn lie beside the weights.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    dataset = step.inputs.read("dataset_version", version=config.dataset_version)
    project = step.project
    kept = _kept(step, config, dataset.version)
    record = _corrective(step, kept.metadata["corrective"] if kept else config.corrective)
    training = record.training if record else project.training
    emphasis = _emphasis(step, record, dataset) if record else None
    seed = config.seed
    if seed is None:
        seed = record.seed if record else _seed(step, dataset.version)
    gone = step.taken_out(dataset, ("train", "val"))
    skipped = {"taken_out": len(gone), "left_out": list(gone)} if gone else {}
    folder = step.fetch("datasets", dataset.version, marker="dataset.json")
    folds = _folds(folder, config.fold)
    recipe = {
        "dataset": dataset.version,
        "training": training.model_dump(mode="json"),
        "task": project.task,
        "labels": project.ontology.labels,
        "seed": seed,
        "code_version": CODE_VERSION,
        "environment": execution_environment(),
        # what was taken out since is left out, and gives another model
        **({"taken_out": gone} if gone else {}),
        **({"fold": config.fold} if folds else {}),
        **({"corrective": record.digest} if record else {}),
        **({"emphasis": emphasis.model_dump(mode="json")} if emphasis else {}),
    }
    memo = Memo(step.store, project=project.name, stage="trained_model")
    known = memo.get(recipe) if config.reuse else None
    if known is not None:
        step.log.info(f"reusing model {known['model_digest'][:12]} of an identical training")
        reused = {**known["metadata"], "reused": True}
        return _result(step, known["model_digest"], reused, kept=kept)
    with step.scratch() as scratch:
        spec = TrainingSpec(
            project=project.name,
            task=project.task,
            labels=project.ontology.labels,
            training=training,
            seed=seed,
            dataset=folder,
            dataset_digest=dataset.version,
            folds=folds,
            taken_out=gone,
            emphasis=emphasis,
            store_url=object_store.url,
            out=scratch / "model",
            tracking_uri=tracking.uri,
            tags={
                "dagster_run_id": context.run.run_id,
                "dagster_asset": dataset.key,
                **({"corrective": record.digest} if record else {}),
            },
            code_version=CODE_VERSION,
        )
        report = run_training(spec, log=step.log.info)
        model = step.publish("models", report.model_digest, spec.out, marker="model.json")
    card = read_model_card(model)
    metadata = {
        **report.metrics,
        "dataset": dataset.version,
        **skipped,
        **({"fold": config.fold} if folds else {}),
        "normalised_on": card.normalised_on.model_dump() if card.normalised_on else None,
        "seed": seed,
        "project_seed": project.training.seed,
        "epochs": training.epochs,
        **(_corrected(step, record, card) if record else {}),
        "parameters": report.parameters,
        "hardware": report.hardware,
        "seconds": report.seconds,
        "peak_memory_bytes": report.peak_memory_bytes,
        "mlflow_run_id": report.mlflow_run_id,
        "mlflow_run": dg.MetadataValue.url(
            tracking.run_url(experiment_id=report.mlflow_experiment_id, run_id=report.mlflow_run_id)
        ),
    }
    plain = {k: getattr(v, "value", v) for k, v in metadata.items()}
    memo.put(recipe, {"model_digest": report.model_digest, "metadata": plain})
    return _result(step, report.model_digest, {**metadata, "reused": False}, kept=kept)


@dg.asset_check(
    asset="trained_model",
    name="preprocessing",
    description="The normalisation of the model's input was fitted on its training images alone.",
    blocking=True,
)
@reporting
def model_preprocessing(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.AssetCheckResult:
    """The images that the model's card names, against its dataset version's training images."""
    key = next(iter(context.selected_asset_check_keys)).asset_key
    step = Step(context, projects=projects, object_store=object_store, project=key.path[0])
    model = step.inputs.read("trained_model")
    dataset = step.inputs.follow(model, "dataset_version")
    found = check_normalisation(
        read_model_card(step.fetch("models", model.version, marker="model.json")),
        step.fetch("datasets", dataset.version, marker="dataset.json"),
        taken_out=model.metadata.get("left_out", ()),
    )
    step.log.info(found.summary)
    result = dg.AssetCheckResult(
        passed=found.passed, description=found.summary, metadata={"images": found.images}
    )
    return pinned(result, model)


@dg.asset_check(
    asset="trained_model",
    name="validation_drop",
    description="The validation metric never fell from one epoch to the next, or below the best.",
)
@reporting
def validation_drop(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.AssetCheckResult:
    """The curve of the training, and the validation images that the largest drop is made of."""
    key = next(iter(context.selected_asset_check_keys)).asset_key
    step = Step(context, projects=projects, object_store=object_store, project=key.path[0])
    model = step.inputs.read("trained_model")
    folder = step.fetch("models", model.version, marker="model.json")
    curve = read_epochs(folder).to_pydict()
    drops = epoch_drops(
        curve["epoch"], curve["validation"], drift=step.project.monitoring.metric_drift
    )
    metric = "AP50" if step.project.task == "detection" else "accuracy"
    summary = summarize_drops(metric, drops, epochs=max(curve["epoch"]))
    step.log.info(summary)
    metadata: dict[str, Any] = {"model": model.version, "drops": [vars(d) for d in drops]}
    if drops:
        worst = max(drops, key=lambda d: d.drop)
        images = worse_images(folder, epoch=worst.epoch, against=worst.reference_epoch)
        metadata |= {
            "epoch": worst.epoch,
            "against_epoch": worst.reference_epoch,
            "drop": worst.drop,
            "images_worse": len(images),
            "images": metadata_table(images),
        }
    result = dg.AssetCheckResult(
        passed=not drops,
        severity=dg.AssetCheckSeverity.WARN,
        description=summary,
        metadata=metadata,
    )
    return pinned(result, model)


def _result(
    step: Step, digest: str, metadata: dict[str, Any], *, kept: Materialization | None = None
) -> dg.MaterializeResult[Any]:
    curve = read_epochs(step.fetch("models", digest, marker="model.json"))
    # as they are now, so that a later change of the project's own parameters ends the correction
    own = step.project.training.model_dump(mode="json")
    corrected = {"project_training": own} if "corrective" in metadata else {}
    kept_from = {"kept_from": _named(kept)} if kept else {}
    return step.result(
        digest, {**metadata, **corrected, **kept_from, "curve": metadata_table(curve)}
    )


def _kept(step: Step, config: TrainedModelConfig, dataset: str) -> Materialization | None:
    """The model whose correction this run keeps, where its configuration names none.

    It is the newest when the run began: what another run makes in the meantime is not for this one.
    """
    if config.corrective is not None or config.fold is not None:
        return None
    newest = step.inputs.before("trained_model")
    if newest is None or not newest.metadata.get("corrective"):
        return None
    own = step.project.training.model_dump(mode="json")
    known = (newest.metadata.get("dataset"), newest.metadata.get("project_training"))
    return newest if known == (dataset, own) else None


def _corrective(step: Step, digest: str | None) -> CorrectiveRecord | None:
    """The corrective record to train by; None for the project's own parameters."""
    return read_corrective(step.store, step.project.name, digest) if digest else None


def _named(event: Materialization) -> dict[str, Any]:
    """What a model came after; an edge of the graph would be a cycle."""
    return {"key": event.key, "storage_id": event.storage_id, "version": event.version}


def _emphasis(step: Step, record: CorrectiveRecord, dataset: Materialization) -> Emphasis | None:
    if record.selection is None or record.selection.weight == 1:
        return None
    images = selected_images(step.catalog, record, table_versions=table_versions(dataset))
    return Emphasis(images=tuple(images.to_pylist()), weight=record.selection.weight)


def _corrected(step: Step, record: CorrectiveRecord, card: ModelCard) -> dict[str, Any]:
    """Metadata of a model that was trained by a corrective record."""
    parent = step.inputs.log.of_version(f"{step.project.name}/trained_model", record.parent)
    return {
        "corrective": record.digest,
        "corrective_record": record.model_dump(mode="json", exclude={"training"}),
        "parent_model": _named(parent),
        "emphasised": card.emphasised.model_dump() if card.emphasised else None,
    }


def _folds(dataset: Path, fold: int | None) -> FoldParts | None:
    if fold is None:
        return None
    parts = folds_of(load_version(dataset).record.rule, fold)
    return FoldParts(train=parts.train, validation=parts.validation)


def _seed(step: Step, dataset: str) -> int:
    """The seed of the newest model of this dataset, so that no later run undoes a retraining.

    It is the newest when the run began. The project's own seed is used for a new dataset, and as
    soon as it is changed.
    """
    project = step.project
    newest = step.inputs.before("trained_model")
    known = newest.metadata if newest is not None else {}
    same = (known.get("dataset"), known.get("project_seed")) == (dataset, project.training.seed)
    return int(known["seed"]) if same else project.training.seed
