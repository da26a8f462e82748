from __future__ import annotations

import json

import pytest

from cv_pipeline.annotations.formats import webdataset
from cv_pipeline.errors import AnnotationError

SHARD = "dataset-train-000000.tar"


def sample(**changes: object) -> bytes:
    base = {"width": 40, "height": 30, "annotations": [found()]}
    return json.dumps(base | changes).encode()


def found(**changes: object) -> dict[str, object]:
    return {"category": "pear", "category_id": 1, "bbox": [1, 2, 3, 4]} | changes


def test_samples():
    parsed = webdataset.parse(
        {f"{SHARD}/a.json": sample(), f"{SHARD}/b.json": sample(annotations=[])}
    )

    row = parsed.rows.to_pylist()[0]
    assert (row["image_path"], row["label"]) == (f"{SHARD}/a.*", "pear")
    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == (1, 2, 4, 6)
    assert (row["width"], row["height"]) == (40, 30)
    assert parsed.empty == (f"{SHARD}/b.*",)
    assert parsed.facts["split"].to_pylist() == ["train", "train"]


def test_classes_are_in_order_of_their_numbers():
    objects = [found(category="b", category_id=2), found(category="a", category_id=0)]

    parsed = webdataset.parse({"x.tar/a.json": sample(annotations=objects)})

    assert parsed.labels == ("a", "b")
    assert parsed.facts.num_rows == 0


def test_a_class_alone():
    parsed = webdataset.parse({f"{SHARD}/a.cls": b"7\n", f"{SHARD}/b.cls": b"apple"})

    assert parsed.rows["label"].to_pylist() == ["7", "apple"]
    assert set(parsed.rows["kind"].to_pylist()) == {"class"}


def test_json_says_more_than_the_class_beside_it():
    files = {f"{SHARD}/a.cls": b"1", f"{SHARD}/a.json": sample(annotations=[{"category": "pear"}])}

    assert webdataset.parse(files).rows["label"].to_pylist() == ["pear"]


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("dataset-train-000000.tar/a.json", "train"),
        ("coco_valid_0.tar/a.json", "val"),
        ("test-12.tar/a.json", "test"),
        ("training.tar/a.json", None),
        ("shard-000000.tar/a.json", None),
    ],
)
def test_split_of_a_shard(path, split):
    assert webdataset.parse({path: sample()}).facts["split"].to_pylist() == (
        [split] if split else []
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("pear", "not_an_object"),
        (found(category=None), "missing_label"),
        (found(bbox=[1, 2]), "bad_box"),
        (found(bbox="1 2 3 4"), "bad_box"),
    ],
)
def test_a_bad_object_is_named_and_the_next_is_read(entry, reason):
    parsed = webdataset.parse({"a.json": sample(annotations=[entry, found()])})

    assert [(r.field.partition(".")[0], r.reason) for r in parsed.quarantine] == [
        ("annotations[0]", reason)
    ]
    assert len(parsed.rows) == 1


@pytest.mark.parametrize("data", [b"{", b"null", b"[]", b'{"annotations": 1}'])
def test_a_sample_that_cannot_be_read(data):
    with pytest.raises(AnnotationError, match="holds no annotation"):
        webdataset.parse({"a.json": data})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.json": sample()}, True),
        ({"a.cls": b"1"}, True),
        ({"a.json": b'{"images": [], "annotations": [{"category": 1}]}'}, False),  # COCO
        ({"a.json": b'{"annotations": []}'}, False),
        ({"a.txt": b"1"}, False),
    ],
)
def test_sniff(files, expected):
    assert webdataset.sniff(files) is expected
