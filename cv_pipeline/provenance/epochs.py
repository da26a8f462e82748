"""From a model to the curve of its training, and from an epoch to the images that got worse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from cv_pipeline.datasets.image_rows import rows_of_images
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE
from cv_pipeline.monitoring.epoch_drop import EpochDrop, epoch_drops
from cv_pipeline.project import find_project
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.image_history import LABEL_COLUMNS
from cv_pipeline.provenance.references import find_event
from cv_pipeline.settings import cv_home, projects_dir, store_url
from cv_pipeline.storage import ObjectStore, open_store
from cv_pipeline.storage.folders import fetch
from cv_pipeline.training.epoch_results import read_epochs, worse_images


@dataclass(frozen=True)
class TrainingCurve:
    """How a training went.

    Attributes:
        project: the project.
        model: digest of the model.
        dataset: digest of the dataset version.
        metric: name of the validation metric.
        epochs: a mapping for each epoch: columns EPOCHS.
        drops: the epochs at which the metric fell too far.
    """

    project: str
    model: str
    dataset: str
    metric: str
    epochs: tuple[Mapping[str, Any], ...]
    drops: tuple[EpochDrop, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class WorseImages:
    """The validation images that got worse in an epoch.

    Attributes:
        project: the project.
        model: digest of the model.
        dataset: digest of the dataset version.
        epoch: the epoch.
        against: the epoch compared with.
        images: worst first, a mapping each: columns WORSE_IMAGES, ``path``, and ``labels`` with
            ``annotation_id`` and the columns LABEL_COLUMNS.
    """

    project: str
    model: str
    dataset: str
    epoch: int
    against: int
    images: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def training_curve(
    model: str,
    *,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    projects: Path | None = None,
) -> TrainingCurve:
    """Loss and validation metric of every epoch of a model's training, its drops marked.

    Args:
        model: ``project@version``, its digest or a prefix.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        projects: folder of the projects; by default the one of ``CV_PROJECTS``.

    Raises:
        ProvenanceError: there is no such model.
        TrainingError: its folder has no curve.
    """
    event, folder = _model(model, instance, store)
    project = find_project(event.project, projects or projects_dir())
    epochs = read_epochs(folder).to_pylist()
    drops = epoch_drops(
        [e["epoch"] for e in epochs],
        [e["validation"] for e in epochs],
        drift=project.monitoring.metric_drift,
    )
    return TrainingCurve(
        project=event.project,
        model=event.version,
        dataset=str(event.metadata["dataset"]),
        metric="AP50" if project.task == "detection" else "accuracy",
        epochs=tuple(epochs),
        drops=tuple(drops),
    )


def images_that_got_worse(
    model: str,
    *,
    epoch: int,
    against: int | None = None,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
) -> WorseImages:
    """The validation images that got worse in an epoch, the worst first, with their labels.

    Args:
        model: ``project@version``, its digest or a prefix.
        epoch: the epoch, from 1.
        against: the epoch compared with; the one before by default.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.

    Raises:
        ProvenanceError: there is no such model.
        TrainingError: there is no such epoch, or nothing was kept of it.
    """
    store = store or open_store(store_url())
    event, folder = _model(model, instance, store)
    rows = worse_images(folder, epoch=epoch, against=against).to_pylist()
    ids = [row["image_id"] for row in rows]
    dataset = str(event.metadata["dataset"])
    version = f"projects/{event.project}/datasets/{dataset}"
    labels: Mapping[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of_images(
        store.arrow(f"{version}/{ANNOTATIONS_FILE}"),
        ids,
        columns=["image_id", "annotation_id", *LABEL_COLUMNS],
    ).to_pylist():
        labels[row.pop("image_id")].append(row)
    paths = {
        row["image_id"]: row["path"]
        for row in rows_of_images(
            store.arrow(f"{version}/{MANIFEST_FILE}"), ids, columns=["image_id", "path"]
        ).to_pylist()
    }
    return WorseImages(
        project=event.project,
        model=event.version,
        dataset=dataset,
        epoch=epoch,
        against=epoch - 1 if against is None else against,
        images=tuple(
            {**row, "path": paths[row["image_id"]], "labels": labels[row["image_id"]]}
            for row in rows
        ),
    )


def _model(
    ref: str, instance: DagsterInstance | None, store: ObjectStore | None
) -> tuple[Materialization, Path]:
    """A model's materialization and folder."""
    log = EventLog(instance or DagsterInstance.get())
    event = find_event(log, asset="trained_model", ref=ref)
    key = f"projects/{event.project}/models/{event.version}"
    store = store or open_store(store_url())
    return event, fetch(store, key, marker="model.json", cache=cv_home() / "cache")
