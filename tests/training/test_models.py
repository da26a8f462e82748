from __future__ import annotations

import pytest
import torch

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.models import build_model, known_models
from cv_pipeline.vocabulary import OWN_MODELS, require_model


@pytest.mark.parametrize(
    ("name", "input_size"),
    [
        ("resnet18_small", (32, 32)),
        ("mobilenet_v3_small", (64, 48)),
        ("squeezenet1_1", (64, 64)),
        ("shufflenet_v2_x0_5", (64, 64)),
    ],
)
def test_any_torchvision_classifier_is_a_name(name, input_size):
    model = build_model(name, task="classification", labels=("a", "b", "c"), input_size=input_size)
    assert model.training
    assert model.eval()(torch.zeros(2, 3, *input_size)).shape == (2, 3)


@pytest.mark.parametrize("name", ["fcos_resnet18", "ssdlite320_mobilenet_v3_large"])
def test_detectors_learn_and_detect_in_pixels_of_their_input(name):
    torch.manual_seed(0)
    model = build_model(name, task="detection", labels=("a", "b"), input_size=(64, 96))
    images = list(torch.randn(2, 3, 64, 96))
    target = {"boxes": torch.tensor([[8.0, 8, 40, 40]]), "labels": torch.tensor([2])}
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    losses = model(images, [target, empty])
    assert all(torch.isfinite(loss) for loss in losses.values())
    for found in model.eval()(images):
        assert found["boxes"][:, 2].max() <= 96
        assert found["boxes"][:, 3].max() <= 64
        assert set(found["labels"].tolist()) <= {0, 1, 2}


def test_a_detector_sees_its_input_as_it_is():
    model = build_model("fcos_resnet18", task="detection", labels=("a",), input_size=(64, 96))
    image = torch.randn(3, 64, 96)
    for mode in (True, False):
        seen, _ = model.train(mode).transform([image])
        assert torch.equal(seen.tensors[0], image)


@pytest.mark.parametrize(
    ("task", "name", "hint"),
    [
        ("classification", "resnet81", "Did you mean .*'resnet18'"),
        ("detection", "fcos_resnet81", "Did you mean .*'fcos_resnet18'"),
        ("detection", "resnet18", "no detection model 'resnet18'"),
    ],
)
def test_an_unknown_name_lists_the_nearest(task, name, hint):
    with pytest.raises(TrainingError, match=hint):
        build_model(name, task=task, labels=("a",), input_size=(64, 64))


@pytest.mark.parametrize("name", ["alexnet", "vit_b_16"])
def test_an_input_that_a_model_cannot_take_is_named(name):
    with pytest.raises(TrainingError, match=f"model {name} does not take an input of 24×24"):
        build_model(name, task="classification", labels=("a", "b"), input_size=(24, 24))


def test_known_models_are_those_of_the_task():
    classifiers, detectors = known_models("classification"), known_models("detection")
    assert {"resnet18_small", "efficientnet_b0", "swin_t"} <= set(classifiers)
    assert {"fcos_resnet18", "retinanet_resnet50_fpn"} <= set(detectors)
    assert not set(classifiers) & set(detectors)
    assert not [name for name in detectors if "mask" in name or "keypoint" in name]


@pytest.mark.parametrize("task", OWN_MODELS)
def test_a_project_may_name_every_model(task):
    known = known_models(task)
    assert set(OWN_MODELS[task]) <= set(known)
    assert [require_model(name) for name in known] == known
