"""Training in this process, with the one thing that another process must do left out: MLflow."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.errors import TrainingError
from cv_pipeline.training import (
    FoldParts,
    PredictionSpec,
    check_normalisation,
    read_model_card,
    trainer,
)
from cv_pipeline.training.augmentation import AUGMENTATIONS
from cv_pipeline.training.model_folder import EPOCHS
from cv_pipeline.training.prediction import load_model, predict
from cv_pipeline.training.predictions_folder import read_summary, verify_predictions
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.trainer import train
from tests.training.conftest import square
from tests.training.test_parts import fold_of

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning's own


class NoTracker:
    """Stands for MLflow, which has tests of its own."""

    def __init__(self, spec, *, parameters, metric) -> None:
        self.epochs: list[int] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def epoch(self, result) -> None:
        self.epochs.append(result.epoch)

    def finish(self, *, model_digest, folder) -> tuple[str, str]:
        return "1", "run"


@pytest.fixture(autouse=True)
def _without_mlflow(monkeypatch):
    monkeypatch.setattr(trainer, "Tracker", NoTracker)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def progress(tmp_path):
    with (tmp_path / "progress").open("wb") as file:
        yield Progress(file.fileno())


@pytest.mark.parametrize("task", ["detection", "classification"])
def test_a_training_gives_a_complete_model_folder(make_world, tmp_path, progress, task):
    world = make_world(task)
    metric = {"detection": "AP50", "classification": "accuracy"}[task]
    spec = world.spec(tmp_path / "model", epochs=2, augmentation={"flip": 0.5, "crop": 0.2})
    report = train(spec, progress=progress)
    assert sorted(p.name for p in spec.out.iterdir()) == [
        "augmentations.parquet",
        "epoch_results.parquet",
        "epochs.parquet",
        "model.json",
        "model.safetensors",
    ]
    card = read_model_card(spec.out)
    assert card.digest == report.model_digest
    assert (card.meaning.labels, card.meaning.dataset_digest) == (spec.labels, spec.dataset_digest)
    assert (card.train_images, card.validation_images) == (8, 2)
    assert card.dataset_digest == spec.dataset_digest
    assert card.folds is None
    assert check_normalisation(card, world.folder, taken_out=()).passed
    epochs = pq.read_table(spec.out / "epochs.parquet")
    assert epochs.schema.remove_metadata() == EPOCHS
    assert epochs["epoch"].to_pylist() == [1, 2] == [e.epoch for e in report.epochs]
    assert set(report.metrics) == {"train_loss", f"val_{metric}"}
    assert report.parameters["augmentation.crop"] == 0.2
    drawn = pq.read_table(spec.out / "augmentations.parquet")
    assert drawn.schema.remove_metadata() == AUGMENTATIONS
    train_ids = sorted(
        i for i, s in zip(world.ids, world.samples, strict=True) if s.split == "train"
    )
    for epoch in (1, 2):
        rows = drawn.filter(pc.equal(drawn["epoch"], epoch))
        assert rows["image_id"].to_pylist() == train_ids
    assert not list(tmp_path.glob("*.partial"))


def test_a_fold_is_validated_on_after_training_on_the_others(make_world, tmp_path, progress):
    world = make_world("classification")
    fold = fold_of(world)
    folds = FoldParts(train=(1, 3), validation=2)
    spec = world.spec(tmp_path / "model").model_copy(update={"folds": folds})
    report = train(spec, progress=progress)
    card = read_model_card(spec.out)
    assert card.folds == folds
    assert report.parameters["fold"] == 2
    drawn = pq.read_table(spec.out / "augmentations.parquet")["image_id"].to_pylist()
    assert sorted(drawn) == sorted(i for i, f in fold.items() if f in (1, 3))
    assert card.validation_images == sum(f == 2 for f in fold.values())
    assert check_normalisation(card, world.folder, taken_out=()).passed


def test_images_that_were_taken_out_are_left_out(make_world, tmp_path, progress):
    """Their pixels are not even asked for, and what comes of it names them."""
    world = make_world("classification")
    gone = [world.ids[0], world.ids[10]]  # one of train, one of test
    for image_id in gone:
        world.blobs.remove(image_id)
    spec = world.spec(tmp_path / "model").model_copy(update={"taken_out": (gone[0],)})
    report = train(spec, progress=progress)
    assert report.parameters["train_images"] == 7
    asked = PredictionSpec(
        task="classification",
        model=spec.out,
        model_digest=report.model_digest,
        dataset=world.folder,
        dataset_digest=spec.dataset_digest,
        taken_out=(gone[1],),
        store_url=world.store_url,
        out=tmp_path / "predictions",
    )
    told = predict(asked, progress=progress)
    assert told.images == 3
    assert read_summary(asked.out).taken_out == (gone[1],)
    assert verify_predictions(asked.out) == []
    table = pq.read_table(asked.out / "predictions.parquet")
    assert gone[1] not in table["image_id"].to_pylist()


def test_same_specification_same_bits(make_world, tmp_path, progress):
    world = make_world("classification")
    colours = {"flip": 0.5, "crop": 0.3, "brightness": 0.2}
    first, again, other = (
        train(world.spec(tmp_path / f"m{i}", seed=seed, augmentation=colours), progress=progress)
        for i, seed in enumerate((0, 0, 1))
    )
    assert first.model_digest == again.model_digest != other.model_digest
    for name in sorted(p.name for p in (tmp_path / "m0").iterdir()):
        same = [(tmp_path / folder / name).read_bytes() for folder in ("m0", "m1")]
        assert same[0] == same[1], name


def test_a_model_learns_and_predicts_in_pixels_of_the_stored_image(make_world, tmp_path, progress):
    splits = ["train"] * 24 + ["test"] * 8
    world = make_world(samples=[square(i, split) for i, split in enumerate(splits)])
    spec = world.spec(tmp_path / "model", epochs=10, learning_rate=4e-3)
    report = train(spec, progress=progress)
    assert report.epochs[-1].validation is None  # there is no validation split
    assert report.epochs[-1].train_loss < 0.7 * report.epochs[0].train_loss
    asked = PredictionSpec(
        task="detection",
        model=spec.out,
        model_digest=report.model_digest,
        dataset=world.folder,
        dataset_digest=spec.dataset_digest,
        store_url=world.store_url,
        splits=("test",),
        out=tmp_path / "predictions",
    )
    told = predict(asked, progress=progress)
    table = pq.read_table(asked.out / "predictions.parquet")
    assert table.schema.remove_metadata() == PREDICTIONS
    assert (told.images, told.rows) == (8, len(table))
    best = {row["image_id"]: row for row in table.to_pylist() if row["rank"] == 1}
    right = 0
    for image_id, sample in zip(world.ids, world.samples, strict=True):
        if sample.split == "test":
            row = best[image_id]
            box = np.array([row[e] for e in ("x_min", "y_min", "x_max", "y_max")])
            right += row["label"] == sample.label and np.abs(box - sample.box).max() < 6
    assert right >= 6
    again = predict(asked.model_copy(update={"out": tmp_path / "again"}), progress=progress)
    assert again.digest == told.digest


def test_a_renamed_class_or_another_dataset_version_is_another_model(
    make_world, tmp_path, progress
):
    """Although the weights are the same, for the folder of one must not pass for the other's."""
    world = make_world("classification")
    version = world.spec(tmp_path / "m0")
    again = version.model_copy(update={"out": tmp_path / "m1", "dataset_digest": "e" * 64})
    first, second = (train(spec, progress=progress) for spec in (version, again))
    weights = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("m0", "m1")]
    assert weights[0] == weights[1]
    assert first.model_digest != second.model_digest
    card = read_model_card(version.out)
    renamed = card.model_copy(update={"labels": ("blue", "crimson")})
    (version.out / "model.json").write_text(renamed.model_dump_json(), encoding="utf-8")
    with pytest.raises(TrainingError, match="the card beside them are damaged"):
        load_model(read_model_card(version.out), version.out, device=torch.device("cpu"))


def test_a_model_of_another_digest_or_task_is_refused(make_world, tmp_path, progress):
    world = make_world("classification")
    spec = world.spec(tmp_path / "model")
    report = train(spec, progress=progress)
    asked = PredictionSpec(
        task="detection",
        model=spec.out,
        model_digest=report.model_digest,
        dataset=world.folder,
        dataset_digest=spec.dataset_digest,
        store_url=world.store_url,
        out=tmp_path / "predictions",
    )
    with pytest.raises(TrainingError, match="holds the classification model"):
        predict(asked, progress=progress)
    assert not asked.out.exists()


def test_divergence_is_told_with_what_to_do(make_world, tmp_path, progress):
    spec = make_world().spec(tmp_path / "model", epochs=3, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"in epoch \d.*Lower training\.learning_rate"):
        train(spec, progress=progress)
    assert not spec.out.exists()


def test_nothing_to_train_on(make_world, tmp_path, progress):
    spec = make_world(samples=[square(0, "test")]).spec(tmp_path / "model")
    with pytest.raises(TrainingError, match="no labelled image to train on"):
        train(spec, progress=progress)


def test_progress_is_told(make_world, tmp_path, progress, monkeypatch):
    monkeypatch.setattr(Progress, "due", lambda self: True)
    train(make_world("classification").spec(tmp_path / "model", epochs=2), progress=progress)
    text = (tmp_path / "progress").read_text(encoding="utf-8")
    assert "8 images, validating on 2" in text
    assert "epoch 2/2, step 1/2, loss" in text
    assert "s left" in text
    assert "epoch 2/2 took" in text
    assert "validation accuracy" in text
