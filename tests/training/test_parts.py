"""Parts: splits, or folds, and the images that a model's normalisation may know."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.training import ModelCard, check_normalisation
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.fitted_on import FittedOn, fitted_on
from cv_pipeline.training.model_folder import Normalisation
from cv_pipeline.training.parts import part_examples
from cv_pipeline.training.spec import FoldParts
from tests.training.conftest import LABELS, World

FOLDS = FoldParts(train=(1, 3), validation=2)


def examples(
    world: World, part: str, folds: FoldParts | None = None, taken_out: tuple[str, ...] = ()
) -> Examples:
    return part_examples(
        part,
        dataset=world.folder,
        task="detection",
        labels=LABELS,
        folds=folds,
        taken_out=taken_out,
    )


def fold_of(world: World) -> dict[str, int | None]:
    """Give every image that is not for testing a fold, 1 to 3 by turns."""
    path = world.folder / "manifest.parquet"
    table = pq.read_table(path)
    folds = [
        None if split == "test" else n % 3 + 1 for n, split in enumerate(table["split"].to_pylist())
    ]
    at = table.schema.names.index("fold")
    table = table.set_column(at, table.schema.field("fold"), pa.array(folds, pa.int32()))
    pq.write_table(table, path)
    return dict(zip(table["image_id"].to_pylist(), folds, strict=True))


def test_without_folds_the_splits_are_the_parts(make_world):
    world = make_world()
    split = dict(zip(world.ids, (s.split for s in world.samples), strict=True))
    for part in ("train", "val"):
        ids = examples(world, part).image_ids.to_pylist()
        assert ids == sorted(i for i in world.ids if split[i] == part)


def test_folds_are_the_parts_whatever_the_split(make_world):
    world = make_world()
    fold = fold_of(world)
    trained = examples(world, "train", FOLDS).image_ids.to_pylist()
    validated = examples(world, "val", FOLDS).image_ids.to_pylist()
    assert trained == sorted(i for i, f in fold.items() if f in (1, 3))
    assert validated == sorted(i for i, f in fold.items() if f == 2)


def card(world: World, normalised_on: FittedOn | None, folds: FoldParts | None) -> ModelCard:
    spec = world.spec(Path("model"))
    return ModelCard(
        digest="d",
        project="squares",
        task="detection",
        labels=LABELS,
        training=spec.training,
        seed=0,
        dataset_digest="d" * 64,
        train_images=8,
        validation_images=2,
        normalisation=Normalisation(mean=(0, 0, 0), std=(1, 1, 1)),
        normalised_on=normalised_on,
        folds=folds,
        weights=1,
        code_version="1",
        hardware={},
    )


@pytest.mark.parametrize("folds", [None, FOLDS])
def test_a_normalisation_of_training_images_passes(folds, make_world):
    world = make_world()
    fold_of(world)
    gone = (examples(world, "train", folds).image_ids[0].as_py(),)
    named = fitted_on(examples(world, "train", folds, gone))
    found = check_normalisation(card(world, named, folds), world.folder, taken_out=gone)
    assert found.passed
    assert found.images == named.images
    where = "folds 1, 3" if folds else "the train split"
    assert found.summary == (
        f"The normalisation was fitted on {named.images} images, all of {where}."
    )


def test_a_normalisation_that_knows_held_out_images_fails(make_world):
    world = make_world()
    fold_of(world)
    of_val = fitted_on(examples(world, "val"))
    found = check_normalisation(card(world, of_val, None), world.folder, taken_out=())
    assert not found.passed
    assert "fitted on 2 images that are not the training images" in found.summary
    of_split = fitted_on(examples(world, "train"))
    assert not check_normalisation(card(world, of_split, FOLDS), world.folder, taken_out=()).passed


def test_a_model_that_does_not_say_fails(make_world):
    world = make_world()
    found = check_normalisation(card(world, None, None), world.folder, taken_out=())
    assert not found.passed
    assert "does not say" in found.summary
