"""One evaluation with all that it is of: its predictions, model and dataset version, and costs.

Everything is followed by the pointers of the event log, so it is what that evaluation really read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from cv_pipeline.errors import ProvenanceError
from cv_pipeline.evaluation import Evaluation, load_evaluation
from cv_pipeline.evaluation.verdict.champion import Rival, Standing
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.references import find_event
from cv_pipeline.requirement import COSTS
from cv_pipeline.settings import cv_home, store_url
from cv_pipeline.storage import ObjectStore, fetch, open_store

_CARD, _WEIGHTS = "model.json", "model.safetensors"


@dataclass(frozen=True)
class Evaluated:
    """An evaluation and what it was made from.

    Attributes:
        event: materialization of the evaluation.
        predictions: of the predictions that it read.
        model: of the model that made those.
        dataset: of the dataset version that they are on.
        store: where their folders lie.
        cache: where copies of them are kept.
    """

    event: Materialization
    predictions: Materialization
    model: Materialization
    dataset: Materialization
    store: ObjectStore
    cache: Path

    @classmethod
    def of(cls, log: EventLog, event: Materialization, *, store: ObjectStore, cache: Path) -> Self:
        """Follow a materialization of ``eval_slices`` to what it read.

        Raises:
            ProvenanceError: it does not say what it was made from.
        """
        predictions = parent_of(log, event, "predictions")
        return cls(
            event=event,
            predictions=predictions,
            model=parent_of(log, predictions, "trained_model"),
            dataset=parent_of(log, event, "dataset_version"),
            store=store,
            cache=cache,
        )

    @property
    def project(self) -> str:
        """Name of the project."""
        return self.event.project

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation, its digest verified."""
        return load_evaluation(self.folder("evaluations", self.event.version, "evaluation.json"))

    def folder(self, kind: str, digest: str, marker: str) -> Path:
        """A published folder of the project as a local one."""
        key = f"projects/{self.project}/{kind}/{digest}"
        return fetch(self.store, key, marker=marker, cache=self.cache)

    def dataset_folder(self) -> Path:
        """Folder of the dataset version."""
        return self.folder("datasets", self.dataset.version, "dataset.json")

    def predictions_folder(self) -> Path:
        """Folder of the predictions."""
        return self.folder("predictions", self.predictions.version, "predictions.json")

    def model_folder(self) -> Path:
        """Folder of the model."""
        return self.folder("models", self.model.version, _CARD)

    def costs(self) -> dict[str, float]:
        """What is known of the model's costs, by the names of ``COSTS``."""
        return costs_of(self.store, model=self.model, predictions=self.predictions)


def find_evaluated(
    log: EventLog,
    *,
    project: str,
    ref: str,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> Evaluated:
    """The evaluation that a digest, a prefix or ``latest`` means.

    Args:
        log: the event log.
        project: name of the project.
        ref: which of its evaluations.
        store: the object store; by default the one of ``CV_STORE``.
        cache: where copies of a remote store's folders are kept; by default in ``CV_HOME``.

    Raises:
        ProvenanceError: there is none, or it does not say what it was made from.
    """
    event = find_event(log, asset="eval_slices", ref=f"{project}@{ref}")
    return Evaluated.of(
        log, event, store=store or open_store(store_url()), cache=cache or cv_home() / "cache"
    )


def costs_of(
    store: ObjectStore, *, model: Materialization, predictions: Materialization
) -> dict[str, float]:
    """What is known of a model's costs, by the names of ``COSTS``; unmeasured ones are absent."""
    folder = f"projects/{model.project}/models/{model.version}/"
    sizes = {info.key: info.size for info in store.list(folder)}
    found: Mapping[str, object] = {
        **{name: predictions.metadata.get(name) for name in COSTS},
        "training_seconds": model.metadata.get("seconds"),
        "prediction_seconds": predictions.metadata.get("seconds"),
        "model_bytes": sizes.get(folder + _WEIGHTS),
        "weights": json.loads(store.read(folder + _CARD)).get("weights")
        if folder + _CARD in sizes
        else None,
    }
    return {k: float(v) for k, v in found.items() if isinstance(v, int | float)}


def rival_of(
    log: EventLog, standing: Standing, *, project: str, dataset: str, metric: str
) -> Rival:
    """The optimizing metric of the champion: on this dataset version, else where it was promoted.

    Args:
        log: the event log.
        standing: the champion.
        project: name of the project.
        dataset: digest of the dataset version of the model that it is compared with.
        metric: the optimizing metric.
    """
    own: Materialization | None = None
    for event in log.newest_first(f"{project}/eval_slices"):
        if event.metadata.get("model") != standing.model:
            continue
        if event.metadata.get("dataset") == dataset and metric in event.metadata:
            return Rival(float(event.metadata[metric]), dataset)
        if event.version == standing.evaluation:
            own = own or event
    value = own.metadata.get(metric) if own else None
    return Rival(
        float(value) if isinstance(value, int | float) else None,
        standing.dataset,
    )


def parent_of(log: EventLog, child: Materialization, asset: str) -> Materialization:
    """The very materialization of a parent that ``child`` was made from.

    Raises:
        ProvenanceError: the child does not name it, or its record is gone.
    """
    key = f"{child.project}/{asset}"
    pointer = child.input(key)
    event = log.event(key, pointer.storage_id) if pointer else None
    if event is None:
        raise ProvenanceError(
            f"{child.key} (event {child.storage_id}) does not say which {key} it was made from.",
            do=f"Materialize {child.key} again.",
        )
    return event
