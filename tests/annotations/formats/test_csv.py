from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from cv_pipeline.annotations.formats import csv, read_export
from cv_pipeline.errors import AnnotationError
from cv_pipeline.storage import open_source

BOXES = "image,label,x_min,y_min,x_max,y_max\n"


def parse(text: str):
    return csv.parse({"a.csv": text.encode()})


def test_labels_with_annotator_and_seconds():
    parsed = parse("image,annotator,label,seconds\na.jpg,ann,pear,2.5\na.jpg,7,apple,\n")

    rows = parsed.rows.to_pylist()
    assert [r["label"] for r in rows] == ["pear", "apple"]
    assert [r["annotator"] for r in rows] == ["ann", "annotator-7"]
    assert [r["lead_time"] for r in rows] == [2.5, None]
    assert {r["kind"] for r in rows} == {"class"}
    assert [r["original_id"] for r in rows] == ["0", "1"]


def test_an_e_mail_address_does_not_become_an_annotator():
    parsed = parse("image,label,annotator\na.jpg,pear,Ann@example.org\n")

    assert "@" not in parsed.rows["annotator"][0].as_py()


def test_boxes_under_their_usual_names_and_images_without_objects():
    parsed = parse(
        "filename;width;height;class;xmin;ymin;xmax;ymax\n"
        "a.jpg;100;80;pear;1;2;3.5;4\n"
        "b.jpg;;;;;;;\n"
    )

    row = parsed.rows.to_pylist()[0]
    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == (1, 2, 3.5, 4)
    assert (row["kind"], row["width"], row["height"]) == ("bbox", 100, 80)
    assert parsed.images == ("a.jpg", "b.jpg")
    assert parsed.empty == ("b.jpg",)


def test_times_are_utc():
    parsed = parse(
        "image,label,created_at\na,x,2025-01-01T10:00:00+02:00\nb,x,2025-01-01\nc,x,soon\n"
    )

    assert parsed.rows["created_at"].to_pylist() == [
        datetime(2025, 1, 1, 8, tzinfo=UTC),
        datetime(2025, 1, 1, tzinfo=UTC),
        None,
    ]
    assert [(r.field, r.reason) for r in parsed.quarantine] == [("row 4: created_at", "bad_time")]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (",pear,1,2,3,4", "row 2: image", "missing_image"),
        ("a.jpg,,1,2,3,4", "row 2: label", "missing_label"),
        ("a.jpg,pear,1,2,3,", "row 2: x_min…y_max", "bad_box"),
        ("a.jpg,pear,1,2,3,four", "row 2: y_max", "bad_box"),
        ("a.jpg,pear,1,2,3,nan", "row 2: y_max", "bad_box"),
        ("a.jpg,pear,1,2,3", "row 2", "wrong_columns"),
        ("a.jpg,pear,1,2,3,4,5", "row 2", "wrong_columns"),
    ],
)
def test_one_bad_row_is_named_and_the_next_one_is_read(line, field, reason):
    parsed = parse(f"{BOXES}{line}\nb.jpg,pear,1,2,3,4\n")

    assert [(r.field, r.reason) for r in parsed.quarantine] == [(field, reason)]
    assert parsed.rows["object"].to_pylist() == ["row 3"]


def test_rows_are_counted_past_bad_and_blank_ones():
    parsed = parse("image,label\na,x\nbad\n\nb,x,y\nc,x\n")

    assert [r.field for r in parsed.quarantine] == ["row 3", "row 5"]
    assert parsed.rows["object"].to_pylist() == ["row 2", "row 6"]


def test_open_quote_is_reported_with_what_it_swallowed():
    parsed = parse('image,label\na,x\nb,"x\nc,x\n')

    assert [(r.field, r.reason) for r in parsed.quarantine] == [("row 3: label", "unclosed_quote")]
    assert len(parsed.rows) == 1


def test_bad_seconds_leave_the_label():
    parsed = parse("image,label,seconds\na,x,quick\n")

    assert [(r.field, r.reason) for r in parsed.quarantine] == [("row 2: seconds", "bad_number")]
    assert parsed.rows["lead_time"].to_pylist() == [None]


def test_ids_do_not_depend_on_other_images():
    before = parse("image,label\nb,x\nb,y\n").rows["original_id"].to_pylist()
    after = parse("image,label\na,x\nb,x\na,x\nb,y\n").rows["original_id"].to_pylist()

    assert before == [after[1], after[3]] == ["0", "1"]


def test_unknown_columns_are_named():
    assert parse("image,label,mood,mood\na,x,1,2\n").not_imported == {"column mood": 2}


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_ends_do_not_matter(start, line_end):
    parsed = parse(start + line_end.join(["image,label", "a,ü", "b,x", ""]))

    assert parsed.rows["label"].to_pylist() == ["ü", "x"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_text_may_be_as_spreadsheets_write_it(encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    data = f"{mark}image\tlabel\na.jpg\tKürbis\n".encode(encoding)
    assert csv.sniff({"a.csv": data})
    assert csv.parse({"a.csv": data}).rows["label"].to_pylist() == ["Kürbis"]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("image,label\na,Kürbis\n".encode("latin-1"), "Not UTF-8 text, byte 15. Save it as CSV"),
        (b"image,class_\na,x\n", "Expected the columns image and label, found image, class_"),
        (b"", "Expected the columns image and label, found nothing"),
        (b"image,label", "Not valid CSV"),
    ],
)
def test_no_readable_file_is_an_error_that_says_why(data, match):
    with pytest.raises(AnnotationError, match=match):
        csv.parse({"a.csv": data})


def test_crowd_labels(real_data):
    export = read_export(open_source(f"{real_data}/cifar10n.tar.gz!cifar10n/annotations.csv"))

    began = time.perf_counter()
    parsed = csv.parse(export.files)

    assert time.perf_counter() - began < 2.0
    assert len(parsed.rows) == 30_000
    assert len(parsed.images) == 10_000
    assert parsed.quarantine == ()
    assert parsed.not_imported == {"column task_batch": 30_000}


def test_split_and_capture_time_of_images():
    parsed = parse(
        "image,label,split,captured_at\na,x,Validation,2025-01-01\nb,x,,\nc,x,dev,soon\na,y,val,\n"
    )

    assert [(f["image_path"], f["split"]) for f in parsed.facts.to_pylist()] == [
        ("a", "val"),
        ("a", "val"),
    ]
    assert [(r.field, r.reason) for r in parsed.quarantine] == [
        ("row 4: split", "unknown_split"),
        ("row 4: captured_at", "bad_time"),
    ]
    assert len(parsed.rows) == 4
