"""A world for the inspector: pictures, a lake, dataset versions, and models evaluated for real.

Nothing is trained: the detections of a model are the ground truth, displaced, and worse in one
slice. Their evaluation is the pipeline's own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dagster import DagsterInstance

from benchmarks.worlds.history import make_history, report
from benchmarks.worlds.large_lake import PROJECT, make_lake
from benchmarks.worlds.pictures import make_pictures
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.schemas.epoch_results import EPOCH_RESULTS
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.record import write_table
from cv_pipeline.evaluation import Evaluation, evaluate
from cv_pipeline.evaluation.slicing.lake import known_images
from cv_pipeline.project import Project, load_project
from cv_pipeline.provenance import EventLog, Materialization
from cv_pipeline.storage.folders import publish
from cv_pipeline.training.fitted_on import FittedOn
from cv_pipeline.training.model_folder import EPOCHS, ModelCard, Normalisation
from cv_pipeline.training.predictions_folder import PredictionsSummary, predictions_digest

HARD = ("scene", "river")
"""Metadata of the images on which every model is worse."""


def make_inspected(
    home: Path,
    instance: DagsterInstance,
    *,
    images: int,
    versions: int,
    models: int,
    evaluated: int,
    width: int = 160,
    height: int = 120,
) -> Catalog:
    """Write the world below ``home``.

    Args:
        home: becomes CV_HOME, with ``projects`` and ``store``.
        instance: an empty Dagster instance.
        images: pictures in the lake.
        versions: dataset versions, each larger than the one before.
        models: models that are only told of, shared out among the versions.
        evaluated: models on the newest version that are evaluated for real, the last one worse.
        width: of a picture, pixels.
        height: likewise.
    """
    pictures = make_pictures(home / "store", count=images, width=width, height=height)
    catalog = make_lake(home, images=images, pictures=pictures)
    make_history(catalog, instance, home=home, versions=versions, models=models)
    log = EventLog(instance)
    dataset = log.latest(f"{PROJECT}/dataset_version")
    assert dataset is not None
    project = load_project(home / "projects" / PROJECT / "project.yaml")
    for number in range(evaluated):
        quality = 0.9 if number + 1 < evaluated else 0.75
        _evaluated_model(catalog, log, project, dataset, home, number=number, quality=quality)
    return catalog


def _evaluated_model(
    catalog: Catalog,
    log: EventLog,
    project: Project,
    dataset: Materialization,
    home: Path,
    *,
    number: int,
    quality: float,
) -> None:
    """A model with its folder, its predictions and their evaluation, and the events of all."""
    folder = home / "store" / "projects" / PROJECT / "datasets" / dataset.version
    card = _card(project, dataset.version, number)
    _publish_model(catalog, card, quality, folder)
    model = report(
        log, "trained_model", card.digest,
        {"dataset": dataset.version, "seconds": 60.0 + number, "AP50": quality},
        {"dataset_version": dataset},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        predicted = Path(scratch) / "predictions"
        summary = _predict(catalog, dataset.version, folder, predicted, card, number, quality)
        facts = {"model": card.digest, "dataset": dataset.version, "seconds": 5.0}
        facts |= {"latency_p50_ms": 21.0 + number, "latency_p95_ms": 30.0 + number}
        predictions = report(
            log, "predictions", summary.digest, {**facts, "dagster/row_count": summary.rows},
            {"trained_model": model, "dataset_version": dataset},
        )  # fmt: skip
        table_versions = dataset.metadata["table_versions"]
        made = evaluate(
            project=project,
            dataset=folder,
            predictions=predicted,
            metadata=current_metadata(catalog, version=table_versions["image_metadata"]),
            folder=Path(scratch) / "evaluation",
            known=known_images(project, catalog, dataset=folder, table_versions=table_versions),
        )
        _publish(catalog, "predictions", summary.digest, predicted, "predictions.json")
        _publish(catalog, "evaluations", made.digest, made.folder, "evaluation.json")
    report(
        log, "eval_slices", made.digest, _told(made, project, card.digest, dataset.version),
        {"predictions": predictions, "dataset_version": dataset},
    )  # fmt: skip


def _told(made: Evaluation, project: Project, model: str, dataset: str) -> dict[str, Any]:
    return {
        **made.metrics,
        "metric": project.metric,
        "split": made.record.split,
        "model": model,
        "dataset": dataset,
        "intervals": {m: vars(i) for m, i in made.record.intervals.items()},
        "worst_slices_in_words": made.worst_slices["sentence"].to_pylist(),
    }


def _card(project: Project, dataset: str, number: int) -> ModelCard:
    return ModelCard(
        digest=f"{number + 1:064x}",
        project=project.name,
        task=project.task,
        labels=project.ontology.labels,
        training=project.training,
        seed=number,
        dataset_digest=dataset,
        train_images=1,
        validation_images=1,
        normalisation=Normalisation(mean=(127.0,) * 3, std=(60.0,) * 3),
        normalised_on=FittedOn(images=1, digest="0" * 64),
        weights=1000,
        code_version="1",
        hardware={"cpu": "none", "threads": 2},
    )


def _publish_model(catalog: Catalog, card: ModelCard, quality: float, dataset: Path) -> None:
    """A model's folder: a card, a curve with a drop in it, and no weights worth the name."""
    import pyarrow.parquet as pq

    manifest = pq.read_table(dataset / "manifest.parquet", columns=["image_id", "split"])
    some = manifest.filter(pc.field("split") == "val")["image_id"].slice(0, 50)
    epochs = np.arange(1, 7, dtype=np.int32)
    curve = quality * np.array([0.4, 0.7, 0.9, 0.6, 0.95, 1.0])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "model.safetensors").write_bytes(b"\0" * 64)
        write_table(
            pa.table([epochs, 1.0 / epochs, 0.001 / epochs, curve], names=EPOCHS.names).cast(
                EPOCHS
            ),
            folder / "epochs.parquet",
        )
        write_table(_epoch_results(some, curve), folder / "epoch_results.parquet")
        (folder / "model.json").write_text(card.model_dump_json(indent=1))
        _publish(catalog, "models", card.digest, folder, "model.json")


def _epoch_results(image_ids: pa.ChunkedArray, curve: np.ndarray) -> pa.Table:
    """What was right on some images in each epoch: the better the epoch, the more."""
    random = np.random.default_rng(0)
    ids = image_ids.to_pylist() * len(curve)
    count = len(image_ids)
    right = random.uniform(size=len(ids)) < np.repeat(curve, count)
    columns: Mapping[str, Any] = {
        "epoch": np.repeat(np.arange(1, len(curve) + 1), count),
        "image_id": ids,
        "true_positives": np.where(right, 3, 1),
        "false_positives": np.where(right, 0, 1),
        "false_negatives": np.where(right, 0, 2),
        "correct": right,
        "score": np.where(right, 1.0, 0.3),
    }
    made = [
        columns[f.name] if f.name in columns else pa.nulls(len(ids), f.type) for f in EPOCH_RESULTS
    ]
    return pa.table(made, names=EPOCH_RESULTS.names).cast(EPOCH_RESULTS)


def _predict(
    catalog: Catalog,
    dataset: str,
    folder: Path,
    out: Path,
    card: ModelCard,
    number: int,
    quality: float,
) -> PredictionsSummary:
    """Detections on the test split: most objects a little beside, some missed, some misnamed."""
    import pyarrow.parquet as pq

    manifest = pq.read_table(folder / "manifest.parquet", columns=["image_id", "split"])
    test = manifest.filter(pc.field("split") == "test")["image_id"].combine_chunks()
    truth = pq.read_table(folder / "annotations.parquet")
    truth = truth.filter(pc.is_in(truth["image_id"], value_set=test)).combine_chunks()
    metadata = current_metadata(catalog)
    hard = metadata.filter((pc.field("key") == HARD[0]) & (pc.field("value") == HARD[1]))
    is_hard = pc.is_in(
        truth["image_id"], value_set=hard["image_id"].combine_chunks().cast(pa.string())
    ).to_numpy()
    random = np.random.default_rng(number)
    labels = np.array(card.labels)
    named = truth["label"].to_numpy(zero_copy_only=False).astype(object)
    is_first = named == card.labels[0]
    found = random.uniform(size=len(truth)) < np.where(is_hard & is_first, 0.2, quality)
    wrong = random.uniform(size=len(truth)) < 0.05
    named = np.where(wrong, random.choice(labels, len(truth)), named)
    edges = {
        e: truth[e].to_numpy() + random.normal(0, 0.6, len(truth))
        for e in ("x_min", "y_min", "x_max", "y_max")
    }
    rows = pa.table(
        {
            "image_id": truth["image_id"].cast(pa.string()),
            "label": pa.array(named, pa.string()),
            "score": pa.array(np.clip(random.beta(5, 2, len(truth)) - 0.3 * wrong, 0.01, 1)),
            "x_min": edges["x_min"],
            "y_min": edges["y_min"],
            "x_max": np.maximum(edges["x_max"], edges["x_min"] + 1),
            "y_max": np.maximum(edges["y_max"], edges["y_min"] + 1),
        }
    ).filter(pa.array(found))
    rows = rows.sort_by([("image_id", "ascending"), ("score", "descending")]).combine_chunks()
    ids = rows["image_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.r_[0, np.flatnonzero(np.diff(ids)) + 1] if len(ids) else np.array([], np.int64)
    rank = np.arange(len(ids)) - np.repeat(first, np.diff(np.r_[first, len(ids)])) + 1
    rows = rows.append_column("rank", pa.array(rank, pa.int32())).select(PREDICTIONS.names)
    rows = rows.cast(PREDICTIONS)
    summary = PredictionsSummary(
        digest=predictions_digest(rows, model=card.digest, dataset=dataset, splits=("test",)),
        model_digest=card.digest,
        dataset_digest=dataset,
        splits=("test",),
        images=len(test),
        rows=len(rows),
    )
    out.mkdir()
    write_table(rows, out / "predictions.parquet")
    (out / "predictions.json").write_text(json.dumps(summary.model_dump(mode="json")))
    return summary


def _publish(catalog: Catalog, kind: str, digest: str, folder: Path, marker: str) -> None:
    publish(catalog.store, f"projects/{PROJECT}/{kind}/{digest}", folder, marker=marker)
