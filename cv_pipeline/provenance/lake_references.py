"""What a query of the datalake may refer to outside the catalogue, found in the event log.

A moment is told by what was recorded at it: the table versions that the dataset version of an
evaluation was made from, so that a question about then is answered from the tables of then.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from dagster import DagsterInstance

from cv_pipeline.catalog.datalake.references import Moment
from cv_pipeline.errors import ProvenanceError, nearest
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import find_event, find_metric, metrics_of
from cv_pipeline.settings import cv_home, dagster_home
from cv_pipeline.storage import ObjectStore, fetch

_CONDITION = re.compile(
    r"\s*(?P<metric>[A-Za-z][\w/.-]*?)\s*(?P<sign>>=|<=|==|!=|=|>|<)"
    r"\s*(?P<number>[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(?P<percent>%?)\s*"
)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


_MARKERS = {
    "datasets": "dataset.json",
    "predictions": "predictions.json",
    "evaluations": "evaluation.json",
}
"""Kinds of folders, and the file that says that one is complete."""


class LakeReferences:
    """Finds what the queries of one project refer to.

    Args:
        project: the project that a reference without a project's name is of.
        store: the object store.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        cache: folder for copies from a remote store; by default the one of ``CV_HOME``.
    """

    def __init__(
        self,
        *,
        project: str,
        store: ObjectStore,
        instance: DagsterInstance | None = None,
        cache: Path | None = None,
    ) -> None:
        self._project = project
        self._store = store
        self._instance = instance
        self._cache = cache or cv_home() / "cache"

    def dataset(self, ref: str) -> Path:
        """Folder of a dataset version.

        Raises:
            ProvenanceError: the reference is unknown or ambiguous.
            ObjectNotFound: its folder is not in the store.
        """
        event = find_event(self._log(), asset="dataset_version", ref=ref, project=self._project)
        return self._folder(event, "datasets")

    def predictions(self, ref: str) -> Path:
        """Folder of the newest predictions of a model.

        Raises:
            ProvenanceError: the reference is unknown or ambiguous, or there are none.
            ObjectNotFound: their folder is not in the store.
        """
        log = self._log()
        model = find_event(log, asset="trained_model", ref=ref, project=self._project)
        made = _newest(log.children(model.key, model.version), "predictions")
        if made is None:
            raise _without(model, "predictions")
        return self._folder(made, "predictions")

    def evaluation(self, ref: str) -> Path:
        """Folder of the newest evaluation of a model.

        Raises:
            ProvenanceError: the reference is unknown or ambiguous, or there is none.
            ObjectNotFound: its folder is not in the store.
        """
        log = self._log()
        model = find_event(log, asset="trained_model", ref=ref, project=self._project)
        evaluations = [
            evaluation
            for predictions in log.children(model.key, model.version)
            if predictions.asset == "predictions"
            for evaluation in log.children(predictions.key, predictions.version)
        ]
        made = _newest(evaluations, "eval_slices")
        if made is None:
            raise _without(model, "eval_slices")
        return self._folder(made, "evaluations")

    def folder(self, name: str) -> Path:
        """A folder that a reference led to before.

        Args:
            name: ``PROJECT/KIND/DIGEST``, such as ``fruit/datasets/1a2b…``.

        Raises:
            ProvenanceError: no folder has such a name.
            ObjectNotFound: it is not in the store any more.
        """
        kind = name.split("/")[1] if name.count("/") == 2 else ""
        if kind not in _MARKERS:
            raise ProvenanceError(f"{name!r} names no folder of the store.")
        return fetch(self._store, f"projects/{name}", marker=_MARKERS[kind], cache=self._cache)

    def moment(self, text: str) -> Moment:
        """The moment that a text names.

        Args:
            text: a dataset version; an evaluation, by its digest or as
                ``project/metric@evaluation``; or a condition on a metric, such as
                ``precision >= 0.91`` or ``precision >= 91%``, which means the first evaluation at
                which it held.

        Raises:
            ProvenanceError: it is unknown, or the condition never held.
        """
        log = self._log()
        condition = _CONDITION.fullmatch(text)
        if condition:
            number = float(condition["number"]) / (100 if condition["percent"] else 1)
            name = condition["metric"].removeprefix(f"{self._project}/")
            return self._first(log, name, condition["sign"], number)
        if "/" in text.rpartition("@")[0]:
            metric = find_metric(log, text)
            return _of_evaluation(log, metric.event, metric.name, metric.value)
        return self._named(log, text)

    @cached_property
    def _index(self) -> LineageIndex:
        if self._instance is None:
            dagster_home()
        return LineageIndex(self._instance or DagsterInstance.get())

    def _log(self) -> LineageIndex:
        """The event log as it is now."""
        self._index.catch_up()
        return self._index

    def _folder(self, event: Materialization, kind: str) -> Path:
        return self.folder(f"{event.project}/{kind}/{event.version}")

    def _named(self, log: LineageIndex, ref: str) -> Moment:
        """The moment of a dataset version, or else of an evaluation."""
        try:
            event = find_event(log, asset="dataset_version", ref=ref, project=self._project)
        except ProvenanceError as unknown:
            if "fits several" in unknown.what:
                raise
            try:
                event = find_event(log, asset="eval_slices", ref=ref, project=self._project)
            except ProvenanceError as error:
                if "fits several" in error.what:
                    raise
                raise ProvenanceError(
                    f"{ref!r} is no moment: no dataset version and no evaluation has it.",
                    do=f"{unknown.do} Or write a metric (project/metric@evaluation), a condition"
                    " (precision >= 0.91) or a time (2025-11-03T08:30:00Z).",
                ) from None
            return _of_evaluation(log, event)
        what = f"dataset {event.project}@{event.version[:12]}, {_day(event)}"
        return Moment(what, _table_versions(log, event), event.version)

    def _first(self, log: LineageIndex, metric: str, sign: str, number: float) -> Moment:
        """The first evaluation at which a condition on a metric held."""
        holds = _SIGNS[sign]
        values: list[tuple[float, Materialization]] = []
        known: set[str] = set()
        for event in log.oldest_first(f"{self._project}/eval_slices"):
            numbers = metrics_of(event)
            known |= numbers.keys()
            if metric in numbers:
                if holds(numbers[metric], number):
                    return _of_evaluation(log, event, metric, numbers[metric])
                values.append((numbers[metric], event))
        if not known:
            raise ProvenanceError(
                f"Project {self._project!r} has no evaluation yet.",
                do=f"Run: cvp run {self._project}",
            )
        if not values:
            raise ProvenanceError(
                f"No evaluation of {self._project} recorded a metric {metric!r}.",
                do=nearest(metric, known),
            )
        best, event = min(values, key=lambda v: abs(v[0] - number))
        raise ProvenanceError(
            f"{metric} {sign} {number:g} never held in {self._project}: the nearest it came is"
            f" {best:.4f}, at evaluation {event.version[:12]} ({_day(event)}).",
            do="Ask for a value that was reached.",
        )


def _of_evaluation(
    log: LineageIndex, event: Materialization, metric: str = "", value: float = 0.0
) -> Moment:
    """The moment of an evaluation: what its dataset version was made from."""
    pointer = event.input(f"{event.project}/dataset_version")
    dataset = log.event(pointer.key, pointer.storage_id) if pointer else None
    if dataset is None:
        raise ProvenanceError(
            f"{event.key} (event {event.storage_id}) does not say which dataset version it was"
            " made from.",
            do=f"Materialize {event.key} again.",
        )
    what = f"evaluation {event.project}@{event.version[:12]}, {_day(event)}"
    if metric:
        what += f", {metric} {value:.4f}"
    return Moment(what, _table_versions(log, dataset), dataset.version)


def _table_versions(log: LineageIndex, dataset: Materialization) -> dict[str, int]:
    """The table versions that a dataset version, or else its candidate, recorded."""
    recorded = _recorded(dataset)
    pointer = dataset.input(f"{dataset.project}/dataset_candidate")
    if not recorded and pointer is not None:
        candidate = log.event(pointer.key, pointer.storage_id)
        recorded = _recorded(candidate) if candidate else {}
    if not recorded:
        raise ProvenanceError(
            f"{dataset.key} (event {dataset.storage_id}) recorded no table versions.",
            do="Name another dataset version.",
        )
    return recorded


def _recorded(event: Materialization) -> dict[str, int]:
    versions = event.metadata.get("table_versions")
    return {k: int(v) for k, v in versions.items()} if isinstance(versions, dict) else {}


def _newest(events: Iterable[Materialization], asset: str) -> Materialization | None:
    of_asset = [event for event in events if event.asset == asset]
    return max(of_asset, key=lambda event: event.storage_id, default=None)


def _without(model: Materialization, asset: str) -> ProvenanceError:
    return ProvenanceError(
        f"Model {model.project}@{model.version[:12]} has no {asset} in the event log.",
        do=f"Run: cvp run {model.project}",
    )


def _day(event: Materialization) -> str:
    return f"{event.timestamp:%Y-%m-%d %H:%M}Z"
