from __future__ import annotations

import pytest

from cv_pipeline.annotations.formats import yolo
from cv_pipeline.annotations.raw import UnusableExport
from cv_pipeline.errors import AnnotationError

NAMES = {"data.yaml": b"train: images/train\nnames: [pear, apple]\n"}


def test_box_is_shares_of_an_image_whose_suffix_is_open():
    parsed = yolo.parse(NAMES | {"labels/train/a.txt": b"1 0.5 0.5 0.2 0.4\n"})

    row = parsed.rows.to_pylist()[0]
    edges = [row[e] for e in ("x_min", "y_min", "x_max", "y_max")]
    assert edges == pytest.approx([0.4, 0.3, 0.6, 0.7])
    assert row["normalized"]
    assert row["width"] is None
    assert (row["label"], row["image_path"]) == ("apple", "images/train/a.*")
    assert parsed.labels == ("pear", "apple")


@pytest.mark.parametrize(
    ("label_file", "image"),
    [
        ("train/labels/a.txt", "train/images/a.*"),
        ("labels/labels/a.b.txt", "labels/images/a.b.*"),
        ("obj_train_data/a.txt", "obj_train_data/a.*"),  # Darknet: beside the image
    ],
)
def test_image_of_a_label_file(label_file, image):
    assert yolo.parse(NAMES | {label_file: b"0 0.5 0.5 0.1 0.1"}).images == (image,)


@pytest.mark.parametrize(
    "names",
    [
        {"data.yaml": b"names:\n  0: pear\n  1: apple\n"},
        {"classes.txt": b"pear\napple\n"},
        {"obj.names": b"\xef\xbb\xbfpear\r\napple"},
    ],
)
def test_class_names_come_from_any_of_their_files(names):
    parsed = yolo.parse(names | {"labels/a.txt": b"1 0.5 0.5 0.1 0.1"})

    assert parsed.labels == ("pear", "apple")
    assert parsed.rows["label"].to_pylist() == ["apple"]


def test_empty_label_file_is_an_image_without_objects():
    parsed = yolo.parse(NAMES | {"labels/a.txt": b"", "labels/b.txt": b"0 0.5 0.5 0.1 0.1"})

    assert parsed.empty == ("images/a.*",)


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("0 0.5 0.5 0.1", "line 1", "bad_box"),
        ("0 0.5 0.5 0.1 0.1 0.93", "line 1", "bad_box"),  # a confidence: a prediction
        ("0 0.5 x 0.1 0.1", "line 1", "bad_box"),
        ("2 0.5 0.5 0.1 0.1", "line 1: class", "unknown_label"),
        ("0.5 0.5 0.5 0.1 0.1", "line 1: class", "unknown_label"),
        ("nan 0.5 0.5 0.1 0.1", "line 1: class", "unknown_label"),
        ("0 0.1 0.1 0.2 0.1 0.1 0.1", "line 1", "too_few_points"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "line 1", "bad_box"),
        ("0 320 240 64 48", "line 1: box", "not_normalized"),
    ],
)
def test_one_bad_line_is_named_and_the_next_one_is_read(line, field, reason):
    parsed = yolo.parse(NAMES | {"labels/a.txt": f"{line}\n0 0.5 0.5 0.1 0.1".encode()})

    assert [(r.field, r.reason) for r in parsed.quarantine] == [(field, reason)]
    assert parsed.rows["object"].to_pylist() == ["line 2"]


def test_file_that_is_not_text_is_quarantined():
    good = {"labels/b.txt": b"1 0.5 0.5 0.2 0.4"}

    parsed = yolo.parse(NAMES | good | {"labels/a.txt": b"\xff\xfe0"})

    assert [(r.file, r.reason) for r in parsed.quarantine] == [("labels/a.txt", "not_utf8")]
    assert len(parsed.rows) == 1


def test_class_names_do_not_make_unreadable_labels_an_empty_export():
    with pytest.raises(UnusableExport, match=r"holds no annotation .* labels/a\.txt: Not UTF-8"):
        yolo.parse(NAMES | {"labels/a.txt": b"\xff\xfe0", "labels/b.txt": b""})


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ({}, "does not name its classes"),
        ({"data.yaml": b"names: [pear, apple"}, "data.yaml: Not valid YAML"),
        ({"data.yaml": b"names: !!int "}, "data.yaml: Not valid YAML"),
        ({"data.yaml": b"names: 3"}, "Expected a list of class names"),
    ],
)
def test_missing_class_names_are_an_error(names, match):
    with pytest.raises(AnnotationError, match=match):
        yolo.parse(names | {"labels/a.txt": b"0 0.5 0.5 0.1 0.1"})
