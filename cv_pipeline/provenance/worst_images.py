"""From a metric to the images that are behind it, worst first.

Everything is as it was for that evaluation: its own dataset version with the labels of then, its
own predictions. Only what concerns the listed images is read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dagster import DagsterInstance

from cv_pipeline.datasets.image_rows import rows_at, rows_of_images
from cv_pipeline.datasets.membership import open_membership
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE
from cv_pipeline.errors import EvaluationError, ObjectNotFound, ProvenanceError
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.image_history import LABEL_COLUMNS
from cv_pipeline.provenance.references import find_metric
from cv_pipeline.settings import cv_home, store_url
from cv_pipeline.storage import ArrowLocation, ObjectStore, Tombstones, open_store

PREDICTION_COLUMNS = ("rank", "label", "score", "x_min", "y_min", "x_max", "y_max")

_NOT_OF_THE_TABLE = ("path", "labels", "predictions", "taken_out")
"""Attributes of an image that an evaluation's table does not have."""
_ERRORS = {"precision": "false_positives", "recall": "false_negatives"}
"""What makes an image bad for a metric; for all others it is the image's own score."""


@dataclass(frozen=True)
class WorstImage:
    """One image of an evaluation.

    Attributes:
        image_id: the image.
        path: path in its source.
        score: 0 (worst) to 1; see schema PER_IMAGE.
        correct: whether the model made no mistake on it.
        true_positives: predictions that match an object.
        false_positives: predictions that match none.
        false_negatives: objects that no prediction matches.
        truth: true class; None for detection.
        predicted: class with the highest score; None for detection.
        confidence: its score, likewise.
        labels: its labels in that dataset version: columns LABEL_COLUMNS.
        predictions: what the model said, best first: columns PREDICTION_COLUMNS.
        taken_out: whether its pixels are gone for good since.
    """

    image_id: str
    path: str
    score: float
    correct: bool
    true_positives: int
    false_positives: int
    false_negatives: int
    truth: str | None
    predicted: str | None
    confidence: float | None
    labels: Sequence[Mapping[str, Any]]
    predictions: Sequence[Mapping[str, Any]]
    taken_out: bool


@dataclass(frozen=True)
class WorstImages:
    """The images that a metric is worst on.

    Attributes:
        metric: its name.
        value: its value.
        project: the project.
        split: the split that it is of.
        evaluation: digest of the evaluation.
        model: digest of the model.
        dataset: digest of the dataset version.
        predictions: digest of the predictions.
        operating_point: score from which upwards a detection counted; None where all did.
        images: worst first.
    """

    metric: str
    value: float
    project: str
    split: str
    evaluation: str
    model: str
    dataset: str
    predictions: str
    operating_point: float | None
    images: tuple[WorstImage, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def worst_images(
    ref: str,
    *,
    n: int = 100,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> WorstImages:
    """The images that a metric is worst on, with their labels and predictions as they were.

    For ``precision`` those with most false positives come first, for ``recall`` those with most
    objects missed; for every other metric, and among equals, those of the lowest score.

    Args:
        ref: ``project/metric@evaluation``; a metric such as ``val/AP50`` is of that split.
        n: at most this many images.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for indexes of images that a dataset version lacks.

    Raises:
        ProvenanceError: the reference is unknown, or ``n`` is below 1.
        EvaluationError: the evaluation's own table is gone.
        DatasetError: the dataset version's, or the predictions', is.
    """
    if n < 1:
        raise ProvenanceError(f"{n} images cannot be listed.", do="Ask for 1 or more.")
    store = store or open_store(store_url())
    log = EventLog(instance or DagsterInstance.get())
    metric = find_metric(log, ref)
    event = metric.event
    folder = f"projects/{event.project}"
    dataset = _read_by(event, "dataset_version")
    predictions = _read_by(event, "predictions")
    of_split, slash, name = metric.name.rpartition("/")
    split = of_split if slash else str(event.metadata["split"])
    results = _worst(
        store.arrow(f"{folder}/evaluations/{event.version}/per_image.parquet"), split, name, n
    ).to_pylist()
    ids = [row["image_id"] for row in results]
    version = f"{folder}/datasets/{dataset}"
    paths = _paths(store, version, ids, cache=cache or cv_home() / "cache")
    labels = _by_image(store.arrow(f"{version}/{ANNOTATIONS_FILE}"), ids, LABEL_COLUMNS)
    said = _by_image(
        store.arrow(f"{folder}/predictions/{predictions}/predictions.parquet"),
        ids,
        PREDICTION_COLUMNS,
    )
    gone = set(Tombstones(store).image_ids())
    return WorstImages(
        metric=metric.name,
        value=metric.value,
        project=event.project,
        split=split,
        evaluation=event.version,
        model=str(event.metadata["model"]),
        dataset=dataset,
        predictions=predictions,
        operating_point=_operating_point(store, f"{folder}/evaluations/{event.version}"),
        images=tuple(
            WorstImage(
                **row,
                path=paths[row["image_id"]],
                labels=labels[row["image_id"]],
                predictions=sorted(said[row["image_id"]], key=lambda p: int(p["rank"])),
                taken_out=row["image_id"] in gone,
            )
            for row in results
        ),
    )


def _read_by(event: Materialization, asset: str) -> str:
    pointer = event.input(f"{event.project}/{asset}")
    if pointer is None:
        raise ProvenanceError(
            f"{event.key} (event {event.storage_id}) does not say which {asset} it was made from.",
            do=f"Materialize {event.key} again.",
        )
    return pointer.version


def _operating_point(store: ObjectStore, evaluation: str) -> float | None:
    try:
        record = json.loads(store.read(f"{evaluation}/evaluation.json"))
    except ObjectNotFound:
        return None
    point: float | None = record.get("operating_point")
    return point


def _worst(where: ArrowLocation, split: str, metric: str, n: int) -> pa.Table:
    """The ``n`` worst rows of an evaluation's table, worst first."""
    columns = [name for name in WorstImage.__annotations__ if name not in _NOT_OF_THE_TABLE]
    try:
        rows = pq.read_table(
            where.path,
            filesystem=where.filesystem,
            columns=columns,
            filters=pc.field("split") == split,
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(
            f"{where.path} cannot be read: {error}.", do="Evaluate again, or restore that file."
        ) from error
    order = [("score", "ascending"), ("image_id", "ascending")]
    if metric in _ERRORS:
        order.insert(0, (_ERRORS[metric], "descending"))
    return rows.take(pc.select_k_unstable(rows, k=min(n, len(rows)), sort_keys=order))


def _paths(
    store: ObjectStore, version: str, image_ids: Sequence[str], *, cache: Path
) -> dict[str, str]:
    images = open_membership(store, version, cache=cache)
    rows = sorted(row for i in image_ids if (row := images.row(i)) is not None)
    found = rows_at(store.arrow(f"{version}/{MANIFEST_FILE}"), rows, columns=["image_id", "path"])
    return dict(zip(found["image_id"].to_pylist(), found["path"].to_pylist(), strict=True))


def _by_image(
    where: ArrowLocation, image_ids: Sequence[str], columns: Sequence[str]
) -> Mapping[str, list[dict[str, Any]]]:
    """Rows of each image."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of_images(where, image_ids, columns=["image_id", *columns]).to_pylist():
        found[row.pop("image_id")].append(row)
    return found
