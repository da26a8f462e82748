"""What models said of one image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from cv_pipeline.datasets.image_rows import rows_of_images
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.images.marks import Mark, box_of
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.worst_images import PREDICTION_COLUMNS

MOST_MODELS = 40
"""Models that can be chosen from: the newest."""
MOST_COMPARED = 6
"""Models whose predictions are read at once."""

Size = tuple[int, int]


class ModelSaid(BaseModel):
    """A model, and what it says of the image.

    Attributes:
        model: its digest.
        predictions: digest of its newest predictions.
        at: when these were made.
        metric: name of the metric that it is judged by.
        value: its value; None where it was not evaluated.
        evaluation: digest of its newest evaluation.
        operating_point: score from which upwards a prediction counts; None where all do.
        chosen: whether its predictions were read.
        marks: its predictions, best first.
        problem: why there are none, though it is chosen.
    """

    model: str
    predictions: str
    at: str
    metric: str = ""
    value: float | None = None
    evaluation: str | None = None
    operating_point: float | None = None
    chosen: bool = False
    marks: list[Mark] = []
    problem: str = ""


@dataclass(frozen=True)
class _Made:
    """A model's newest predictions and their newest evaluation."""

    predictions: Materialization
    evaluation: Materialization | None


def models_on(
    workspace: Workspace,
    project: str,
    image_id: str,
    size: Size,
    *,
    chosen: Collection[str],
    metric: str,
) -> list[ModelSaid]:
    """The models that made predictions, the newest first, and what the chosen say of an image.

    Args:
        workspace: what pages read.
        project: name of the project.
        image_id: the image.
        size: its width and height.
        chosen: digests of models or beginnings of them; ``latest`` is the newest.
        metric: the project's optimizing metric.
    """
    made = _newest_predictions(workspace, project)
    said = []
    read = 0
    for at, (model, of_model) in enumerate(made.items()):
        wanted = any(model.startswith(c) or (c == "latest" and at == 0) for c in chosen if c)
        found = _said(model, of_model, metric)
        if wanted and read < MOST_COMPARED:
            read += 1
            _read(found, workspace, project, image_id, size)
        said.append(found)
    return said


def _newest_predictions(workspace: Workspace, project: str) -> dict[str, _Made]:
    """Model to its newest predictions, the newest first."""
    found: dict[str, _Made] = {}
    with workspace.log() as log:
        evaluations: dict[str, Materialization] = {}
        for event in log.newest_first(f"{project}/eval_slices"):
            pointer = event.input(f"{project}/predictions")
            if pointer is not None:
                evaluations.setdefault(pointer.version, event)
        for event in log.newest_first(f"{project}/predictions"):
            model = event.input(f"{project}/trained_model")
            if model is not None and model.version not in found:
                found[model.version] = _Made(event, evaluations.get(event.version))
            if len(found) == MOST_MODELS:
                break
    return found


def _said(model: str, made: _Made, metric: str) -> ModelSaid:
    event = made.evaluation
    metadata = event.metadata if event is not None else {}
    value, point = metadata.get(metric), metadata.get("operating_point")
    return ModelSaid(
        model=model,
        predictions=made.predictions.version,
        at=made.predictions.timestamp.isoformat(),
        metric=metric,
        value=float(value) if isinstance(value, int | float) else None,
        evaluation=event.version if event is not None else None,
        operating_point=float(point) if isinstance(point, int | float) else None,
    )


def _read(said: ModelSaid, workspace: Workspace, project: str, image_id: str, size: Size) -> None:
    """Read what a chosen model says."""
    said.chosen = True
    folder = f"projects/{project}/predictions/{said.predictions}"
    columns = ["image_id", *PREDICTION_COLUMNS]
    try:
        where = workspace.store.arrow(f"{folder}/predictions.parquet")
        rows = rows_of_images(where, [image_id], columns=columns).to_pylist()
        if said.evaluation and said.operating_point is None:
            record = workspace.evaluated(project, said.evaluation).evaluation.record
            said.operating_point = record.operating_point
    except CVPipelineError as error:
        said.problem = error.what
        return
    said.marks = _predictions(sorted(rows, key=lambda row: int(row["rank"])), size)
    if not said.marks:
        said.problem = "It says nothing of this image: it found nothing, or was not asked."


def _predictions(rows: Sequence[dict[str, Any]], size: Size) -> list[Mark]:
    return [
        Mark(
            kind="prediction",
            label=row["label"],
            score=row["score"],
            rank=row["rank"],
            box=box_of(row, size),
        )
        for row in rows
    ]
