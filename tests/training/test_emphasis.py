from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.datasets.statistics import images_digest
from cv_pipeline.errors import TrainingError
from cv_pipeline.training import Emphasis, read_model_card
from cv_pipeline.training.emphasis import draws
from cv_pipeline.training.examples import read_examples
from cv_pipeline.training.trainer import train
from tests.training.conftest import LABELS
from tests.training.test_trainer import _without_mlflow, progress

__all__ = ["_without_mlflow", "progress"]
trains = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning's own


@settings(deadline=None)  # the first example waits for a machine that is busy
@given(st.sets(st.integers(0, 19), min_size=1), st.integers(2, 5))
def test_every_image_is_drawn_once_and_the_chosen_ones_as_often_as_asked(chosen, weight):
    ids = pa.array([f"{n:02d}" for n in range(20)])
    wanted = (*(f"{n:02d}" for n in chosen), "elsewhere")
    rows, record = draws(ids, Emphasis(images=wanted, weight=weight))
    assert Counter(rows.tolist()) == {n: weight if n in chosen else 1 for n in range(20)}
    assert rows.tolist() == sorted(rows)
    assert (record.images, record.weight) == (len(chosen), weight)
    assert record.digest == images_digest(pa.array(sorted(wanted[:-1])))


def test_none_of_them_is_trained_on():
    with pytest.raises(TrainingError, match="None of the 1 images that are to count more"):
        draws(pa.array(["a", "b"]), Emphasis(images=("c",), weight=2))


def test_examples_that_are_taken_twice_bring_their_targets_twice(make_world):
    world = make_world()
    examples = read_examples(world.folder, splits=["train"], task="detection", labels=LABELS)
    again = examples.take(np.array([0, 3, 3, 1]))
    assert again.image.tolist() == [0, 1, 2, 3]
    assert again.image_ids.to_pylist() == examples.image_ids.take([0, 3, 3, 1]).to_pylist()
    for of_row, row in enumerate((0, 3, 3, 1)):
        assert again.boxes[of_row].tolist() == examples.boxes[row].tolist()
        assert again.label[of_row] == examples.label[row]
        assert again.sizes[of_row].tolist() == examples.sizes[row].tolist()
    owners = again.annotations["image_id"].to_pylist()
    assert owners == again.image_ids.to_pylist()


@trains
def test_a_training_draws_them_more_often_each_time_augmented_anew(make_world, tmp_path, progress):
    world = make_world("classification")
    trained_on = sorted(
        i for i, s in zip(world.ids, world.samples, strict=True) if s.split == "train"
    )
    chosen = trained_on[1::4]
    emphasis = Emphasis(images=(*chosen, world.ids[-1]), weight=3)
    specs = [world.spec(tmp_path / f"m{n}", augmentation={"crop": 0.3}) for n in range(3)]
    plain = train(specs[0], progress=progress)
    weighted, again = (
        train(s.model_copy(update={"emphasis": emphasis}), progress=progress) for s in specs[1:]
    )
    assert weighted.model_digest == again.model_digest != plain.model_digest
    drawn = pq.read_table(specs[1].out / "augmentations.parquet")
    counts = Counter(drawn["image_id"].to_pylist())
    assert counts == {i: 3 if i in chosen else 1 for i in trained_on}
    crops = {(r["image_id"], r["crop_x"]) for r in drawn.to_pylist()}
    assert len(crops) == len(drawn)
    card = read_model_card(specs[1].out)
    assert card.emphasised is not None
    assert (card.emphasised.images, card.emphasised.weight) == (2, 3)
    assert card.train_images == 8
    assert card.normalised_on == read_model_card(specs[0].out).normalised_on
    assert weighted.parameters["emphasis.images"] == 2
    assert "emphasis.images" not in plain.parameters
