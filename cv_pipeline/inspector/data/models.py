"""What the event log says of a project's models: where each comes from, how good, how costly.

Read from events alone, so that a list of every model costs no look into any folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cv_pipeline.project import Project
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import metrics_of
from cv_pipeline.requirement import COSTS

NOBODY = "none"


class Interval(BaseModel):
    """A number with its 95 % interval, where one is known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Evaluated(BaseModel):
    """A model's newest evaluation on one dataset version."""

    evaluation: str
    dataset: str
    metric: str
    split: str
    value: Interval
    at: datetime
    run_id: str


class Promotion(BaseModel):
    """What the champion's gate said of a model."""

    outcome: str
    passes: bool
    reason: str


class ModelRow(BaseModel):
    """One model, as lists show it."""

    digest: str
    made_at: datetime
    run_id: str
    storage_id: int
    dataset: str
    parent: str
    corrective: str
    reason: str
    architecture: str
    epochs: int | None
    seed: int | None
    validation: float | None
    evaluated: Evaluated | None
    promotion: Promotion | None
    is_champion: bool
    costs: dict[str, float]
    taken_out: int

    @property
    def value(self) -> float | None:
        """The optimizing metric at its newest evaluation."""
        return self.evaluated.value.value if self.evaluated else None


def model_rows(log: LineageIndex, project: Project) -> list[ModelRow]:
    """Every model of a project, the newest first."""
    name = project.name
    newest = newest_evaluations(log, project)
    promotions, champion = _promotions(log, name)
    rows = []
    for event in reversed(log.first_of_each_version(f"{name}/trained_model")):
        told = event.metadata
        evaluation = newest.get(event.version)
        parent = event.input(f"{name}/dataset_version")
        record = told.get("corrective_record")
        record = record if isinstance(record, Mapping) else {}
        rows.append(
            ModelRow(
                digest=event.version,
                made_at=event.timestamp,
                run_id=event.run_id,
                storage_id=event.storage_id,
                dataset=parent.version if parent else str(told.get("dataset", "")),
                parent=str(record.get("parent", "")),
                corrective=str(told.get("corrective") or ""),
                reason=str(record.get("reason", "")),
                architecture=str(parameters_of(event).get("model", "")),
                epochs=_whole(told.get("epochs")),
                seed=_whole(told.get("seed")),
                validation=next(
                    (v for k, v in metrics_of(event).items() if k.startswith("val_")), None
                ),
                evaluated=evaluated_of(evaluation, project.metric) if evaluation else None,
                promotion=promotions.get(event.version),
                is_champion=event.version == champion,
                costs=_costs(log, event, evaluation),
                taken_out=len(log.taken_out(event.key, event.version)),
            )
        )
    return rows


def newest_evaluations(log: LineageIndex, project: Project) -> dict[str, Materialization]:
    """The newest evaluation of each model."""
    found: dict[str, Materialization] = {}
    for event in log.newest_first(f"{project.name}/eval_slices"):
        found.setdefault(str(event.metadata.get("model", "")), event)
    return found


def evaluated_of(event: Materialization, metric: str) -> Evaluated:
    """What an evaluation recorded of the optimizing metric."""
    told = event.metadata
    intervals = told.get("intervals")
    interval = intervals.get(metric) if isinstance(intervals, Mapping) else None
    interval = interval if isinstance(interval, Mapping) else {}
    return Evaluated(
        evaluation=event.version,
        dataset=str(told.get("dataset", "")),
        metric=metric,
        split=str(told.get("split", "")),
        value=Interval(
            value=metrics_of(event).get(metric),
            low=interval.get("low"),
            high=interval.get("high"),
        ),
        at=event.timestamp,
        run_id=event.run_id,
    )


def parameters_of(event: Materialization) -> dict[str, Any]:
    """The parameters that a model's event recorded, by name."""
    told = event.metadata.get("parameters")
    return dict(sorted(told.items())) if isinstance(told, Mapping) else {}


def _promotions(log: LineageIndex, project: str) -> tuple[dict[str, Promotion], str]:
    """What was last decided of each model, and the model that is champion."""
    decided: dict[str, Promotion] = {}
    champion = ""
    for number, event in enumerate(log.newest_first(f"{project}/champion")):
        told = event.metadata
        if not number:
            named = str(told.get("champion", event.version))
            champion = "" if named == NOBODY else named
        decided.setdefault(
            str(told.get("candidate", "")),
            Promotion(
                outcome=str(told.get("outcome", "")),
                passes=bool(told.get("candidate_passes", False)),
                reason=str(told.get("reason", "")),
            ),
        )
    return decided, champion


def _costs(
    log: LineageIndex, model: Materialization, evaluation: Materialization | None
) -> dict[str, float]:
    """What events know of a model's costs, by the names of ``COSTS``."""
    found: dict[str, object] = {"training_seconds": model.metadata.get("seconds")}
    pointer = evaluation.input(f"{model.project}/predictions") if evaluation else None
    predictions = log.event(pointer.key, pointer.storage_id) if pointer else None
    if predictions is not None:
        found |= {name: predictions.metadata.get(name) for name in COSTS if name not in found}
        found["prediction_seconds"] = predictions.metadata.get("seconds")
    return {k: float(v) for k, v in found.items() if isinstance(v, int | float)}


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
