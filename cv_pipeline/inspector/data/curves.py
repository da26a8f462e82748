"""The curve of a training, with the epochs at which it fell marked and leading to their images."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
from pydantic import BaseModel

from cv_pipeline.inspector.board.alerts import epoch_address
from cv_pipeline.inspector.charts import Chart, Sample, line_chart
from cv_pipeline.inspector.data import links
from cv_pipeline.monitoring.epoch_drop import epoch_drops, summarize_drops
from cv_pipeline.project import Project
from cv_pipeline.storage import ObjectStore
from cv_pipeline.training.model_folder import EPOCHS, EPOCHS_FILE


class Drop(BaseModel):
    """An epoch at which the validation metric fell too far, and where its images are."""

    epoch: int
    value: float
    reference_epoch: int
    reference: float
    drop: float
    href: str


class Curve(BaseModel):
    """How a training went, by epoch."""

    metric: str
    epochs: list[dict[str, Any]]
    drops: list[Drop]
    words: str
    validation: Chart | None
    loss: Chart


def training_curve(store: ObjectStore, project: Project, model: str) -> Curve | None:
    """The curve of a model's training; None where its folder has none.

    Only the small file of it is read, wherever the model's weights lie.
    """
    where = store.arrow(f"projects/{project.name}/models/{model}/{EPOCHS_FILE}")
    try:
        table = pq.read_table(where.path, filesystem=where.filesystem, columns=EPOCHS.names)
    except (OSError, ValueError):
        return None
    epochs = table.to_pylist()
    metric = "AP50" if project.task == "detection" else "accuracy"
    drops = epoch_drops(
        [e["epoch"] for e in epochs],
        [e["validation"] for e in epochs],
        drift=project.monitoring.metric_drift,
    )
    fallen = {
        drop.epoch: Drop(
            epoch=drop.epoch,
            value=drop.value,
            reference_epoch=drop.reference_epoch,
            reference=drop.reference,
            drop=drop.drop,
            href=_address(project.name, model, drop.epoch, drop.reference_epoch),
        )
        for drop in drops
    }
    return Curve(
        metric=metric,
        epochs=epochs,
        drops=list(fallen.values()),
        words=summarize_drops(metric, drops, epochs=len(epochs)),
        validation=_validation(epochs, fallen, project.name, model, metric),
        loss=_loss(epochs),
    )


def _validation(
    epochs: list[dict[str, Any]], drops: dict[int, Drop], project: str, model: str, metric: str
) -> Chart | None:
    samples = []
    for row in epochs:
        epoch, value = row["epoch"], row["validation"]
        if value is None:
            continue
        drop = drops.get(epoch)
        words = f"Epoch {epoch}: {metric} {value:.3f}"
        if drop is not None:
            words += f", {drop.drop:.1%} below epoch {drop.reference_epoch}"
        # every epoch but the first can have images that got worse
        since = drop.reference_epoch if drop is not None else epoch - 1
        href = _address(project, model, epoch, since) if epoch > 1 else ""
        samples.append(Sample(epoch, value, words, str(epoch), href=href, alert=drop is not None))
    if not samples:
        return None
    words = f"{metric} on validation images after each of {len(samples)} epochs."
    return line_chart([(metric, samples)], title=metric, words=words)


def _address(project: str, model: str, epoch: int, since: int) -> str:
    """The images that got worse since an earlier epoch: the grid has those since the one before."""
    if since == epoch - 1:
        return links.page(project, "images", model=model, epoch=epoch)
    return epoch_address(project, model, epoch, since)


def _loss(epochs: list[dict[str, Any]]) -> Chart:
    samples = [
        Sample(
            row["epoch"],
            row["train_loss"],
            f"Epoch {row['epoch']}: training loss {row['train_loss']:.4f}",
            str(row["epoch"]),
        )
        for row in epochs
    ]
    words = f"Mean training loss of each of {len(samples)} epochs."
    return line_chart([("training loss", samples)], title="Training loss", words=words, unit=None)
