"""Everything of a project on one page: images, labels, what waits, every version and every model.

Read from one snapshot of the lake and from the event log; nothing is stored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dagster import DagsterInstance

from cv_pipeline.catalog.overview import LakeOverview, lake_overview
from cv_pipeline.catalog.snapshot import Snapshot, open_snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.project import Project
from cv_pipeline.provenance import EventLog, Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.storage import ObjectStore


@dataclass(frozen=True)
class VersionEntry:
    """One dataset version.

    Attributes:
        version: its digest.
        made_at: when it was first made.
        images: number of images.
        objects: number of labels.
        ingested_since: images that the lake has taken in since it was made.
        models: digests of the models that were trained on it.
    """

    version: str
    made_at: datetime
    images: int
    objects: int
    ingested_since: int
    models: tuple[str, ...]


@dataclass(frozen=True)
class ModelEntry:
    """One model.

    Attributes:
        version: its digest.
        made_at: when it was first made.
        dataset: digest of the dataset version that it was trained on; empty when unknown.
        metric: the optimizing metric at its newest evaluation; None before one.
        seconds: that its training took; None when unknown.
    """

    version: str
    made_at: datetime
    dataset: str
    metric: float | None
    seconds: float | None


@dataclass(frozen=True)
class Overview:
    """A project on one page.

    Attributes:
        project: its name.
        at: when this was counted.
        metric: name of the optimizing metric.
        lake: images and labels.
        versions: every dataset version, the newest first.
        models: every model, the newest first.
    """

    project: str
    at: datetime
    metric: str
    lake: LakeOverview
    versions: tuple[VersionEntry, ...]
    models: tuple[ModelEntry, ...]

    def to_json(self) -> dict[str, Any]:
        """The overview as plain values; times are ISO 8601."""
        return asdict(self)


def overview(
    project: Project, *, instance: DagsterInstance, store: ObjectStore, now: datetime | None = None
) -> Overview:
    """Count everything of a project.

    Args:
        project: the project.
        instance: the Dagster instance.
        store: the object store.
        now: the present, to estimate the end of labelling from; the clock's by default.
    """
    catalog = Catalog(store, project.name)
    return overview_of(
        project,
        log=LineageIndex(instance),
        catalog=catalog,
        snapshot=open_snapshot(catalog),
        now=now,
    )


def overview_of(
    project: Project,
    *,
    log: LineageIndex,
    catalog: Catalog,
    snapshot: Snapshot,
    now: datetime | None = None,
) -> Overview:
    """Count everything of a project that is open already.

    Args:
        project: the project.
        log: the event log.
        catalog: the project's tables.
        snapshot: the state of the lake to count.
        now: the present, to estimate the end of labelling from; the clock's by default.
    """
    at = now or datetime.now(UTC)
    models = _models(log, project)
    ingested = snapshot.images["ingested_at"].to_numpy()
    versions = []
    for event in reversed(log.first_of_each_version(f"{project.name}/dataset_version")):
        made_at = event.timestamp.replace(tzinfo=None)
        versions.append(
            VersionEntry(
                version=event.version,
                made_at=event.timestamp,
                images=int(event.metadata.get("dagster/row_count", 0)),
                objects=int(event.metadata.get("objects", 0)),
                ingested_since=int((ingested > made_at).sum()),
                models=tuple(m.version for m in models if m.dataset == event.version),
            )
        )
    return Overview(
        project=project.name,
        at=at,
        metric=project.metric,
        lake=lake_overview(
            snapshot.relations(),
            ontology=project.ontology,
            quarantine=catalog.table("quarantine").read(columns=["stage"]),
            now=at,
        ),
        versions=tuple(versions),
        models=models,
    )


def _models(log: LineageIndex, project: Project) -> tuple[ModelEntry, ...]:
    """Every model, the newest first."""
    metrics = _newest_metrics(log, project)
    entries = []
    for event in reversed(log.first_of_each_version(f"{project.name}/trained_model")):
        dataset = event.input(f"{project.name}/dataset_version")
        seconds = event.metadata.get("seconds")
        entries.append(
            ModelEntry(
                version=event.version,
                made_at=event.timestamp,
                dataset=dataset.version if dataset else "",
                metric=metrics.get(event.version),
                seconds=float(seconds) if seconds is not None else None,
            )
        )
    return tuple(entries)


def _newest_metrics(log: EventLog, project: Project) -> dict[str, float]:
    """The optimizing metric of each model that was evaluated, at its newest evaluation."""
    found: dict[str, float] = {}
    for event in log.oldest_first(f"{project.name}/eval_slices"):
        value = event.metadata.get(project.metric)
        model = _model_of(event)
        if model and isinstance(value, int | float):
            found[model] = float(value)
    return found


def _model_of(evaluation: Materialization) -> str | None:
    model = evaluation.metadata.get("model")
    return str(model) if model else None
