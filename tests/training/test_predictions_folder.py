"""A predictions folder hashed again: whatever happened to it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.predictions_folder import predictions_digest, verify_predictions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    row = {"image_id": "a" * 64, "rank": 1, "label": "pear", "score": 0.5}
    rows = pa.Table.from_pylist([row], schema=PREDICTIONS)
    digest = predictions_digest(rows, model="m", dataset="d", splits=["val", "test"])
    pq.write_table(rows, tmp_path / "predictions.parquet")
    summary = {
        "digest": digest,
        "model_digest": "m",
        "dataset_digest": "d",
        "splits": ["val", "test"],
        "images": 1,
        "rows": 1,
    }
    (tmp_path / "predictions.json").write_text(json.dumps(summary))
    return tmp_path


def change(folder: Path, **changes: object) -> None:
    path = folder / "predictions.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_all_is_well(folder: Path) -> None:
    assert verify_predictions(folder) == []


@pytest.mark.parametrize(
    "changes",
    [{"model_digest": "x"}, {"dataset_digest": "x"}, {"splits": ["test"]}, {"train_images": 3}],
)
def test_what_was_predicted_on_what_is_part_of_it(changes: dict[str, object], folder: Path) -> None:
    change(folder, **changes)
    (problem,) = verify_predictions(folder)
    assert "Its content hashes to" in problem


def test_other_rows(folder: Path) -> None:
    pq.write_table(PREDICTIONS.empty_table(), folder / "predictions.parquet")
    problems = verify_predictions(folder)
    assert "Its content hashes to" in problems[0]
    assert problems[1] == "It has 0 predictions, not 1."


@pytest.mark.parametrize("name", ["predictions.parquet", "predictions.json"])
def test_a_file_that_cannot_be_read(name: str, folder: Path) -> None:
    (folder / name).write_text("{")
    with pytest.raises(TrainingError, match="is no predictions folder"):
        verify_predictions(folder)
