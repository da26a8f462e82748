"""Agreement on boxes: which are the same object, and what an annotator who drew nothing says."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.errors import AnnotationError
from cv_pipeline.quality.agreement import box_agreement, label_agreement
from cv_pipeline.quality.annotator_files import read_annotators
from cv_pipeline.quality.matched_objects import match_objects

A, B = (0, 0, 10, 10), (100, 100, 120, 120)


def boxes(*rows: tuple[str, str, str, tuple[float, ...]]) -> pa.Table:
    """Rows of image, annotator, label and edges."""
    names = ("x_min", "y_min", "x_max", "y_max")
    return pa.Table.from_pylist(
        [
            {"image_id": image, "annotator": who, "label": label}
            | dict(zip(names, map(float, edges), strict=True))
            for image, who, label, edges in rows
        ]
    )


def looked(*rows: tuple[str, str]) -> pa.Table:
    return pa.Table.from_pylist([{"image_id": i, "annotator": a} for i, a in rows])


def test_the_same_boxes_with_the_same_names_agree_wholly():
    found = box_agreement(
        boxes(
            ("1", "a", "cat", A), ("1", "b", "cat", A), ("1", "a", "dog", B), ("1", "b", "dog", B)
        )
    )
    assert (found.alpha.value, found.mean_iou) == (1.0, 1.0)
    assert (found.images, found.annotators, found.objects, found.agreed) == (1, 2, 2, 2)


def test_another_name_on_the_same_box_is_a_disagreement_on_the_name():
    found = box_agreement(boxes(("1", "a", "cat", A), ("1", "b", "dog", A)))
    assert (found.objects, found.agreed, found.mean_iou) == (1, 0, 1.0)
    assert found.alpha.value == pytest.approx(0.0)


def test_a_box_that_nobody_else_drew_is_an_object_that_others_say_is_not_there():
    found = box_agreement(boxes(("1", "a", "cat", A), ("1", "b", "cat", A), ("1", "a", "cat", B)))
    assert (found.objects, found.agreed) == (2, 1)
    # values cat cat / cat (none): coincidences by hand: D_o = 2/4, D_e = 1 - (3*2)/(4*3) = 1/2
    assert found.alpha.value == pytest.approx(0.0)


def test_who_looked_and_drew_nothing_says_that_there_is_nothing():
    rows = boxes(("1", "a", "cat", A), ("1", "b", "cat", A))
    both = box_agreement(rows)
    three = box_agreement(rows, looked=looked(("1", "c")))
    assert (both.agreed, three.agreed, three.annotators) == (1, 0, 3)
    assert three.alpha.values == 3
    # an image on which everybody sees nothing is no object to agree on
    nothing = box_agreement(rows, looked=looked(("2", "a"), ("2", "b")))
    assert (nothing.images, nothing.alpha) == (2, both.alpha)


def test_images_of_one_annotator_alone_and_known_truth_do_not_count():
    found = box_agreement(
        boxes(("1", "a", "cat", A), ("2", "b", "cat", A), ("1", "gold", "cat", A))
    )
    assert (found.images, found.objects, found.alpha.value) == (0, 0, None)


def test_boxes_below_the_overlap_are_two_objects():
    near = (0, 0, 10, 6)  # IoU 0.6 with A
    rows = boxes(("1", "a", "cat", A), ("1", "b", "cat", near))
    assert box_agreement(rows).objects == 1
    assert box_agreement(rows, least_iou=0.7).objects == 2
    with pytest.raises(AnnotationError, match="from an IoU of 0"):
        box_agreement(rows, least_iou=0.0)


def test_every_box_is_given_to_one_object_at_most_and_the_best_in_all_counts():
    """Greedy matching would give the first box the second object, and leave one over."""
    found = box_agreement(
        boxes(
            ("1", "a", "cat", (0, 0, 10, 10)),
            ("1", "a", "cat", (4, 0, 14, 10)),
            ("1", "b", "cat", (3, 0, 13, 10)),
            ("1", "b", "cat", (6, 0, 16, 10)),
        ),
        least_iou=0.5,
    )
    assert (found.objects, found.agreed) == (2, 2)


def test_of_equal_overlaps_the_name_decides():
    found = box_agreement(
        boxes(
            ("1", "a", "cat", A), ("1", "a", "dog", A), ("1", "b", "dog", A), ("1", "b", "cat", A)
        )
    )
    assert (found.objects, found.agreed) == (2, 2)


BOX = st.tuples(
    st.integers(0, 1), st.integers(0, 2), st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)
)


@settings(max_examples=60)
@given(st.lists(BOX, max_size=9))
def test_matching_is_one_to_one_and_the_best_assignment(drawn):
    rows = np.array(drawn, np.int64).reshape(-1, 5)
    xyxy = np.column_stack([rows[:, 3], rows[:, 4], rows[:, 3] + 4, rows[:, 4] + 4]).astype(float)
    found = match_objects(rows[:, 0], rows[:, 1], rows[:, 2], xyxy, least_iou=0.3)
    assert len(found.image) == (found.object.max(initial=-1) + 1)
    for one in range(len(found.image)):
        of = found.object == one
        assert of.any()
        assert set(rows[of, 0]) == {found.image[one]}
        assert len(set(rows[of, 1])) == of.sum()  # an annotator draws an object once
    # for two annotators: no assignment of the boxes of an image overlaps more in all
    two = rows[:, 1] < 2
    if two.any():
        pair = match_objects(rows[two, 0], rows[two, 1], rows[two, 2], xyxy[two], least_iou=0.3)
        for image in (0, 1):
            first, second = (
                np.flatnonzero((rows[two, 0] == image) & (rows[two, 1] == who)) for who in (0, 1)
            )
            assert _total(pair.object, xyxy[two], first, second) == pytest.approx(
                _best(xyxy[two], first, second), abs=1e-4
            )


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).clip(min=0)
    shared = float(sides.prod())
    iou = shared / (32 - shared)
    return iou if iou >= 0.3 else 0.0


def _total(object_of, xyxy, first, second) -> float:
    return sum(
        _iou(xyxy[i], xyxy[j]) for i in first for j in second if object_of[i] == object_of[j]
    )


def _best(xyxy, first, second) -> float:
    if len(first) > len(second):
        first, second = second, first
    return max(
        (
            sum(_iou(xyxy[i], xyxy[j]) for i, j in zip(first, chosen, strict=True))
            for chosen in permutations(second, len(first))
        ),
        default=0.0,
    )


def test_classes_of_images_take_the_last_label_of_each_annotator():
    rows = pa.Table.from_pylist(
        [
            {"image_id": image, "annotator": who, "label": label}
            for image, who, label in (
                ("1", "a", "dog"),
                ("1", "a", "cat"),
                ("1", "b", "cat"),
                ("2", "a", "dog"),
                ("2", "b", "dog"),
                ("3", "a", "dog"),
            )
        ]
    )
    found = label_agreement(rows)
    assert (found.alpha.value, found.images, found.annotators) == (1.0, 2, 2)
    assert set(found.per_label) == {"cat", "dog"}


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_files_that_do_not_say_who_drew_are_each_one_annotators(write):
    paths = [
        write("ann.csv", "image,label\nset/a.jpg,cat\nset/b.jpg,dog\n"),
        write("bob.csv", "image,label\na.jpg,cat\nb.jpg,cat\nc.jpg,cat\n"),
    ]
    found = read_annotators(paths)
    assert found.kind == "classes"
    said = {(r["image_id"], r["annotator"]): r["label"] for r in found.rows.to_pylist()}
    assert said["set/a.jpg", "ann"] == said["set/a.jpg", "bob"] == "cat"
    assert said["c.jpg", "bob"] == "cat"


def test_files_of_one_name_are_told_apart_by_their_folders(write):
    paths = [write(f"{who}/labels.csv", "image,label\na.jpg,cat\n") for who in ("ann", "bob")]
    assert set(read_annotators(paths).rows["annotator"].to_pylist()) == {str(p) for p in paths}


def test_boxes_in_pixels_and_in_shares_are_compared_where_a_size_is_known(write):
    head = "image,label,x_min,y_min,x_max,y_max\n"
    one = write("ann.csv", f"{head}a.jpg,cat,10,10,50,50\n")
    coco = (
        '{"images":[{"id":1,"file_name":"a.jpg","width":100,"height":100}],'
        '"categories":[{"id":1,"name":"cat"}],'
        '"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[10,10,40,40]}]}'
    )
    two = write("bob.json", coco)
    found = read_annotators([one, two])
    assert box_agreement(found.rows, looked=found.looked).mean_iou == pytest.approx(1.0)
