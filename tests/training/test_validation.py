"""What is kept of the validation after each epoch, against a prediction of the same images."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.epoch_results import EPOCH_RESULTS
from cv_pipeline.evaluation.scoring import score_classification, score_detection
from cv_pipeline.training import PredictionSpec
from cv_pipeline.training.prediction import predict
from cv_pipeline.training.trainer import train
from tests.training.conftest import LABELS, square
from tests.training.test_trainer import _without_mlflow, progress

__all__ = ["_without_mlflow", "progress"]
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning's own


@pytest.fixture
def world(make_world, request):
    splits = ["train"] * 16 + ["val"] * 6
    return make_world(request.param, samples=[square(i, s) for i, s in enumerate(splits)])


@pytest.mark.parametrize("world", ["detection", "classification"], indirect=True)
def test_the_last_epoch_is_what_a_prediction_of_those_images_gives(world, tmp_path, progress):
    spec = world.spec(tmp_path / "model", epochs=4, learning_rate=4e-3)
    report = train(spec, progress=progress)
    kept = pq.read_table(spec.out / "epoch_results.parquet")
    assert kept.schema.remove_metadata() == EPOCH_RESULTS
    ids = sorted(i for i, s in zip(world.ids, world.samples, strict=True) if s.split == "val")
    assert kept["epoch"].to_pylist() == [e for e in (1, 2, 3, 4) for _ in ids]
    assert kept["image_id"].to_pylist() == ids * 4
    asked = PredictionSpec(
        task=world.task,
        model=spec.out,
        model_digest=report.model_digest,
        dataset=world.folder,
        dataset_digest=spec.dataset_digest,
        store_url=world.store_url,
        splits=("val",),
        out=tmp_path / "predictions",
    )
    predict(asked, progress=progress)
    score = score_detection if world.task == "detection" else score_classification
    scored = score(
        images=pq.read_table(world.folder / "manifest.parquet"),
        annotations=pq.read_table(world.folder / "annotations.parquet"),
        predictions=pq.read_table(tmp_path / "predictions" / "predictions.parquet"),
        labels=LABELS,
        splits=("val",),
    )
    last = kept.filter(pc.equal(kept["epoch"], 4))
    if scored.operating_point is None:
        assert last["operating_point"].null_count == len(ids)
    else:
        assert last["operating_point"].to_pylist() == [np.float32(scored.operating_point)] * 6
    expected = scored.splits[0].scorer.per_image()
    if world.task == "detection":
        of_image = dict(zip(world.ids, range(len(world.ids)), strict=True))
        for row in last.to_pylist():
            # the one object of each image, by the id that the world gave it
            assert row["found"] == [f"{of_image[row['image_id']]:032d}"] * row["true_positives"]
    else:
        assert last["found"].null_count == len(last)
    assert scored.splits[0].image_ids.to_pylist() == ids
    for name in ("correct", "true_positives", "false_positives", "false_negatives"):
        assert last[name].to_pylist() == expected[name].to_pylist(), name
    assert last["score"].to_pylist() == expected["score"].cast(pa.float32()).to_pylist()


@pytest.mark.parametrize("world", ["classification"], indirect=True)
def test_loss_is_the_cross_entropy_and_accuracy_the_share_of_right_images(
    world, tmp_path, progress
):
    spec = world.spec(tmp_path / "model", epochs=3)
    report = train(spec, progress=progress)
    kept = pq.read_table(spec.out / "epoch_results.parquet")
    for row in kept.to_pylist():
        assert row["loss"] == pytest.approx(-math.log(row["score"]), rel=1e-5)
    for epoch in report.epochs:
        right = kept.filter(pc.equal(kept["epoch"], epoch.epoch))["correct"].to_pylist()
        assert sum(right) / len(right) == epoch.validation


@pytest.mark.parametrize("world", ["classification"], indirect=True)
def test_how_many_images_are_watched_is_a_setting_that_changes_no_weight(world, tmp_path, progress):
    few, all_of_them = (
        train(world.spec(tmp_path / str(n), validation_images=n), progress=progress)
        for n in (2, 100)
    )
    assert few.model_digest == all_of_them.model_digest
    counts = [
        pq.read_metadata(tmp_path / n / "epoch_results.parquet").num_rows for n in ("2", "100")
    ]
    assert counts == [2, 6]
    assert few.parameters["validation_images"] == 2
    assert all_of_them.parameters["validation_images"] == 6
