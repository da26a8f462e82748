"""What detection and classification do differently: the loss, and the rows of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn

from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.errors import TrainingError
from cv_pipeline.project import Task
from cv_pipeline.training.algorithms import Target
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.framing import Frames

MAX_CLASSES = 100
"""Classes, best first, that a classifier's prediction of an image lists: with fewer classes all of
them, so that its scores sum to 1 and calibration is exact."""

_NO_BOXES = (np.nan,) * 4


class TaskLogic(Protocol):
    """Loss and predictions of one kind of task, for batches of framed images."""

    metric: str

    def loss(
        self, model: nn.Module, images: torch.Tensor, rows: NDArray[np.int64], frames: Frames, /
    ) -> torch.Tensor:
        """Mean loss of a batch: ``images`` (batch, 3, height, width) are ``rows`` of the images."""
        ...

    def loss_of(
        self,
        model: nn.Module,
        images: torch.Tensor,
        rows: NDArray[np.int64],
        targets: Sequence[Target],
        /,
    ) -> torch.Tensor:
        """The same of images on which something else is than the examples say."""
        ...

    def predict(
        self, model: nn.Module, images: torch.Tensor, rows: NDArray[np.int64], frames: Frames, /
    ) -> pa.Table:
        """Predictions of a batch: schema PREDICTIONS, by image and rank."""
        ...


def task_logic(task: Task, *, examples: Examples, labels: Sequence[str]) -> TaskLogic:
    """Logic of a task on some images."""
    kind = Detection if task == "detection" else Classification
    return kind(examples, labels)


class Detection:
    """Object detection by torchvision's detectors, whose classes count from 1."""

    metric = "AP50"

    def __init__(self, examples: Examples, labels: Sequence[str]) -> None:
        self._examples = examples
        self._labels = pa.array(labels, pa.string())
        self._first = np.searchsorted(examples.image, np.arange(len(examples) + 1))

    def loss(
        self, model: nn.Module, images: torch.Tensor, rows: NDArray[np.int64], frames: Frames
    ) -> torch.Tensor:
        """Sum of the detector's losses."""
        losses = model(list(images), self._targets(rows, frames, images.device))
        return torch.stack(list(losses.values())).sum()

    def loss_of(
        self,
        model: nn.Module,
        images: torch.Tensor,
        _rows: NDArray[np.int64],
        targets: Sequence[Target],
    ) -> torch.Tensor:
        """Sum of the detector's losses on other boxes than those of the examples."""
        given = [_tensors(t.boxes, t.label, images.device) for t in targets]
        losses = model(list(images), given)
        return torch.stack(list(losses.values())).sum()

    def predict(
        self, model: nn.Module, images: torch.Tensor, rows: NDArray[np.int64], frames: Frames
    ) -> pa.Table:
        """Detections, with boxes in pixels of the stored images."""
        found = model(list(images))
        counts = np.array([len(f["scores"]) for f in found])
        boxes, label, score = (
            torch.cat([f[name] for f in found]).cpu().double().numpy()
            for name in ("boxes", "labels", "scores")
        )
        image = np.repeat(rows, counts)
        boxes = frames.to_image(boxes, image)
        sides = boxes[:, 2:] - boxes[:, :2]
        usable = (sides > 0).all(axis=1) & (label > 0)  # not in the padding, not the background
        return _table(
            self._examples,
            self._labels,
            image=image[usable],
            label=label[usable].astype(np.int64) - 1,
            score=score[usable],
            boxes=boxes[usable],
        )

    def _targets(
        self, rows: NDArray[np.int64], frames: Frames, device: torch.device
    ) -> list[dict[str, torch.Tensor]]:
        targets = []
        for row in rows:
            of = slice(self._first[row], self._first[row + 1])
            boxes, keep = frames.to_input(self._examples.boxes[of], self._examples.image[of])
            targets.append(_tensors(boxes[keep], self._examples.label[of][keep], device))
        return targets


class Classification:
    """One class for each image, by cross-entropy."""

    metric = "accuracy"

    def __init__(self, examples: Examples, labels: Sequence[str]) -> None:
        self._examples = examples
        self._labels = pa.array(labels, pa.string())
        self._label = np.full(len(examples), -1, dtype=np.int64)
        self._label[examples.image] = examples.label
        if len(np.unique(examples.image)) < len(examples.image):
            raise TrainingError(
                "An image of the dataset version has several labels, and a classifier learns one.",
                do="Set annotations.aggregation in project.yaml and make a new dataset version.",
            )

    def loss(
        self, model: nn.Module, images: torch.Tensor, rows: NDArray[np.int64], _frames: Frames
    ) -> torch.Tensor:
        """Cross-entropy."""
        label = torch.from_numpy(self._label[rows]).to(images.device)
        return nn.functional.cross_entropy(model(images), label)

    def loss_of(
        self,
        model: nn.Module,
        images: torch.Tensor,
        rows: NDArray[np.int64],
        _targets: Sequence[Target],
    ) -> torch.Tensor:
        """Cross-entropy: an image keeps its class, whatever is done to its pixels."""
        label = torch.from_numpy(self._label[rows]).to(images.device)
        return nn.functional.cross_entropy(model(images), label)

    def predict(
        self, model: nn.Module, images: torch.Tensor, rows: NDArray[np.int64], _frames: Frames
    ) -> pa.Table:
        """The best classes of each image, with their probabilities."""
        probability = model(images).double().softmax(dim=1)
        best = probability.topk(min(MAX_CLASSES, len(self._labels)), dim=1)
        shape = best.values.shape
        return _table(
            self._examples,
            self._labels,
            image=np.repeat(rows, shape[1]),
            label=best.indices.cpu().numpy().ravel(),
            score=best.values.cpu().numpy().ravel(),
            boxes=np.tile(_NO_BOXES, (shape.numel(), 1)),
        )


def _tensors(
    boxes: NDArray[np.float64], label: NDArray[np.int64], device: torch.device
) -> dict[str, torch.Tensor]:
    """One image's objects as torchvision's detectors take them."""
    return {
        "boxes": torch.from_numpy(boxes).float().to(device),
        "labels": torch.from_numpy(label + 1).to(device),
    }


def _table(
    examples: Examples,
    labels: pa.Array,
    *,
    image: NDArray[np.int64],
    label: NDArray[np.int64],
    score: NDArray[np.float64],
    boxes: NDArray[np.float64],
) -> pa.Table:
    """Schema PREDICTIONS, of (m,) arrays, ranked by score within each image."""
    order = np.lexsort((-score, image))
    image, label, score, boxes = image[order], label[order], score[order], boxes[order]
    rank = np.arange(len(image)) - np.searchsorted(image, image) + 1
    return pa.Table.from_arrays(
        [
            examples.image_ids.take(pa.array(image)),
            pa.array(rank, pa.int32()),
            labels.take(pa.array(label)),
            pa.array(score, pa.float64()),
            *(pa.array(edge, pa.float64(), from_pandas=True) for edge in boxes.T),
        ],
        schema=PREDICTIONS,
    )
