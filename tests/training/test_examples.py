from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.examples import read_examples
from tests.training.conftest import LABELS, Sample, square


def test_targets_belong_to_their_images(make_world):
    world = make_world()
    examples = read_examples(world.folder, splits=["train"], task="detection", labels=LABELS)
    by_id = dict(zip(world.ids, world.samples, strict=True))
    ids = examples.image_ids.to_pylist()
    assert ids == sorted(i for i, s in by_id.items() if s.split == "train")
    assert examples.boxes.tolist() == [list(by_id[ids[i]].box) for i in examples.image]
    assert [LABELS[k] for k in examples.label] == [by_id[ids[i]].label for i in examples.image]
    assert examples.sizes.tolist() == [[48, 64]] * 8


def test_take_keeps_rows_and_their_targets(make_world):
    world = make_world()
    examples = read_examples(world.folder, splits=["train"], task="detection", labels=LABELS)
    some = examples.take(np.array([1, 4]))
    assert some.image_ids.to_pylist() == [examples.image_ids[i].as_py() for i in (1, 4)]
    assert some.image.tolist() == [0, 1]
    assert some.boxes.tolist() == examples.boxes[[1, 4]].tolist()
    assert some.annotations["image_id"].to_pylist() == some.image_ids.to_pylist()


def test_without_leaves_out_images_with_their_targets(make_world):
    world = make_world()
    examples = read_examples(world.folder, splits=["train"], task="detection", labels=LABELS)
    ids = examples.image_ids.to_pylist()
    left = examples.without([ids[2], ids[5], "0" * 64])
    assert left.image_ids.to_pylist() == [i for n, i in enumerate(ids) if n not in (2, 5)]
    assert left.annotations["image_id"].to_pylist() == left.image_ids.to_pylist()
    assert len(examples.without([])) == len(examples)


def test_labelled_leaves_out_images_without_targets(make_world):
    boxes = make_world("detection")
    examples = read_examples(boxes.folder, splits=["val"], task="classification", labels=LABELS)
    assert len(examples) == 2
    assert len(examples.labelled()) == 0


@pytest.mark.parametrize(
    ("change", "decodable"),
    [
        ({}, True),
        ({"format": "JPEG"}, True),
        ({"bands": 1}, True),
        ({"bands": 4}, False),
        ({"dtype": "uint16"}, False),
        ({"format": "TIFF"}, False),
    ],
)
def test_which_files_a_loader_can_decode(make_world, change, decodable):
    plain = square(0, "train")
    sample = Sample(plain.data, "train", plain.label, plain.box, **change)
    world = make_world(samples=[sample])
    examples = read_examples(world.folder, splits=["train"], task="detection", labels=LABELS)
    assert examples.encoded.tolist() == [decodable]


def test_a_label_outside_the_classes_is_named(make_world):
    world = make_world()
    with pytest.raises(TrainingError, match=r"label 'red'.*Did you mean 'rad'"):
        read_examples(world.folder, splits=["train"], task="detection", labels=("blue", "rad"))
