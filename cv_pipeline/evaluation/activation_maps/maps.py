"""Class-activation maps of our models, by the grad-cam library.

Classifiers: Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization", ICCV 2017) of the class's logit. Detectors: HiResCAM (Draelos and
Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations", 2020) of the summed scores of
the detections of the class, for Grad-CAM's mean over all places would smear what one box rests on
over the whole image; of several pyramid levels, the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cv_pipeline.evaluation.activation_maps.layers import target_layers
from cv_pipeline.project import Task

STRONG = 0.5
"""Detections of a class count from this share of its strongest one's score."""


@dataclass(frozen=True, eq=False)
class ActivationMap:
    """What in an image speaks for a class.

    Attributes:
        values: (height, width) float32, 0 to 1, on the image's content in the model's input.
        score: probability of the class, or score of its strongest detection.
    """

    values: NDArray[np.float32]
    score: float


def activation_map(
    model: nn.Module, image: torch.Tensor, *, task: Task, label: int, content: tuple[int, int]
) -> ActivationMap | None:
    """The map of one class on one image.

    Args:
        model: in evaluation mode.
        image: (1, 3, height, width): the framed image.
        task: what the model does.
        label: index of the class.
        content: height and width of what the frame holds of the image; the rest is padding.

    Returns:
        The map; None where a detector finds nothing of the class.

    Raises:
        EvaluationError: the model has no feature map to show.
    """
    from pytorch_grad_cam import GradCAM, HiResCAM

    score = _score(model, image, task=task, label=label)
    if score is None:
        return None
    kind = HiResCAM if task == "detection" else GradCAM
    target: Any = _Detections(label + 1) if task == "detection" else _Logit(label)
    layers = target_layers(model, image, task=task)
    with torch.enable_grad(), kind(model=model, target_layers=layers) as cam:
        values: NDArray[np.float32] = cam(input_tensor=image, targets=[target])[0]
    model.zero_grad(set_to_none=True)
    height, width = content
    return ActivationMap(values[:height, :width].astype(np.float32), score)


def share_inside(values: NDArray[np.float32], boxes: NDArray[np.float64]) -> float | None:
    """Share of a map's sum inside the union of some boxes; None where the map is 0 everywhere.

    A pixel is inside when its centre is.

    Args:
        values: (height, width), not negative.
        boxes: (n, 4) xyxy, in pixels of the map.
    """
    total = float(values.sum(dtype=np.float64))
    if total <= 0:
        return None
    return float(values[inside(values.shape, boxes)].sum(dtype=np.float64) / total)


def inside(shape: tuple[int, ...], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(height, width) mask of the pixels whose centre is in one of the boxes (xyxy)."""
    mask = np.zeros(shape, dtype=bool)
    y, x = (np.arange(side) + 0.5 for side in shape)
    for x_min, y_min, x_max, y_max in boxes:
        rows, columns = (y >= y_min) & (y < y_max), (x >= x_min) & (x < x_max)
        mask |= rows[:, None] & columns[None, :]
    return mask


def _score(model: nn.Module, image: torch.Tensor, *, task: Task, label: int) -> float | None:
    with torch.inference_mode():
        out = model(image) if task == "classification" else model(list(image))
    if task == "classification":
        return float(out.double().softmax(dim=1)[0, label])
    scores = out[0]["scores"][out[0]["labels"] == label + 1]
    return float(scores.max()) if len(scores) else None


class _Logit:
    """A class's logit, of a row of a classifier's output."""

    def __init__(self, label: int) -> None:
        self._label = label

    def __call__(self, output: torch.Tensor) -> torch.Tensor:
        return output[..., self._label]


class _Detections:
    """The summed scores of a class's strong detections on one image."""

    def __init__(self, label: int) -> None:
        self._label = label

    def __call__(self, output: dict[str, torch.Tensor]) -> torch.Tensor:
        scores = output["scores"][output["labels"] == self._label]
        return scores[scores >= STRONG * scores.max()].sum()
