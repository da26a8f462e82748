"""The model registry: a model is a name, and a new architecture is a line of configuration.

Detectors number their classes from 1 (0 is the background of those that have one); classifiers
from 0. Inputs arrive normalised and at their final size: detectors neither scale nor normalise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.models.resnet import BasicBlock
from torchvision.ops import FeaturePyramidNetwork

from cv_pipeline.errors import TrainingError, nearest
from cv_pipeline.project import Task

MIN_SCORE = 0.05
"""Score below which detectors drop a detection: low, for average precision wants the tail."""


def known_models(task: Task) -> list[str]:
    """Names that :func:`build_model` knows for a task, sorted."""
    if task == "classification":
        return sorted([*_CLASSIFIERS, *torchvision.models.list_models(torchvision.models)])
    detectors = torchvision.models.list_models(torchvision.models.detection)
    return sorted([*_DETECTORS, *(n for n in detectors if not n.startswith(("mask", "keypoint")))])


def build_model(
    name: str, *, task: Task, labels: Sequence[str], input_size: tuple[int, int]
) -> nn.Module:
    """Build a model with fresh random weights from torch's global generator.

    Args:
        name: one of :func:`known_models`.
        task: decides which models there are.
        labels: class names.
        input_size: height and width of the input.

    Raises:
        TrainingError: the name is unknown (the message lists the nearest), or the model does not
            take such an input.
    """
    if name not in known_models(task):
        raise TrainingError(
            f"There is no {task} model {name!r}.",
            do=f"Change training.model. {nearest(name, known_models(task))}",
        )
    build = _detector if task == "detection" else _classifier
    try:
        model = build(name, len(labels), input_size)
        _try(model, task, input_size)
    except (RuntimeError, ValueError, AssertionError) as error:
        height, width = input_size
        raise TrainingError(
            f"The model {name} does not take an input of {height}×{width}: {error}.",
            do="Change training.input_size or training.model.",
        ) from error
    return model


def _detector(name: str, classes: int, _input_size: tuple[int, int]) -> nn.Module:
    if name in _DETECTORS:
        model = _DETECTORS[name](classes + 1)
    else:
        model = torchvision.models.get_model(
            name, weights=None, weights_backbone=None, num_classes=classes + 1
        )
    model.transform = _AsTheyAre(model.transform.size_divisible)
    return model


class _AsTheyAre(GeneralizedRCNNTransform):  # type: ignore[misc]  # untyped base
    """What torchvision's detectors do to their input, without scaling or normalising it."""

    def __init__(self, size_divisible: int) -> None:
        super().__init__(
            min_size=0,
            max_size=0,
            image_mean=[0.0] * 3,
            image_std=[1.0] * 3,
            size_divisible=size_divisible,
        )

    def resize(self, image: torch.Tensor, target: Any = None) -> tuple[torch.Tensor, Any]:
        return image, target


def _classifier(name: str, classes: int, input_size: tuple[int, int]) -> nn.Module:
    if name in _CLASSIFIERS:
        return _CLASSIFIERS[name](classes)
    options: dict[str, Any] = {}
    if name.startswith("vit_"):
        options["image_size"] = input_size[0]
    elif name.startswith("maxvit"):
        options["input_size"] = input_size
    elif name in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}
    model: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=classes, **options
    )
    return model


def _try(model: nn.Module, task: Task, input_size: tuple[int, int]) -> None:
    """Run an empty image through the model, to find out now whether it takes such an input."""
    model.eval()
    with torch.no_grad():
        image = torch.zeros(3, *input_size)
        model([image] if task == "detection" else image[None])
    model.train()


def _fcos_resnet18(classes: int) -> nn.Module:
    """FCOS on a ResNet-18 with a 64-channel pyramid over layers 2 and 3 (strides 8 and 16).

    Made for small images from scratch: a twentieth of the work of FCOS on a ResNet-50.
    """
    layers = {"layer2": "0", "layer3": "1"}
    body = IntermediateLayerGetter(torchvision.models.resnet18(weights=None), layers)
    pyramid = FeaturePyramidNetwork([128, 256], out_channels=64)
    backbone = nn.Sequential(OrderedDict(body=body, fpn=pyramid))
    backbone.out_channels = 64
    return FCOS(
        backbone,
        num_classes=classes,
        anchor_generator=AnchorGenerator(sizes=((8,), (16,)), aspect_ratios=((1.0,),) * 2),
        score_thresh=MIN_SCORE,
    )


def _resnet18_small(classes: int) -> nn.Module:
    """ResNet-18 for images near 32 pixels: a 3×3 stem, no max-pool, a quarter of the channels."""
    channels, layers = 16, []
    before = channels
    for stage in range(4):
        after = channels * 2**stage
        stride = 1 if stage == 0 else 2
        layers += [_block(before, after, stride), BasicBlock(after, after)]
        before = after
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(before, classes),
    )


def _block(before: int, after: int, stride: int) -> nn.Module:
    """The first block of a stage, whose shortcut changes the channels and the resolution."""
    if stride == 1 and before == after:
        return BasicBlock(before, after)
    shortcut = nn.Sequential(
        nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
    )
    return BasicBlock(before, after, stride, shortcut)


_DETECTORS: dict[str, Callable[[int], nn.Module]] = {"fcos_resnet18": _fcos_resnet18}
_CLASSIFIERS: dict[str, Callable[[int], nn.Module]] = {"resnet18_small": _resnet18_small}
