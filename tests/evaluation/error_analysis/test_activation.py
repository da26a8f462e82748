from __future__ import annotations

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas.activations import ACTIVATIONS
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.evaluation.error_analysis.activation import (
    ACTIVATION_SLICES,
    activation_slices,
    sample_images,
)

ROWS = pa.Table.from_pylist(
    [
        {"image_id": "a", "label": "tomato", "score": 0.9, "share": 0.8, "area": 0.1},
        {"image_id": "a", "label": "apple", "score": 0.9, "share": 0.6, "area": 0.1},
        {"image_id": "b", "label": "tomato", "score": 0.5, "share": 0.1, "area": 0.2},
        # nothing of the class was found, so there is no share
        {"image_id": "c", "label": "tomato", "score": None, "share": None, "area": 0.3},
    ],
    schema=ACTIVATIONS,
)
METADATA = pa.table(
    {
        "image_id": ["a", "b", "a"],
        "key": ["lighting", "lighting", "site"],
        "value": ["bright", "dim", "north"],
    }
)


def test_mean_shares_of_the_whole_and_of_every_value():
    found = activation_slices(ROWS, METADATA, keys=("lighting",))
    assert found.schema.equals(ACTIVATION_SLICES)
    assert [
        (r["slice_key"], r["slice_value"], r["label"], round(r["share"], 9), r["maps"])
        for r in found.to_pylist()
    ] == [
        ("", "", None, 0.5, 3),
        ("lighting", "bright", None, 0.7, 2),
        ("lighting", "dim", None, 0.1, 1),
        ("", "", "apple", 0.6, 1),
        ("lighting", "bright", "apple", 0.6, 1),
        ("", "", "tomato", 0.45, 2),
        ("lighting", "bright", "tomato", 0.8, 1),
        ("lighting", "dim", "tomato", 0.1, 1),
    ]
    assert found["area"][0].as_py() == pytest.approx(0.4 / 3)


def test_without_maps_there_are_no_slices():
    assert len(activation_slices(ACTIVATIONS.empty_table(), METADATA, keys=("lighting",))) == 0


def test_the_sample_is_spread_over_the_images_with_objects():
    rows = [
        dict.fromkeys(PER_IMAGE.names, 0)
        | {"image_id": f"{n:03d}", "split": split, "objects": n % 2, "correct": True}
        | {"truth": None, "predicted": None, "confidence": None, "score": 1.0}
        for n in range(200)
        for split in ("test", "val")
    ]
    table = pa.Table.from_pylist(rows, schema=PER_IMAGE)
    chosen = sample_images(table, split="test", n=5)
    assert chosen == ["001", "051", "101", "149", "199"]
    assert len(sample_images(table, split="test", n=1000)) == 100
    assert sample_images(table, split="train", n=5) == []
    left = sample_images(table, split="test", n=1000, gone=["001", "003", "no image"])
    assert left == sample_images(table, split="test", n=1000)[2:]
