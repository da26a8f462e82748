"""Augmentation algorithms in a real training: off by default, reproducible, all on record."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from cv_pipeline.errors import PluginError
from cv_pipeline.project import Augmentation
from cv_pipeline.training import trainer
from cv_pipeline.training.algorithms import ALGORITHMS
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.trainer import train
from tests.training.test_trainer import NoTracker

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning's own
BOTH = {"flip": 0.0, "algorithms": ("copy_paste", "random_erasing")}


@pytest.fixture
def train_with(make_world, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "Tracker", NoTracker)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    world = make_world("detection")

    def run(name, **augmentation):
        spec = world.spec(tmp_path / name, epochs=2, augmentation=augmentation)
        with (tmp_path / f"{name}.log").open("wb") as file:
            return spec, train(spec, progress=Progress(file.fileno()))

    return run


def test_what_they_drew_is_on_record_and_the_same_seed_gives_the_same_weights(train_with):
    spec, first = train_with("first", **BOTH)
    again, second = train_with("second", **BOTH)
    assert first.model_digest == second.model_digest
    drawn = pq.read_table(spec.out / "algorithms.parquet")
    assert drawn.schema.remove_metadata() == ALGORITHMS
    assert drawn.equals(pq.read_table(again.out / "algorithms.parquet"))
    assert set(drawn["algorithm"].to_pylist()) == {"copy_paste", "random_erasing"}
    assert set(drawn["epoch"].to_pylist()) == {1, 2}
    for row in drawn.to_pylist():
        told = json.loads(row["parameters"])
        if row["algorithm"] == "copy_paste":
            assert all(0 <= p["x"] < 64 and 0 <= p["y"] < 48 for p in told["pasted"])
        else:
            x0, y0, x1, y1 = told["erased"]
            assert 0 <= x0 < x1 <= 64
            assert 0 <= y0 < y1 <= 48


def test_without_them_nothing_changes_and_with_them_the_weights_do(train_with):
    plain, off = train_with("plain", flip=0.0)
    _, named = train_with("named", flip=0.0, algorithms=())
    _, on = train_with("on", **BOTH)
    assert off.model_digest == named.model_digest != on.model_digest
    assert not (plain.out / "algorithms.parquet").exists()
    assert "augmentation.algorithms" not in off.parameters
    assert on.parameters["augmentation.algorithms"] == '["copy_paste", "random_erasing"]'


def test_a_project_without_them_is_recorded_as_ever():
    assert list(Augmentation().model_dump(mode="json")) == [
        *("flip", "crop", "brightness", "contrast", "saturation")
    ]
    asked = Augmentation(algorithms=("copy_paste",))
    assert Augmentation.model_validate_json(asked.model_dump_json()) == asked
    with pytest.raises(ValueError, match="no augment algorithm is called 'copy_past'; Did you"):
        Augmentation(algorithms=("copy_past",))


def test_one_that_is_for_another_task_is_refused(make_world, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "Tracker", NoTracker)
    world = make_world("classification")
    spec = world.spec(tmp_path / "model", augmentation={"algorithms": ["copy_paste"]})
    with (
        (tmp_path / "log").open("wb") as file,
        pytest.raises(PluginError, match="'copy_paste' is for detection, not for classification"),
    ):
        train(spec, progress=Progress(file.fileno()))
    assert not spec.out.exists()


def test_pasted_objects_are_those_of_the_training_images(make_world, tmp_path):
    """What is pasted is what the box of its annotation shows, pixel for pixel."""
    import torch

    from cv_pipeline.training.algorithms import Algorithms
    from cv_pipeline.training.examples import read_examples
    from cv_pipeline.training.framing import whole_frames
    from cv_pipeline.training.loaders import open_loader
    from cv_pipeline.training.model_folder import Normalisation
    from cv_pipeline.training.staging import stage

    world = make_world("detection")
    spec = world.spec(tmp_path / "model", batch_size=8)
    examples = read_examples(
        world.folder, splits=["train"], task="detection", labels=spec.labels
    ).labelled()
    with (tmp_path / "log").open("wb") as file:
        images = stage(
            examples, blobs=world.blobs, path=tmp_path / "i", progress=Progress(file.fileno())
        )
    loader = open_loader(
        images,
        training=spec.training,
        normalisation=Normalisation(mean=(0, 0, 0), std=(1, 1, 1)),
        device=torch.device("cpu"),
    )
    records = []
    algorithms = Algorithms(
        ["copy_paste"],
        task="detection",
        examples=examples,
        seed=0,
        classes=2,
        record=records.append,
    )
    algorithms.cut_donors(examples, loader, input_size=(48, 64))
    frames = whole_frames(examples.sizes, input_size=(48, 64))
    rows = np.arange(len(examples))
    (loaded,) = loader.batches(frames, [rows])
    changed, targets = algorithms.apply(loaded, rows, frames, epoch=1)
    before = {
        a["annotation_id"]: (int(i), [round(a[e]) for e in ("x_min", "y_min", "x_max", "y_max")])
        for a, i in zip(examples.annotations.to_pylist(), examples.image, strict=True)
    }
    pasted = [
        (row["draw"], one)
        for row in records[0].to_pylist()
        for one in json.loads(row["parameters"])["pasted"]
    ]
    assert pasted
    for draw, one in pasted:
        source, (x0, y0, x1, y1) = before[one["annotation"]]
        cut = loaded[source, :, y0:y1, x0:x1].numpy()
        cut = cut[:, :, ::-1] if one["flip"] else cut
        x, y, height, width = one["x"], one["y"], y1 - y0, x1 - x0
        inner = changed[draw, :, y + 2 : y + height - 2, x + 2 : x + width - 2].numpy()
        np.testing.assert_allclose(inner, cut[:, 2:-2, 2:-2], atol=1e-4)
        boxes = targets[draw].boxes.tolist()
        place = boxes.index([x, y, x + width, y + height])
        label = examples.annotations["label"][
            examples.annotations["annotation_id"].to_pylist().index(one["annotation"])
        ].as_py()
        assert spec.labels[targets[draw].label[place]] == label
