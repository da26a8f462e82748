"""Models: the list with a leaderboard of one dataset version, and one model with its training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ValidationError

from cv_pipeline.errors import ObjectNotFound
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.data.curves import Curve, training_curve
from cv_pipeline.inspector.data.models import (
    Evaluated,
    ModelRow,
    evaluated_of,
    model_rows,
    parameters_of,
)
from cv_pipeline.inspector.data.standings import Standings, ask_standings
from cv_pipeline.inspector.jobs import JobState
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.references import find_event
from cv_pipeline.training.model_folder import CARD_FILE, WEIGHTS_FILE, ModelCard

routes = Routes("Models")

_MLFLOW_RUN = re.compile(r"#(/experiments/[0-9A-Za-z]+/runs/[0-9A-Za-z]+)$")


class Models(BaseModel):
    """Every model of a project, and the leaderboard of one dataset version."""

    project: str
    metric: str
    rows: list[ModelRow]
    datasets: list[str]
    dataset: str
    job: JobState | None
    standings: Standings | None


class CorrectiveFacts(BaseModel):
    """How a model was to better its parent."""

    digest: str
    parent: str
    query: str
    weight: int | None
    label: str
    changes: dict[str, str]
    reason: str
    actor: str
    emphasised: int | None


class Model(BaseModel):
    """One model, with all that is known of it."""

    project: str
    metric: str
    row: ModelRow
    evaluations: list[Evaluated]
    children: list[str]
    others: list[str]
    curve: Curve | None
    parameters: dict[str, str]
    hardware: dict[str, str]
    labels: list[str]
    weights: int | None
    bytes: int | None
    costs: dict[str, float]
    peak_memory: float | None
    normalised_on: int | None
    train_images: int | None
    corrective: CorrectiveFacts | None
    taken_out: list[str]
    mlflow: str
    code_version: str
    reused: bool


@routes.page("/p/{project}/models", template="pages/models.html", permission=Permission.VIEW)
def models(
    project: str,
    workspace: CurrentWorkspace,
    dataset: Annotated[str, Query(max_length=80)] = "",
) -> Models:
    """Every model, and the leaderboard of one dataset version: that of the newest evaluation."""
    settings = workspace.project(project)
    with workspace.log() as log:
        rows = model_rows(log, settings)
        evaluated = [m.evaluated for m in rows if m.evaluated]
        datasets = list(dict.fromkeys(e.dataset for e in sorted(evaluated, key=_newest)))
        chosen = datasets[0] if datasets else ""
        if dataset:
            chosen = find_event(log, asset="dataset_version", ref=f"{project}@{dataset}").version
    job = ask_standings(workspace, project, chosen, rows) if chosen in datasets else None
    return Models(
        project=project,
        metric=settings.metric,
        rows=rows,
        datasets=datasets,
        dataset=chosen,
        job=JobState.of(job) if job else None,
        standings=job.result if job else None,
    )


@routes.page(
    "/p/{project}/models/{digest}", template="pages/model.html", permission=Permission.VIEW
)
def model(project: str, digest: str, workspace: CurrentWorkspace) -> Model:
    """One model: training curve, parameters, hardware, costs, evaluations and where it comes from.

    ``digest`` is a digest, a prefix of one, or ``latest``.
    """
    settings = workspace.project(project)
    with workspace.log() as log:
        event = find_event(log, asset="trained_model", ref=f"{project}@{digest}")
        rows = model_rows(log, settings)
        evaluations = [
            evaluated_of(e, settings.metric)
            for e in log.newest_first(f"{project}/eval_slices")
            if e.metadata.get("model") == event.version
        ]
        taken_out = log.taken_out(event.key, event.version)
    row = next(r for r in rows if r.digest == event.version)
    card = _card(workspace, project, event.version)
    size = _size(workspace, project, event.version)
    told = event.metadata
    costs = dict(row.costs)
    if size is not None:
        costs["model_bytes"] = float(size)
    if card is not None:
        costs["weights"] = float(card.weights)
    return Model(
        project=project,
        metric=settings.metric,
        row=row,
        evaluations=list({e.evaluation: e for e in reversed(evaluations)}.values())[::-1],
        children=[r.digest for r in rows if r.parent == event.version],
        others=[r.digest for r in rows if r.digest != event.version and r.evaluated],
        curve=training_curve(workspace.store, settings, event.version),
        parameters=_parameters(event, card),
        hardware=_hardware(event, card),
        labels=list(card.labels) if card else [],
        weights=card.weights if card else None,
        bytes=size,
        costs=costs,
        peak_memory=_number(told.get("peak_memory_bytes")),
        normalised_on=card.normalised_on.images if card and card.normalised_on else None,
        train_images=card.train_images if card else None,
        corrective=_corrective(row, told),
        taken_out=taken_out,
        mlflow=_mlflow(workspace, told.get("mlflow_run")),
        code_version=event.code_version,
        reused=bool(told.get("reused", False)),
    )


def _newest(evaluated: Evaluated) -> float:
    return -evaluated.at.timestamp()


def _card(workspace: Workspace, project: str, digest: str) -> ModelCard | None:
    """The card of a model; None where its folder is gone or of other code."""
    try:
        text = workspace.store.read(f"projects/{project}/models/{digest}/{CARD_FILE}")
        return ModelCard.model_validate_json(text)
    except (ObjectNotFound, ValidationError):
        return None


def _size(workspace: Workspace, project: str, digest: str) -> int | None:
    """Bytes of a model's weights."""
    key = f"projects/{project}/models/{digest}/{WEIGHTS_FILE}"
    return next((info.size for info in workspace.store.list(key) if info.key == key), None)


def _parameters(event: Materialization, card: ModelCard | None) -> dict[str, str]:
    told = parameters_of(event)
    if not told and card is not None:
        told = _flat(card.training.model_dump(mode="json"))
    return {str(k): str(v) for k, v in told.items()}


def _flat(values: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, Mapping)
        found |= _flat(value, f"{start}{name}.") if inner else {f"{start}{name}": value}
    return found


def _hardware(event: Materialization, card: ModelCard | None) -> dict[str, str]:
    told = event.metadata.get("hardware")
    known = told if isinstance(told, Mapping) else card.hardware if card else {}
    return {str(k): str(v) for k, v in sorted(known.items())}


def _corrective(row: ModelRow, told: Mapping[str, Any]) -> CorrectiveFacts | None:
    record = told.get("corrective_record")
    if not isinstance(record, Mapping):
        return None
    selection = record.get("selection")
    selection = selection if isinstance(selection, Mapping) else {}
    changes = record.get("changes")
    changes = changes if isinstance(changes, Mapping) else {}
    emphasised = told.get("emphasised")
    drawn = emphasised.get("images") if isinstance(emphasised, Mapping) else None
    weight = selection.get("weight")
    return CorrectiveFacts(
        digest=row.corrective,
        parent=row.parent,
        query=str(selection.get("query", "")),
        weight=int(weight) if isinstance(weight, int) else None,
        label=str(record.get("label") or ""),
        changes={str(name): _change(change) for name, change in changes.items()},
        reason=row.reason,
        actor=str(record.get("actor", "")),
        emphasised=int(drawn) if isinstance(drawn, int) else None,
    )


def _change(change: Any) -> str:
    if isinstance(change, Mapping) and {"before", "after"} <= change.keys():
        return f"{change['before']} → {change['after']}"
    return str(change)


def _mlflow(workspace: Workspace, told: Any) -> str:
    """Address of the MLflow run; only its place there is taken from what was recorded."""
    found = _MLFLOW_RUN.search(str(told or ""))
    return f"{workspace.mlflow_ui}/#{found[1]}" if found else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
