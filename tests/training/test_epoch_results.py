from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.epoch_results import EPOCH_RESULTS
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.epoch_results import WORSE_IMAGES, read_epochs, worse_images
from cv_pipeline.training.model_folder import EPOCHS

SCORES = {1: (0.5, 0.5, 1.0), 2: (0.75, 0.5, 0.0), 3: (0.5, 1.0, 0.25)}


def write_training(folder: Path, scores: dict[int, tuple[float, ...]] = SCORES) -> Path:
    """A model folder's record of epochs: images a, b, … with these scores after each epoch."""
    rows = [
        {
            "epoch": epoch,
            "image_id": name,
            "score": score,
            "correct": score == 1,
            "true_positives": round(4 * score),
            "false_positives": 1,
            "false_negatives": 4 - round(4 * score),
            "found": [f"{name}{n}" for n in range(round(4 * score))],
            "operating_point": 0.5,
        }
        for epoch, of_epoch in scores.items()
        for name, score in zip("abcdefgh", of_epoch, strict=False)
    ]
    curve = [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "learning_rate": 0.1,
            "validation": sum(of_epoch) / len(of_epoch),
        }
        for epoch, of_epoch in scores.items()
    ]
    folder.mkdir(exist_ok=True)
    for name, table in (
        ("epoch_results.parquet", pa.Table.from_pylist(rows, schema=EPOCH_RESULTS)),
        ("epochs.parquet", pa.Table.from_pylist(curve, schema=EPOCHS)),
    ):
        (folder / name).unlink(missing_ok=True)
        pq.write_table(table, folder / name)
    return folder


def test_worse_images_are_those_whose_score_fell_the_worst_first(tmp_path):
    model = write_training(tmp_path / "model")
    worse = worse_images(model, epoch=2)
    assert worse.schema == WORSE_IMAGES
    [row] = worse.to_pylist()
    assert (row["image_id"], row["score_before"], row["score"], row["change"]) == ("c", 1, 0, -1)
    assert not row["correct"]
    changes = [row[f"{n}_change"] for n in ("true_positives", "false_positives", "false_negatives")]
    assert changes == [-4, 0, 4]
    assert row["lost"] == ["c0", "c1", "c2", "c3"]
    [a] = worse_images(model, epoch=3).to_pylist()
    assert a["lost"] == ["a2"]
    assert worse_images(model, epoch=3)["image_id"].to_pylist() == ["a"]
    assert worse_images(model, epoch=3, against=1)["image_id"].to_pylist() == ["c"]
    assert worse_images(model, epoch=1, against=3)["image_id"].to_pylist() == ["b"]


def test_equals_are_in_order_of_the_image(tmp_path):
    model = write_training(tmp_path / "model", {1: (1, 1, 1, 0.5), 2: (0.5, 0, 0, 0.5)})
    assert worse_images(model, epoch=2)["image_id"].to_pylist() == ["b", "c", "a"]


def test_what_is_not_there_is_said(tmp_path):
    model = write_training(tmp_path / "model")
    with pytest.raises(TrainingError, match=r"has no epoch 4\. Name one of 1 to 3"):
        worse_images(model, epoch=4)
    with pytest.raises(TrainingError, match="has no epoch 0"):
        worse_images(model, epoch=1)
    with pytest.raises(TrainingError, match="cannot be compared with itself"):
        worse_images(model, epoch=2, against=2)
    (model / "epoch_results.parquet").unlink()
    with pytest.raises(TrainingError, match="trained by older code"):
        worse_images(model, epoch=2)
    assert read_epochs(model)["epoch"].to_pylist() == [1, 2, 3]
    (model / "epochs.parquet").unlink()
    with pytest.raises(TrainingError, match="has no curve"):
        read_epochs(model)


def test_a_row_takes_a_few_bytes(tmp_path):
    """200 images whose ids look like digests, 30 epochs, scores that are ratios of small counts."""
    count, epochs = 200, 30
    ids = [f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" * 4 for n in range(count)]
    rows = pa.table(
        {
            "epoch": pa.array([e for e in range(epochs) for _ in ids], pa.int32()),
            "image_id": ids * epochs,
            "loss": pa.nulls(count * epochs, pa.float32()),
            "score": pa.array(
                [(n * e) % 13 / 13 for e in range(epochs) for n in range(count)], pa.float32()
            ),
            "correct": [(n * e) % 3 == 0 for e in range(epochs) for n in range(count)],
            **{
                name: pa.array(
                    [(n * e) % k for e in range(epochs) for n in range(count)], pa.int32()
                )
                for name, k in (
                    ("true_positives", 7),
                    ("false_positives", 5),
                    ("false_negatives", 3),
                )
            },
            "found": pa.array(
                [ids[: (n * e) % 7] for e in range(epochs) for n in range(count)],
                pa.list_(pa.string()),
            ),
            "operating_point": pa.array([0.3] * (count * epochs), pa.float32()),
        }
    ).cast(EPOCH_RESULTS)
    pq.write_table(rows, tmp_path / "rows.parquet", compression="zstd")
    size = (tmp_path / "rows.parquet").stat().st_size - 64 * count  # each id is there once
    assert size / len(rows) < 12
