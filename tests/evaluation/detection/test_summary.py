from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.evaluation.detection.coco import CocoEvaluation
from cv_pipeline.evaluation.detection.coco_files import read_coco
from cv_pipeline.evaluation.detection.summary import METRICS, coco_summary
from tests.evaluation.detection.coco_reference import SIDE, coco_files, pycocotools_numbers

fast = settings(max_examples=25, deadline=None)
scenes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "images": st.integers(1, 6),
        "labels": st.integers(1, 4),
        "objects": st.integers(1, 30),
        "detections": st.integers(1, 60),
    }
)


def evaluated(
    folder: Path, known: dict[str, Any], results: list[dict[str, Any]], iou_type: str = "bbox"
) -> CocoEvaluation:
    (folder / "truth.json").write_text(json.dumps(known))
    (folder / "found.json").write_text(json.dumps(results))
    read = read_coco(folder / "truth.json", folder / "found.json", iou_type=iou_type)
    detections, pairs = read.strongest(100)
    return CocoEvaluation(
        read.truth,
        detections,
        images=len(read.image_ids),
        labels=len(read.labels),
        pairs=pairs,
    )


def check(
    folder: Path, known: dict[str, Any], results: list[dict[str, Any]], iou_type: str = "bbox"
) -> list[float]:
    """Ours against the reference's: the twelve numbers, and AP of every class and threshold."""
    made = evaluated(folder, known, results, iou_type)
    twelve, by_class = pycocotools_numbers(known, results, iou_type=iou_type)
    ours = coco_summary(made).overall
    assert list(ours) == list(METRICS)
    values = [-1.0 if value is None else value for value in ours.values()]
    np.testing.assert_allclose(values, twelve, rtol=0, atol=1e-9)
    precision = made.ranking().average_precision()
    np.testing.assert_allclose(np.nan_to_num(precision, nan=-1), by_class, rtol=0, atol=1e-9)
    return values


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coco")


@fast
@given(scene=scenes)
def test_boxes_agree_with_pycocotools(folder: Path, scene: dict[str, int]) -> None:
    check(folder, *coco_files(**scene))


@settings(max_examples=8, deadline=None)
@given(scene=scenes)
def test_masks_agree_with_pycocotools(folder: Path, scene: dict[str, int]) -> None:
    check(folder, *coco_files(**scene, masks=True), iou_type="segm")


def test_many_boxes_with_more_than_a_hundred_of_an_image_and_class(folder: Path) -> None:
    values = check(folder, *coco_files(3, images=40, labels=4, objects=900, detections=14_000))
    assert all(0.01 < value < 0.99 for value in values)


def test_many_masks(folder: Path) -> None:
    scene = coco_files(4, images=25, labels=4, objects=150, detections=400, masks=True)
    values = check(folder, *scene, iou_type="segm")
    assert all(0.01 < value < 0.99 for value in values)


def test_masks_with_boxes_beside_them(folder: Path) -> None:
    """Of which pycocotools takes the size of a detection."""
    known, results = coco_files(7, images=8, labels=3, objects=60, detections=200, masks=True)
    without = check(folder, known, results, iou_type="segm")
    for n, row in enumerate(results):
        row["bbox"] = [1.0, 1.0, 10.0 + n, 30.0]
    assert check(folder, known, results, iou_type="segm") != without
    for row in results:
        row["bbox"] = []
    assert check(folder, known, results, iou_type="segm") == without


def test_polygons_of_several_parts_and_run_lengths_in_the_clear(folder: Path) -> None:
    known, results = coco_files(6, images=8, labels=3, objects=50, detections=150, masks=True)
    for row in known["annotations"]:
        x, y, width, height = row["bbox"]
        if row["iscrowd"]:  # a column of the image, as COCO writes crowds
            from_top = int(x) * SIDE
            row["segmentation"] = {
                "size": [SIDE, SIDE],
                "counts": [from_top, int(width) * SIDE, SIDE * (SIDE - int(width)) - from_top],
            }
        else:
            right, low, middle = x + width, y + height, y + height / 2
            row["segmentation"] = [
                [x, y, right, y, x + width / 3, middle],
                [x, low, right, low, right, middle, x, middle],
            ]
    assert any(row["iscrowd"] for row in known["annotations"])
    values = check(folder, known, results, iou_type="segm")
    assert values[0] > 0.01


@fast
@given(scene=scenes, data=st.data())
def test_a_weight_is_a_copy_of_the_image(
    folder: Path, scene: dict[str, int], data: st.DataObject
) -> None:
    known, results = coco_files(**scene, ties=False)  # which copies would mix
    made = evaluated(folder, known, results)
    times = data.draw(
        st.lists(st.integers(0, 3), min_size=scene["images"], max_size=scene["images"])
    )
    copies = {row["id"]: n for row, n in zip(known["images"], times, strict=True)}

    def copied(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
        # copies of one image keep together in the order of ids
        return [
            row | {key: row[key] * 10 + copy} for row in rows for copy in range(copies[row[key]])
        ]

    many = known | {
        "images": copied(known["images"], "id"),
        "annotations": [
            row | {"id": n} for n, row in enumerate(copied(known["annotations"], "image_id"), 1)
        ],
    }
    again = copied(results, "image_id")
    ours = coco_summary(made, np.array(times)).overall
    if many["annotations"] and again:
        twelve, _ = pycocotools_numbers(many, again)
        values = [-1.0 if value is None else value for value in ours.values()]
        np.testing.assert_allclose(values, twelve, rtol=0, atol=1e-9)
    elif not many["annotations"]:
        assert set(ours.values()) == {None}


def test_classes_have_the_twelve_numbers_too(folder: Path) -> None:
    made = evaluated(folder, *coco_files(3, images=40, labels=4, objects=900, detections=4_000))
    made_of = coco_summary(made)
    assert made_of.classes[3] == dict.fromkeys(METRICS)  # without an object
    for metric in METRICS:
        of_classes = [c[metric] for c in made_of.classes[:3]]
        assert made_of.overall[metric] == pytest.approx(np.mean(of_classes))


def test_an_object_of_id_0_counts(folder: Path) -> None:
    """pycocotools takes a match with it for none."""
    known, results = coco_files(5, images=4, labels=2, objects=12, detections=20)
    with_ids_from_1 = coco_summary(evaluated(folder, known, results))
    for row in known["annotations"]:
        row["id"] -= 1
    assert coco_summary(evaluated(folder, known, results)) == with_ids_from_1
