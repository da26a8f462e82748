from __future__ import annotations

import json
import warnings
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk.types.annotation import Annotation

from cv_pipeline.samples.fruit import Truth
from cv_pipeline.samples.fruit.annotators import CAMPAIGN_START, CAMPAIGN_WEEKS

FAULTY = ("unknown_label", "inverted_box", "out_of_frame_box", "not_finite")


@pytest.fixture(scope="module")
def tasks(fruit_folder: Path) -> list[dict[str, Any]]:
    return json.loads((fruit_folder / "annotations" / "label_studio.json").read_bytes())


@pytest.fixture(scope="module")
def interface(fruit_folder: Path) -> Any:
    with warnings.catch_warnings():
        # the SDK's own code is deprecated by its own dependency
        warnings.simplefilter("ignore", DeprecationWarning)
        from label_studio_sdk.label_interface import LabelInterface
    return LabelInterface((fruit_folder / "annotations" / "labelling_config.xml").read_text())


def test_label_studio_accepts_the_configuration_and_the_results(
    tasks: list[dict[str, Any]], interface: Any, truth: Truth
) -> None:
    planted = {f.field.split(".")[0] for f in truth.annotation_faults if f.reason in FAULTY}
    refused = {
        f"[{i}]"
        for i, task in enumerate(tasks)
        for a in task["annotations"]
        if not interface.validate_annotation({"result": a["result"]})
    }
    # the SDK looks at labels and types, not at where a box lies
    assert refused <= planted
    assert len(refused) == 2


def test_annotations_are_what_the_sdk_expects(tasks: list[dict[str, Any]]) -> None:
    for task in tasks:
        for entry in task["annotations"]:
            annotation = Annotation.model_validate(entry)
            assert annotation.task == task["id"]
            assert annotation.lead_time > 0


def test_most_images_are_seen_by_one_annotator_and_an_eighth_by_two(
    tasks: list[dict[str, Any]], truth: Truth
) -> None:
    done = Counter(
        task["data"]["image"]
        for task in {t["id"]: t for t in tasks}.values()
        for a in task["annotations"]
        if not a["was_cancelled"]
    )
    twice = sum(count == 2 for count in done.values())
    assert twice == round(0.12 * len(truth.labelled))
    assert set(done.values()) == {1, 2}


def test_four_annotators_share_the_work(tasks: list[dict[str, Any]]) -> None:
    work = Counter(a["completed_by"] for task in tasks for a in task["annotations"])
    assert len(work) == 4
    assert max(work.values()) < 1.3 * min(work.values())


def test_the_campaign_lasts_its_weeks_on_weekdays(tasks: list[dict[str, Any]]) -> None:
    times = [datetime.fromisoformat(a["created_at"]) for task in tasks for a in task["annotations"]]
    assert min(times) >= CAMPAIGN_START
    assert max(times) < CAMPAIGN_START + timedelta(weeks=CAMPAIGN_WEEKS)
    assert {t.weekday() for t in times} == {0, 1, 2, 3, 4}


def test_ids_are_distinct_but_for_the_planted_one(tasks: list[dict[str, Any]]) -> None:
    ids = Counter(a["id"] for task in tasks for a in task["annotations"])
    assert sorted(ids.values())[-2:] == [1, 2]
    assert all(task["id"] == place for place, task in enumerate(tasks[:-1], start=1))


def test_cancelled_annotations_are_counted_apart(tasks: list[dict[str, Any]]) -> None:
    assert sum(task["cancelled_annotations"] for task in tasks) == 3
    for task in tasks:
        cancelled = sum(a["was_cancelled"] for a in task["annotations"])
        assert task["cancelled_annotations"] == cancelled
        assert task["total_annotations"] == len(task["annotations"]) - cancelled
