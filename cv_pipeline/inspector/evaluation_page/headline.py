"""The numbers of an evaluation, what they are of, and what they were before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cv_pipeline.evaluation.record import EvaluationRecord
from cv_pipeline.inspector.board.history import Recorded, number
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.evaluated import Evaluated

_LEADING = (
    "AP50", "AP", "AP75", "accuracy", "macro_f1", "recall", "precision", "f1", "ece",
)  # fmt: skip
_COSTS = {
    "latency_p50_ms": ("latency, median", "{:.3g} ms", 1.0),
    "latency_p95_ms": ("latency, 95th percentile", "{:.3g} ms", 1.0),
    "throughput_images_per_s": ("throughput", "{:.3g} images/s", 1.0),
    "model_bytes": ("size", "{:,.1f} MB", 1e6),
    "weights": ("weights", "{:,.0f}", 1.0),
    "training_seconds": ("training", "{:,.0f} s", 1.0),
    "prediction_seconds": ("prediction", "{:,.0f} s", 1.0),
}


class Headline(BaseModel):
    """A number of the whole split; leading ones are shown large."""

    name: str
    value: float
    low: float | None
    high: float | None
    leading: bool


class OriginStep(BaseModel):
    """A materialization that the evaluation comes from."""

    what: str
    version: str
    href: str
    run_id: str
    at: datetime
    code_version: str


class Origin(BaseModel):
    """What the numbers are of: everything that was followed by the event log's pointers."""

    steps: list[OriginStep]
    model_name: str
    parameters: dict[str, str]
    changed: dict[str, str]
    hardware: dict[str, str]
    costs: dict[str, str]
    seed: str
    corrective: str
    reason: str
    by: str
    dagster: str
    mlflow: str
    library: str


class MetricChange(BaseModel):
    """A number before and now."""

    name: str
    before: float | None
    now: float | None
    difference: float | None
    dropped: bool


class Before(BaseModel):
    """The evaluation before this one."""

    digest: str
    model: str
    at: datetime
    same_model: bool
    same_dataset: bool
    changes: list[MetricChange]


def headline(record: EvaluationRecord) -> list[Headline]:
    """Numbers of the headline split, the optimizing metric first."""
    own = [name for name in record.metrics if "/" not in name]
    order = {name: n for n, name in enumerate(_LEADING)}
    own.sort(key=lambda n: (n != record.metric, order.get(n, len(order)), n))
    found = []
    for name in own:
        known = record.intervals.get(name)
        found.append(
            Headline(
                name=name,
                value=record.metrics[name],
                low=known.low if known else None,
                high=known.high if known else None,
                leading=name == record.metric or name in _LEADING,
            )
        )
    return found


def origin(workspace: Workspace, evaluated: Evaluated) -> Origin:
    """What an evaluation is of, with where each part is looked at."""
    project = evaluated.project
    model = evaluated.model.metadata
    record = evaluated.evaluation.record
    corrected = model.get("corrective_record")
    declared: Mapping[str, Any] = corrected if isinstance(corrected, Mapping) else {}
    pages = {
        "Dataset version": f"/p/{project}/datasets/{evaluated.dataset.version}",
        "Model": f"/p/{project}/models/{evaluated.model.version}",
        "Predictions": "",
        "Evaluation": "",
    }
    events = (evaluated.dataset, evaluated.model, evaluated.predictions, evaluated.event)
    return Origin(
        steps=[
            OriginStep(
                what=what,
                version=event.version,
                href=href,
                run_id=event.run_id,
                at=event.timestamp,
                code_version=event.code_version,
            )
            for (what, href), event in zip(pages.items(), events, strict=True)
        ],
        model_name=str(_mapping(model.get("parameters")).get("model", "")),
        parameters=_texts(model.get("parameters")),
        changed={
            f"training.{key}": f"{change.get('before')} → {change.get('after')}"
            for key, change in _mapping(declared.get("changes")).items()
            if isinstance(change, Mapping)
        },
        hardware=_texts(model.get("hardware")),
        costs=_costs(evaluated),
        seed=str(model.get("seed", "")),
        corrective=str(model.get("corrective") or ""),
        reason=str(declared.get("reason", "")),
        by=str(declared.get("actor", "")),
        dagster=f"{workspace.dagster_ui}/runs/{evaluated.event.run_id}",
        mlflow=_address(model.get("mlflow_run")),
        library=record.library,
    )


def previous(before: Recorded, now: Recorded) -> Before:
    """The numbers of an evaluation beside those of the one before it."""
    names = [
        name for name in _LEADING if before.value(name) is not None or now.value(name) is not None
    ]
    return Before(
        digest=before.digest,
        model=before.model,
        at=before.at,
        same_model=before.model == now.model,
        same_dataset=before.dataset == now.dataset,
        changes=[_change(name, before, now) for name in names],
    )


def _change(name: str, before: Recorded, now: Recorded) -> MetricChange:
    old, new = before.value(name), now.value(name)
    return MetricChange(
        name=name,
        before=old,
        now=new,
        difference=None if old is None or new is None else new - old,
        dropped=name in now.drops,
    )


def _costs(evaluated: Evaluated) -> dict[str, str]:
    costs = evaluated.costs()
    told = {
        words: form.format(costs[name] / per)
        for name, (words, form, per) in _COSTS.items()
        if number(costs.get(name)) is not None
    }
    facts = evaluated.predictions.metadata
    if "latency_device" in facts:
        told["measured on"] = f"{facts['latency_device']}, {facts.get('latency_threads')} threads"
    return told


def _texts(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in _mapping(value).items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _address(value: Any) -> str:
    """A recorded address, if a link may lead to it."""
    text = str(value or "")
    return text if text.startswith(("http://", "https://")) else ""
