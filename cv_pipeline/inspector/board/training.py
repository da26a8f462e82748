"""The training of a model, epoch by epoch; each epoch leads to the images that got worse in it."""

from __future__ import annotations

from typing import Any

from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.board.alerts import epoch_address
from cv_pipeline.inspector.board.history import number, validation_metric
from cv_pipeline.inspector.charts import Chart, Sample, line_chart
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.monitoring.epoch_drop import EpochDrop, epoch_drops
from cv_pipeline.project import Project
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.storage.folders import fetch
from cv_pipeline.training.epoch_results import read_epochs


def read_training(
    workspace: Workspace, settings: Project, model: Materialization | None, missing: list[str]
) -> tuple[list[dict[str, Any]], list[EpochDrop]]:
    """The epochs of the newest model's training, and those at which it fell too far."""
    if model is None:
        return [], []
    key = f"projects/{settings.name}/models/{model.version}"

    def read() -> list[dict[str, Any]]:
        folder = fetch(workspace.store, key, marker="model.json", cache=workspace.cache)
        rows: list[dict[str, Any]] = read_epochs(folder).to_pylist()
        return rows

    try:
        epochs = workspace.kept.get(("epochs", key), read)
    except (CVPipelineError, OSError) as error:
        missing.append(f"The curve of the newest training cannot be read: {error}")
        return [], []
    drops = epoch_drops(
        [e["epoch"] for e in epochs],
        [e["validation"] for e in epochs],
        drift=settings.monitoring.metric_drift,
    )
    return epochs, drops


def training_chart(
    settings: Project,
    model: Materialization | None,
    epochs: list[dict[str, Any]],
    drops: list[EpochDrop],
    *,
    width: float,
    height: float,
) -> Chart | None:
    """The validation metric of the newest training; each epoch leads to what got worse in it."""
    if model is None or not any(number(e["validation"]) is not None for e in epochs):
        return None
    fallen = {d.epoch: d for d in drops}
    samples = [
        Sample(
            x=e["epoch"],
            value=number(e["validation"]),
            words=f"Epoch {e['epoch']}: {validation_metric(settings)} {e['validation']:.3f}, loss"
            f" {e['train_loss']:.3f}"
            + (
                f"; fell {fallen[e['epoch']].drop:.1%} from epoch"
                f" {fallen[e['epoch']].reference_epoch}"
                if e["epoch"] in fallen
                else ""
            )
            + ("" if place == 0 else ". Opens the images that got worse"),
            tick=str(e["epoch"]),
            href=epoch_address(
                settings.name,
                model.version,
                e["epoch"],
                fallen[e["epoch"]].reference_epoch if e["epoch"] in fallen else None,
            )
            if place
            else "",
            alert=e["epoch"] in fallen,
        )
        for place, e in enumerate(epochs)
        if number(e["validation"]) is not None
    ]
    return line_chart(
        [(validation_metric(settings), samples)],
        title=f"Validation {validation_metric(settings)} by epoch",
        words=f"Validation {validation_metric(settings)} after each of {len(samples)} epochs of the"
        " newest model's training.",
        width=width,
        height=height,
    )
