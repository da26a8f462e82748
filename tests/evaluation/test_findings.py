"""What an evaluation finds by itself, from the folders to ``evaluation.json``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.datasets.training_sample import outside_sample
from cv_pipeline.evaluation import Evaluation, evaluate, load_evaluation
from cv_pipeline.project import Project

BOX, FAR = (10.0, 10.0, 30.0, 30.0), (60.0, 60.0, 80.0, 80.0)
SPLITS = {"train": 60, "val": 30, "test": 40}
DRAWN = 35


@pytest.fixture(scope="module")
def project() -> Project:
    return Project.model_validate(
        {
            "name": "fruit",
            "task": "detection",
            "charter": {"problem": "find fruit"},
            "source": {"images": "images"},
            "annotations": {"source": "labels"},
            "ontology": {"labels": ["apple", "orange", "tomato"]},
            "training": {"model": "any", "input_size": (32, 32)},
            "evaluation": {"slices": ["lighting"]},
        }
    )


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
    project: Project,
    annotations_of: Callable[..., pa.Table],
    predictions_of: Callable[..., pa.Table],
) -> Evaluation:
    """Every second image is dim, where tomatoes are taken for oranges unless they were learned."""
    root = tmp_path_factory.mktemp("findings")
    ids = {f"{split}{n:02}": split for split, count in SPLITS.items() for n in range(count)}
    dim = {i for n, i in enumerate(ids) if n % 2}
    manifest = pa.table(
        {
            "image_id": list(ids),
            "split": list(ids.values()),
            "width": pa.array([100] * len(ids), pa.int32()),
            "height": pa.array([100] * len(ids), pa.int32()),
        }
    )
    left_out = set(outside_sample(manifest, DRAWN).to_pylist())
    predicted = [
        row
        for image, split in ids.items()
        if image not in left_out
        for row in (
            (image, "apple", 0.9, BOX),
            (image, "orange" if image in dim and split != "train" else "tomato", 0.8, FAR),
        )
    ]
    for name in ("dataset", "predictions"):
        (root / name).mkdir()
    pq.write_table(manifest, root / "dataset" / "manifest.parquet")
    pq.write_table(
        annotations_of(*((i, "apple", BOX) for i in ids), *((i, "tomato", FAR) for i in ids)),
        root / "dataset" / "annotations.parquet",
    )
    verdict = {"check": "leakage", "passed": True, "severity": "error", "summary": "None."}
    (root / "dataset" / "dataset.json").write_text(
        json.dumps({"digest": "d" * 64, "verdicts": [verdict]})
    )
    pq.write_table(predictions_of(*predicted), root / "predictions" / "predictions.parquet")
    (root / "predictions" / "predictions.json").write_text(
        json.dumps(
            {
                "digest": "p" * 64,
                "model_digest": "m" * 64,
                "dataset_digest": "d" * 64,
                "splits": ["val", "test"],
                "train_images": DRAWN,
            }
        )
    )
    lighting = ["dim" if i in dim else "bright" for i in ids]
    return evaluate(
        project=project,
        dataset=root / "dataset",
        predictions=root / "predictions",
        metadata=pa.table(
            {"image_id": list(ids), "key": ["lighting"] * len(ids), "value": lighting}
        ),
        folder=root / "evaluation",
    )


def test_the_sample_of_training_images_stands_beside_the_others(made: Evaluation):
    assert made.record.split == "test"
    assert made.record.images == {"train": DRAWN, "val": 30, "test": 40}
    assert made.metrics["train/recall"] == 1.0
    assert made.metrics["recall"] == 0.75
    assert set(made.per_image["split"].to_pylist()) == {"train", "val", "test"}


def test_the_gap_is_read(made: Evaluation):
    gap = made.record.gap
    assert [(e.split, round(e.error, 6)) for e in gap.errors] == [
        ("train", 0.0),
        ("val", 0.25),
        ("test", 0.25),
    ]
    assert [s.kind for s in gap.steps] == ["variance", "none"]
    assert gap.reading[0] == "Error (1 - F1): 0.000 on train, 0.250 on val, 0.250 on test."


def test_the_worst_slice_is_found_on_test_alone_with_what_it_is_taken_for(made: Evaluation):
    (worst,) = made.worst_slices.to_pylist()
    assert (worst["label"], worst["slice_key"], worst["slice_value"]) == (
        "tomato",
        "lighting",
        "dim",
    )
    assert (worst["split"], worst["images"], worst["missed"]) == ("test", 20, 20)
    assert worst["sentence"].endswith("; 20 of 20 missed ones were called orange")


def test_what_is_no_better_than_it_should_be_is_not_suspected(made: Evaluation):
    assert made.record.suspicions == ()


def test_all_of_it_is_read_again(made: Evaluation):
    again = load_evaluation(made.folder)
    assert again.record.gap == made.record.gap
    assert again.worst_slices.equals(made.worst_slices)
    assert "worst_slices" in again.record.conventions
