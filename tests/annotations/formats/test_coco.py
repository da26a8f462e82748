from __future__ import annotations

import json

import pytest

from cv_pipeline.annotations.formats import coco
from cv_pipeline.errors import AnnotationError


def document(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "b.jpg", "width": 100, "height": 80},
        ],
        "categories": [{"id": 7, "name": "pear"}, {"id": 3, "name": "apple"}],
        "annotations": [annotation()],
    }
    return base | changes


def annotation(**changes: object) -> dict[str, object]:
    return {"id": 11, "image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40]} | changes


def parse(*documents: object):
    files = {f"{i}.json": json.dumps(d).encode() for i, d in enumerate(documents)}
    return coco.parse(files)


def reasons(parsed) -> list[tuple[str, str]]:
    return [(r.field, r.reason) for r in parsed.quarantine]


def test_box_is_edges_and_categories_keep_their_declared_order():
    parsed = parse(document())

    row = parsed.rows.to_pylist()[0]
    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == (10, 20, 40, 60)
    assert (row["label"], row["image_path"], row["original_id"]) == ("pear", "a.jpg", "11")
    assert (row["width"], row["height"], row["normalized"]) == (100, 80, False)
    assert parsed.labels == ("pear", "apple")
    assert parsed.images == ("a.jpg", "b.jpg")
    assert parsed.empty == ("b.jpg",)


def test_crowd_and_extra_attributes_are_kept():
    entry = annotation(iscrowd=1, attributes={"occluded": True}, segmentation=[[1, 2, 3, 4, 5, 6]])

    parsed = parse(document(annotations=[entry]))

    assert parsed.rows["attributes"].to_pylist() == ['{"iscrowd":true,"occluded":true}']
    assert parsed.rows["kind"].to_pylist() == ["polygon"]


@pytest.mark.parametrize(
    ("entry", "field", "reason"),
    [
        (annotation(image_id=9), "annotations[0].image_id", "unknown_image"),
        (annotation(image_id=[1]), "annotations[0].image_id", "unknown_image"),
        (annotation(category_id=None), "annotations[0].category_id", "unknown_label"),
        (annotation(bbox=[1, 2, 3]), "annotations[0].bbox", "bad_box"),
        (annotation(bbox=[1, 2, 3, True]), "annotations[0].bbox", "bad_box"),
        (annotation(bbox=[1, 2, 3, 10**400]), "annotations[0].bbox", "bad_box"),
        (annotation(bbox=None), "annotations[0].bbox", "bad_box"),
        ("not an object", "annotations[0]", "not_an_object"),
        # half of a surrogate pair is no text
        (annotation(attributes={"note": "\ud800"}), "annotations[0].attributes", "bad_attributes"),
    ],
)
def test_one_bad_annotation_is_named_and_the_next_one_is_read(entry, field, reason):
    parsed = parse(document(annotations=[entry, annotation(id=12)]))

    assert reasons(parsed) == [(field, reason)]
    assert "12" in parsed.rows["original_id"].to_pylist()


def test_second_of_two_equal_ids_is_refused():
    parsed = parse(
        document(
            images=[{"id": 1, "file_name": "a.jpg"}, {"id": "1", "file_name": "z.jpg"}],
            categories=[{"id": 7, "name": "pear"}, {"id": 7, "name": "apple"}],
            annotations=[annotation(), annotation(bbox=[0, 0, 5, 5])],
        )
    )

    assert reasons(parsed) == [
        ("categories[1].id", "duplicate_id"),
        ("images[1].id", "duplicate_id"),
        ("annotations[1].id", "duplicate_id"),
    ]
    assert parsed.rows["image_path"].to_pylist() == ["a.jpg"]


def test_ids_of_two_files_are_independent():
    other = document(images=[{"id": 1, "file_name": "other.jpg"}])

    parsed = parse(document(), other)

    assert parsed.rows["image_path"].to_pylist() == ["a.jpg", "other.jpg"]
    assert parsed.quarantine == ()


def test_half_written_file_is_quarantined_and_the_other_is_read():
    good = json.dumps(document()).encode()

    parsed = coco.parse({"bad.json": good[: len(good) // 2], "good.json": good})

    assert [(r.file, r.reason) for r in parsed.quarantine] == [("bad.json", "not_json")]
    assert parsed.quarantine[0].field.startswith("line 1 column ")
    assert len(parsed.rows) == 1


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "Expecting value"),
        (b"null", "null"),
        (b"[" * 100_000, "Nested too deeply"),
        (b"\xff\xff{}", "Not UTF-8|Not valid JSON"),
        (b"9" * 5_000, "Exceeds the limit"),
        (b'{"images": []}', "no list of annotations"),
    ],
)
def test_no_readable_file_is_an_error_that_says_why(data, match):
    with pytest.raises(AnnotationError, match=match):
        coco.parse({"only.json": data})


def test_no_file_at_all_is_an_error():
    with pytest.raises(AnnotationError, match="there is none"):
        coco.parse({"readme.txt": b""})


def test_iscrowd_0_beside_other_attributes_says_nothing():
    entries = [
        annotation(iscrowd=0, attributes={}),
        annotation(id=12, iscrowd=0),
        annotation(id=13, iscrowd=0, attributes={"iscrowd": False}),
    ]

    parsed = parse(document(annotations=entries))

    assert parsed.rows["attributes"].to_pylist() == ["{}", '{"iscrowd":false}', '{"iscrowd":false}']


def test_who_drew_a_box_and_when():
    entry = annotation(
        annotator="ann",
        lead_time=2.5,
        created_at="2025-03-01T12:00:00Z",
        updated_at="never",
    )

    row = parse(document(annotations=[entry])).rows.to_pylist()[0]

    assert (row["annotator"], row["lead_time"]) == ("ann", 2.5)
    assert row["created_at"].isoformat() == "2025-03-01T12:00:00+00:00"
    assert row["updated_at"] is None


@pytest.mark.parametrize(
    ("bbox", "edges", "x_max"),
    [
        # x + width rounds to the next number down
        ([0.123, 0, 899.9, 40], [0.123, 0, 900.023, 40], 900.023),
        ([10, 20, 30, 40], [10, 20, 99, 60], 40),  # the box was moved by another tool
        ([10, 20, 30, 40], ["a", 0, 0, 0], 40),
        ([10, 20, 30, 40], None, 40),
    ],
)
def test_edges_count_where_they_fit_the_box(bbox, edges, x_max):
    if edges and edges[2] == 900.023:
        bbox = [*bbox[:2], edges[2] - edges[0], edges[3] - edges[1]]

    parsed = parse(document(annotations=[annotation(bbox=bbox, edges=edges)]))

    assert parsed.rows["x_max"].to_pylist() == [x_max]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017", "train"),
        ("instances_val", "val"),
        ("test", "test"),
        ("_annotations.coco", None),
        ("contest", None),
    ],
)
def test_split_that_a_file_is_named_after(name, split):
    files = {f"annotations/{name}.json": json.dumps(document()).encode()}

    assert coco.parse(files).facts["split"].to_pylist() == ([split] * 2 if split else [])


def test_capture_time_and_metadata_of_images():
    images = [
        {"id": 1, "file_name": "a.jpg", "captured_at": "2025-03-01", "metadata": {"line": "1"}},
        {"id": 2, "file_name": "b.jpg", "date_captured": "2025-03-01", "metadata": {"line": 1}},
    ]

    facts = parse(document(images=images)).facts.to_pylist()

    assert [(f["image_path"], f["metadata"]) for f in facts] == [("a.jpg", '{"line":"1"}')]
    assert facts[0]["captured_at"].isoformat() == "2025-03-01T00:00:00+00:00"
