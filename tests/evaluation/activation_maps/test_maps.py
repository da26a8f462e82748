from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.activation_maps.layers import target_layers
from cv_pipeline.evaluation.activation_maps.maps import activation_map, inside, share_inside
from cv_pipeline.evaluation.activation_maps.render import overlay_png
from cv_pipeline.training.models import build_model

pytestmark = pytest.mark.filterwarnings("error")


class RedOrBlue(nn.Module):
    """Two feature maps, red and blue, pooled: what each class looks at is known."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU())
        self.features[0].weight.data = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[..., None, None]
        self.head = nn.Linear(2, 2, bias=False)
        self.head.weight.data = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(image).mean(dim=(2, 3)))


@pytest.fixture
def scene() -> torch.Tensor:
    """A red square at the upper left, a blue one at the lower right, grey-less ground."""
    image = torch.zeros(1, 3, 24, 32)
    image[0, 0, 2:8, 4:12] = 1.0
    image[0, 2, 14:20, 20:28] = 1.0
    return image


@pytest.mark.parametrize(("label", "box"), [(0, (4, 2, 12, 8)), (1, (20, 14, 28, 20))])
def test_the_map_lies_on_what_decides(scene, label, box):
    found = activation_map(
        RedOrBlue().eval(), scene, task="classification", label=label, content=(24, 32)
    )
    assert found is not None
    assert found.score == pytest.approx(0.5)
    assert (found.values.min(), found.values.max()) == (0, pytest.approx(1, abs=1e-5))
    assert share_inside(found.values, np.array([box], dtype=float)) == pytest.approx(1.0)


def test_grad_cam_is_the_formula_of_the_paper():
    """Selvaraju et al. 2017, equations 1 and 2, on a network with random weights."""
    torch.manual_seed(3)
    model = build_model(
        "resnet18_small", task="classification", labels=("a", "b", "c"), input_size=(32, 32)
    ).eval()
    image = torch.randn(1, 3, 32, 32)
    (layer,) = target_layers(model, image, task="classification")
    kept: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _m, _i, output: kept.append(output))
    logits = model(image)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 1], kept[0])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    plain = torch.relu((weights * kept[0]).sum(dim=1))[0].detach().numpy()
    found = activation_map(model, image, task="classification", label=1, content=(32, 32))
    assert found is not None
    assert found.score == pytest.approx(logits.softmax(1)[0, 1].item())
    assert plain.max() > plain.min()
    scaled = (plain - plain.min()) / (plain - plain.min()).max()
    size = (32, 32)  # bilinear, by pixel centres
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(scaled)[None, None], size=size, mode="bilinear", align_corners=False
    )[0, 0]
    expected = (expected - expected.min()) / (expected - expected.min()).max()
    assert found.values == pytest.approx(expected.numpy(), abs=1e-4)


def test_a_detector_without_such_a_detection_has_no_map():
    torch.manual_seed(0)
    model = build_model(
        "fcos_resnet18", task="detection", labels=("a", "b"), input_size=(48, 64)
    ).eval()
    model.score_thresh = 2.0
    image = torch.randn(1, 3, 48, 64)
    assert activation_map(model, image, task="detection", label=0, content=(48, 64)) is None


def test_a_detector_looks_where_its_detections_are():
    torch.manual_seed(0)
    model = build_model(
        "fcos_resnet18", task="detection", labels=("a", "b"), input_size=(48, 64)
    ).eval()
    model.score_thresh = 0.0
    image = torch.randn(1, 3, 48, 64)
    found = activation_map(model, image, task="detection", label=1, content=(40, 64))
    assert found is not None
    assert found.values.shape == (40, 64)
    assert 0 <= found.values.min() <= found.values.max() <= 1
    assert 0 < found.score <= 1
    assert all(p.grad is None for p in model.parameters())


def test_a_transformer_says_that_it_has_no_map():
    model = build_model("vit_b_32", task="classification", labels=("a",), input_size=(32, 32))
    with pytest.raises(EvaluationError, match="no feature map"):
        target_layers(model.eval(), torch.zeros(1, 3, 32, 32), task="classification")


@pytest.mark.parametrize(
    ("boxes", "share"),
    [
        # the left half, all, nothing, two that overlap count once, beyond the edge
        ([[0, 0, 2, 4]], 0.5),
        ([[0, 0, 4, 4]], 1.0),
        ([], 0.0),
        ([[0, 0, 2, 4], [1, 0, 3, 4]], 0.75),
        ([[-9, -9, 2, 99]], 0.5),
        # a pixel counts by its centre
        ([[0.6, 0, 2.4, 4]], 0.25),
    ],
)
def test_share_inside_the_boxes(boxes, share):
    values = np.ones((4, 4), np.float32)
    assert share_inside(values, np.array(boxes).reshape(-1, 4)) == pytest.approx(share)
    assert inside((4, 4), np.array(boxes).reshape(-1, 4)).mean() == pytest.approx(share)


def test_a_map_of_nothing_has_no_share():
    assert share_inside(np.zeros((4, 4), np.float32), np.array([[0.0, 0, 4, 4]])) is None


def test_the_overlay_colours_what_is_active():
    rgb8 = np.full((30, 40, 3), 128, np.uint8)
    values = np.zeros((15, 20), np.float32)
    values[:, 15:] = 1.0
    png = overlay_png(rgb8, values, boxes=np.array([[2.0, 2.0, 10.0, 10.0]]))
    picture = np.asarray(Image.open(io.BytesIO(png)))
    assert picture.shape == (480, 640, 3)
    assert picture[240, 200].tolist() == [128, 128, 128]
    assert int(picture[240, 620, 0]) - int(picture[240, 620, 2]) > 50
    assert picture[32, 100].tolist() == [255, 255, 255]
