"""The layers whose activations a map shows: the last ones that still know where things are."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cv_pipeline.errors import EvaluationError
from cv_pipeline.project import Task


def target_layers(model: nn.Module, image: torch.Tensor, *, task: Task) -> list[nn.Module]:
    """The outputs of a detector's feature pyramid, or a network's last spatial feature map.

    Args:
        model: in evaluation mode.
        image: (1, 3, height, width): an input of it.
        task: what the model does.

    Raises:
        EvaluationError: the model has no such map, as transformers have none.
    """
    if task == "detection":
        pyramid = getattr(getattr(model, "backbone", None), "fpn", None)
        if pyramid is not None:
            return list(pyramid.layer_blocks)
    return [_last_map(getattr(model, "backbone", model), model, image)]


def _last_map(part: nn.Module, model: nn.Module, image: torch.Tensor) -> nn.Module:
    """The module of ``part`` that is last to give a map of more than one place."""
    found: list[nn.Module] = []
    times: dict[nn.Module, int] = {}

    def look(module: nn.Module, _inputs: Any, output: Any) -> None:
        times[module] = times.get(module, 0) + 1
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
            found.append(module)

    handles = [m.register_forward_hook(look) for m in part.modules() if m is not model]
    try:
        with torch.no_grad():
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    # a module that runs several times, such as a shared ReLU, has no one activation
    once = [m for m in found if times[m] == 1]
    if not once or _is_patches(model, once[-1]):
        raise EvaluationError(
            f"{type(model).__name__} has no feature map that a class-activation map could show.",
            do="Choose a convolutional network as training.model.",
        )
    return once[-1]


def _is_patches(model: nn.Module, module: nn.Module) -> bool:
    """Whether the map is a transformer's first step, which knows nothing of classes."""
    return any(isinstance(m, nn.MultiheadAttention) for m in model.modules()) and isinstance(
        module, nn.Conv2d
    )
