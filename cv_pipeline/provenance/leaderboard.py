"""Every model that was evaluated on one dataset version, the best first.

The numbers are those that the evaluations recorded in the event log, read in one pass. Folders are
read only for the models that are shown: for their operating point, their size, and to tell whether
they really differ from the best on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from cv_pipeline.errors import CVPipelineError, ProvenanceError, nearest
from cv_pipeline.evaluation.classification.summary import LOWER_IS_BETTER
from cv_pipeline.evaluation.comparison.differences import differences
from cv_pipeline.evaluation.comparison.paired import Difference
from cv_pipeline.evaluation.comparison.sides import shared_images
from cv_pipeline.provenance.comparisons import side_of
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import find_event, metrics_of
from cv_pipeline.settings import cv_home, store_url
from cv_pipeline.storage import ObjectStore, open_store


@dataclass(frozen=True)
class Entry:
    """One model on the leaderboard.

    Attributes:
        place: from 1; models of one value share a place.
        model: its digest.
        value: the metric; None where it is not defined.
        low: lower end of its 95 % interval; None where none is recorded.
        high: upper end, likewise.
        difference: what it is behind the best (of the metric, on the same images); None for the
            best, and where it was not tested.
        p_value: probability of so large a difference by chance.
        significant: whether that is at most 0.05.
        operating_point: score from which upwards its detections count; None for classification.
        costs: what is known of its costs, by the names of ``cv_pipeline.requirement.COSTS``.
        evaluated: when, UTC.
        run: the Dagster run that evaluated it.
        evaluation: digest of the evaluation.
    """

    place: int
    model: str
    value: float | None
    low: float | None
    high: float | None
    difference: float | None
    p_value: float | None
    significant: bool | None
    operating_point: float | None
    costs: Mapping[str, float]
    evaluated: datetime
    run: str
    evaluation: str


@dataclass(frozen=True)
class Leaderboard:
    """The models of one dataset version.

    Attributes:
        project: the project.
        dataset: digest of the dataset version.
        metric: what they are sorted by.
        split: the split that it is of.
        models: how many were evaluated on it.
        entries: the best of them first.
        notes: sentences on what could not be told.
    """

    project: str
    dataset: str
    metric: str
    split: str
    models: int
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def leaderboard(
    project: str,
    *,
    dataset: str | None = None,
    metric: str | None = None,
    count: int = 20,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> Leaderboard:
    """The models that were evaluated on a dataset version, each by its newest evaluation.

    Args:
        project: name of the project.
        dataset: a digest, a prefix or ``latest``; by default that of the newest evaluation.
        metric: by default the optimizing metric of the newest evaluation on it.
        count: how many models to show, and to test against the best.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for copies from a remote store; by default the one of ``CV_HOME``.

    Raises:
        ProvenanceError: the dataset version is unknown, nothing was evaluated on it, or nothing
            there has the metric.
    """
    log = LineageIndex(instance or DagsterInstance.get())
    version = _dataset(log, project, dataset)
    newest = _newest_of_each_model(log, project, version)
    first = newest[0]
    by = str(first.metadata["metric"]) if metric is None else metric
    known = {name for event in newest for name in metrics_of(event)}
    if by not in known:
        raise ProvenanceError(
            f"No evaluation on {version[:16]} has the metric {by!r}.", do=nearest(by, known)
        )
    where = store or open_store(store_url())
    ranked = _ranked(newest, by)[:count]
    evaluated = [
        Evaluated.of(log, event, store=where, cache=cache or cv_home() / "cache")
        for event in ranked
    ]
    entries, notes = _entries(evaluated, by)
    return Leaderboard(
        project=project,
        dataset=version,
        metric=by,
        split=str(first.metadata["split"]),
        models=len(newest),
        entries=tuple(entries),
        notes=tuple(notes),
    )


def _dataset(log: EventLog, project: str, ref: str | None) -> str:
    if ref is not None:
        event = find_event(log, asset="dataset_version", ref=f"{project}@{ref.rpartition('@')[2]}")
        return event.version
    newest = find_event(log, asset="eval_slices", ref=f"{project}@latest")
    return str(newest.metadata["dataset"])


def _newest_of_each_model(log: EventLog, project: str, dataset: str) -> list[Materialization]:
    found: dict[str, Materialization] = {}
    for event in log.newest_first(f"{project}/eval_slices"):
        if event.metadata.get("dataset") == dataset:
            found.setdefault(str(event.metadata["model"]), event)
    if not found:
        raise ProvenanceError(
            f"No model was evaluated on the dataset version {dataset[:16]}.",
            do=f"cvp run {project} --select predictions,eval_slices",
        )
    return list(found.values())


def _ranked(events: Sequence[Materialization], metric: str) -> list[Materialization]:
    sign = 1.0 if metric.rpartition("/")[2] in LOWER_IS_BETTER else -1.0

    def order(event: Materialization) -> tuple[bool, float, int]:
        value = metrics_of(event).get(metric)
        return value is None, 0.0 if value is None else sign * value, event.storage_id

    return sorted(events, key=order)


def _entries(evaluated: Sequence[Evaluated], metric: str) -> tuple[list[Entry], list[str]]:
    entries: list[Entry] = []
    notes: list[str] = []
    for number, one in enumerate(evaluated, start=1):
        entry, problem = _entry(one, metric, number)
        if entries and entry.value is not None and entry.value == entries[-1].value:
            entry = replace(entry, place=entries[-1].place)
        if number > 1 and entry.value is not None and not problem:
            found, problem = _against(evaluated[0], one, metric)
            if found is not None:
                entry = replace(
                    entry,
                    difference=found.difference,
                    p_value=found.p_value,
                    significant=found.significant,
                )
        if problem:
            notes.append(f"{entry.model[:12]}: {problem}")
        entries.append(entry)
    return entries, notes


def _entry(one: Evaluated, metric: str, place: int) -> tuple[Entry, str]:
    """The entry, and what could not be read of it."""
    event, problem, point = one.event, "", None
    try:
        point = one.evaluation.record.operating_point
    except CVPipelineError as error:
        problem = f"not tested, for its evaluation cannot be read: {error.what.splitlines()[0]}"
    interval = (event.metadata.get("intervals") or {}).get(metric, {})
    return Entry(
        place=place,
        model=one.model.version,
        value=metrics_of(event).get(metric),
        low=interval.get("low"),
        high=interval.get("high"),
        difference=None,
        p_value=None,
        significant=None,
        operating_point=point,
        costs=one.costs(),
        evaluated=event.timestamp,
        run=event.run_id,
        evaluation=event.version,
    ), problem


def _against(best: Evaluated, one: Evaluated, metric: str) -> tuple[Difference | None, str]:
    """The paired difference to the best; None, and why, where there is none."""
    try:
        sides = side_of(best), side_of(one)
        shared = shared_images(best.evaluation, one.evaluation)
        found = differences(*sides, shared).overall.get(metric)
    except CVPipelineError as error:
        return None, f"not tested against the best: {error.what}"
    if found is None:
        return None, f"there is no paired test of {metric}"
    return found, ""
