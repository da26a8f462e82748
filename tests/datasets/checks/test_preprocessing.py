"""Preprocessing: statistics fitted on anything but the training images are found out."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.compute as pc
import pytest

from cv_pipeline.datasets.checks import CheckContext
from cv_pipeline.datasets.checks.preprocessing import FITTED, check_preprocessing
from cv_pipeline.datasets.statistics import Statistics, fit_statistics
from tests.datasets.checks.contexts import make_context
from tests.datasets.world import fruit_world


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> CheckContext:
    return make_context(fruit_world(), tmp_path_factory.mktemp("sound"))


def recorded(context: CheckContext, statistics: Statistics | None) -> CheckContext:
    record = context.record.model_copy(update={"statistics": statistics})
    return replace(context, record=record)


def fitted(context: CheckContext, *splits: str) -> Statistics:
    chosen = [s in splits for s in context.manifest["split"].to_pylist()]
    return fit_statistics(
        context.manifest["image_id"].combine_chunks().filter(chosen), context.measures
    )


def test_what_a_candidate_records_is_of_its_training_images(sound: CheckContext) -> None:
    found = check_preprocessing(sound, 0)
    assert found.passed
    assert found.rows.schema == FITTED
    assert found.summary == (
        "All 5 recorded statistics were fitted on the 44 training images alone."
    )
    train = sound.manifest.filter(pc.equal(sound.manifest["split"], "train"))["image_id"]
    bright = sound.measures.filter(pc.is_in(sound.measures["image_id"], train.combine_chunks()))
    row = found.rows.to_pylist()[0]
    assert row["mean"] == pytest.approx(pc.mean(bright["brightness"]).as_py())


def test_statistics_of_all_images_fail(sound: CheckContext) -> None:
    leaky = recorded(sound, fitted(sound, "train", "val", "test"))
    found = check_preprocessing(leaky, 0)
    assert not found.passed
    assert set(found.rows["fitted_on"].to_pylist()) == {"all"}
    assert "5 of 5 statistics were not fitted on the 44 training images" in found.summary
    assert "brightness (all)" in found.summary


@pytest.mark.parametrize("splits", [("train", "val"), ("test",)])
def test_statistics_of_other_images_fail(splits: tuple[str, ...], sound: CheckContext) -> None:
    found = check_preprocessing(recorded(sound, fitted(sound, *splits)), 0)
    assert not found.passed
    assert set(found.rows["fitted_on"].to_pylist()) == {"other"}


def test_the_right_numbers_of_the_wrong_images_fail(sound: CheckContext) -> None:
    right = fitted(sound, "train")
    found = check_preprocessing(recorded(sound, right.model_copy(update={"images_digest": "0"})), 9)
    assert not found.passed
    assert found.summary == (
        "The recorded statistics name other images than the 44 training images."
    )


def test_no_statistics_fail(sound: CheckContext) -> None:
    found = check_preprocessing(recorded(sound, None), 0)
    assert not found.passed
    assert set(found.rows["fitted_on"].to_pylist()) == {"none"}
