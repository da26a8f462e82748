"""From what a user types to its trace.

A model is ``project@version``, its digest or a prefix; a dataset, its digest or a prefix; a metric,
``project/metric@evaluation``; an image, its SHA-256, a prefix of eight or more, or a path. The word
``latest`` stands for the newest version.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dagster import DagsterInstance

from cv_pipeline.errors import ProvenanceError, nearest
from cv_pipeline.project import project_names
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.image_history import trace_image
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.trace import Node, Trace, trace_event
from cv_pipeline.settings import cv_home, projects_dir, store_url
from cv_pipeline.storage import ObjectStore, open_store

KINDS = ("model", "dataset", "image", "metric")
ASSET_OF_KIND = {"model": "trained_model", "dataset": "dataset_version"}


def trace(
    kind: str,
    ref: str,
    *,
    project: str | None = None,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> Trace:
    """Trace a model, dataset, image or metric, both ways.

    Args:
        kind: ``model``, ``dataset``, ``image`` or ``metric``.
        ref: a reference, as the module says.
        project: look in this project only.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for manifests of a remote store.

    Raises:
        ProvenanceError: the reference is unknown or ambiguous.
    """
    if kind not in KINDS:
        raise ProvenanceError(f"{kind!r} cannot be traced.", do=nearest(kind, KINDS))
    index = LineageIndex(instance or DagsterInstance.get())
    if kind == "image":
        where = store or open_store(store_url())
        return trace_image(index, where, ref, cache=cache or cv_home() / "cache", project=project)
    if kind == "metric":
        return trace_metric(index, ref)
    event = find_event(index, asset=ASSET_OF_KIND[kind], ref=ref, project=project)
    return trace_event(index, event)


def find_event(
    log: EventLog, *, asset: str, ref: str, project: str | None = None
) -> Materialization:
    """The materialization that ``project@version``, a digest or a prefix means.

    Raises:
        ProvenanceError: none has it, or it fits several versions.
    """
    named, _, version = ref.rpartition("@")
    if "@" in named:
        raise ProvenanceError(f"{ref!r} is no reference.", do="Write project@version.")
    wanted = named or project
    every = log.asset_keys()
    keys = [k for k in every if k.endswith(f"/{asset}")]
    if wanted:
        projects = [k.split("/")[0] for k in keys]
        keys = [k for k in keys if k.split("/")[0] == wanted]
        if not keys:
            # of a project that there is, others are none of the asker's business
            is_known = any(k.split("/")[0] == wanted for k in every)
            is_known = is_known or wanted in project_names(projects_dir())
            raise ProvenanceError(
                f"Project {wanted!r} has no {asset} in the event log.",
                do=f"Run: cvp run {wanted}" if is_known else nearest(wanted, projects),
            )
    if version == "latest":
        newest = [e for k in keys if (e := log.latest(k))]
        if newest:
            return max(newest, key=lambda e: e.storage_id)
    found = []
    for key in keys:
        try:
            found.append(log.of_version(key, version))
        except ProvenanceError as error:
            if "fits several" in error.what:
                raise
    if len(found) == 1:
        return found[0]
    if found:
        named_keys = ", ".join(e.key for e in found)
        raise ProvenanceError(f"{ref!r} is in {named_keys}.", do="Name one as project@version.")
    known = [e.version[:16] for k in keys if (e := log.latest(k))]
    raise ProvenanceError(
        f"No {asset} has the version {version!r}.",
        do=f"The latest: {', '.join(known)}." if known else "None was ever materialized.",
    )


@dataclass(frozen=True)
class Metric:
    """A number that an evaluation recorded.

    Attributes:
        name: such as ``AP50``; ``val/AP50`` is that of another split than the headline's.
        value: the number.
        event: materialization of the evaluation.
    """

    name: str
    value: float
    event: Materialization


def find_metric(log: EventLog, ref: str) -> Metric:
    """The metric that ``project/metric@evaluation`` means.

    Raises:
        ProvenanceError: the reference has another form, or names what the record does not have.
    """
    name, at, version = ref.rpartition("@")
    project, slash, metric = name.partition("/")
    if not (at and slash and project and metric):
        raise ProvenanceError(
            f"{ref!r} is not a metric reference.", do="Write project/metric@evaluation."
        )
    event = find_event(log, asset="eval_slices", ref=f"{project}@{version}")
    numbers = metrics_of(event)
    if metric not in numbers:
        raise ProvenanceError(
            f"Evaluation {event.version[:16]} has no metric {metric!r}.",
            do=nearest(metric, numbers),
        )
    return Metric(metric, numbers[metric], event)


def metrics_of(event: Materialization) -> dict[str, float]:
    """The numbers that an evaluation recorded, by name."""
    return {
        name: value
        for name, value in event.metadata.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def trace_metric(index: LineageIndex, ref: str) -> Trace:
    """A metric of one evaluation, with all that it rests on.

    Raises:
        ProvenanceError: as :func:`find_metric` says.
    """
    metric = find_metric(index, ref)
    event = metric.event
    node = Node(
        kind="metric",
        key=f"{event.project}/{metric.name}",
        version=repr(metric.value),
        timestamp=event.timestamp.isoformat(),
        metadata={"value": metric.value, "evaluation": event.version},
    )
    whole = trace_event(index, event)
    return Trace(node, up=[Trace(whole.node, up=whole.up)], down=whole.down)
