from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.examples import read_examples
from cv_pipeline.training.framing import Frames, whole_frames
from cv_pipeline.training.tasks import task_logic
from tests.training.conftest import LABELS, Sample, square


class Detector(nn.Module):
    """Answers every image with the same detections, and remembers its targets."""

    def __init__(self, boxes, labels, scores) -> None:
        super().__init__()
        self.answer = {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "scores": torch.tensor(scores, dtype=torch.float32),
        }

    def forward(self, images, targets=None):
        if targets is None:
            return [self.answer for _ in images]
        self.targets = targets
        return {"boxes": torch.tensor(1.0), "classes": torch.tensor(0.5)}


class Classifier(nn.Module):
    """Gives fixed logits."""

    def __init__(self, logits) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images):
        return self.logits.expand(len(images), -1)


@pytest.fixture
def examples(make_world):
    def read(task: str):
        folder = make_world(task).folder
        return read_examples(folder, splits=["train"], task=task, labels=LABELS)

    return read


def test_detections_are_ranked_and_in_pixels_of_the_stored_image(examples):
    rows = examples("detection")
    logic = task_logic("detection", examples=rows, labels=LABELS)
    frames = whole_frames(rows.sizes, input_size=(24, 40))  # content is 24 × 32, padded to 40
    model = Detector(
        boxes=[(2, 3, 12, 13), (0, 0, 16, 12), (33, 0, 39, 9), (1, 1, 9, 9)],
        labels=[1, 2, 1, 0],  # blue, red, blue in the padding, background
        scores=[0.25, 0.75, 0.5, 0.9],
    )
    table = logic.predict(model, torch.zeros(2, 3, 24, 40), np.array([3, 1]), frames)
    assert table.schema == PREDICTIONS
    first = rows.image_ids[1].as_py()
    assert table.slice(0, 2).to_pylist() == [
        {
            "image_id": first,
            "rank": 1,
            "label": "red",
            "score": 0.75,
            "x_min": 0.0,
            "y_min": 0.0,
            "x_max": 32.0,
            "y_max": 24.0,
        },
        {
            "image_id": first,
            "rank": 2,
            "label": "blue",
            "score": 0.25,
            "x_min": 4.0,
            "y_min": 6.0,
            "x_max": 24.0,
            "y_max": 26.0,
        },
    ]
    assert table["rank"].to_pylist() == [1, 2, 1, 2]


def test_no_detections_are_no_rows(examples):
    rows = examples("detection")
    logic = task_logic("detection", examples=rows, labels=LABELS)
    frames = whole_frames(rows.sizes, input_size=(48, 64))
    images = torch.zeros(3, 3, 48, 64)
    assert len(logic.predict(Detector([], [], []), images, np.arange(3), frames)) == 0


def test_targets_follow_the_framing(examples):
    rows = examples("detection")
    logic = task_logic("detection", examples=rows, labels=LABELS)
    whole = whole_frames(rows.sizes, input_size=(48, 64))
    flipped = Frames(whole.crop, whole.size, ~whole.flip, whole.colour, whole.input_size)
    model = Detector([], [], [])
    loss = logic.loss(model, torch.zeros(2, 3, 48, 64), np.array([5, 2]), flipped)
    assert loss == 1.5
    for row, target in zip((5, 2), model.targets, strict=True):
        x_min, y_min, x_max, y_max = rows.boxes[row]
        assert target["boxes"].tolist() == [[64 - x_max, y_min, 64 - x_min, y_max]]
        assert target["labels"].tolist() == [rows.label[row] + 1]


def test_classes_are_ranked_by_probability(examples):
    rows = examples("classification")
    logic = task_logic("classification", examples=rows, labels=LABELS)
    frames = whole_frames(rows.sizes, input_size=(48, 64))
    model = Classifier([0.0, float(np.log(3))])
    table = logic.predict(model, torch.zeros(2, 3, 48, 64), np.array([4, 0]), frames)
    assert table.schema == PREDICTIONS
    assert table["image_id"].to_pylist() == [rows.image_ids[i].as_py() for i in (0, 0, 4, 4)]
    assert table["label"].to_pylist() == ["red", "blue"] * 2
    assert table["score"].to_pylist() == pytest.approx([0.75, 0.25] * 2)
    assert table["x_min"].null_count == 4


def test_cross_entropy_of_the_true_class(examples):
    rows = examples("classification")
    logic = task_logic("classification", examples=rows, labels=LABELS)
    frames = whole_frames(rows.sizes, input_size=(48, 64))
    batch = np.flatnonzero(rows.label == 1)[:1]
    loss = logic.loss(Classifier([0.0, float(np.log(3))]), torch.zeros(1, 3, 48, 64), batch, frames)
    assert loss.item() == pytest.approx(-np.log(0.75))


def test_two_labels_on_one_image_are_refused(make_world):
    plain = square(0, "train")
    other = Sample(plain.data, "train", "red", plain.box)
    world = make_world("classification", samples=[plain, other])
    rows = read_examples(world.folder, splits=["train"], task="classification", labels=LABELS)
    with pytest.raises(TrainingError, match=r"several labels.*annotations\.aggregation"):
        task_logic("classification", examples=rows, labels=LABELS)
