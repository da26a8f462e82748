from __future__ import annotations

import json

import pytest

from cv_pipeline.annotations.formats import huggingface
from cv_pipeline.errors import AnnotationError


def lines(*entries: object) -> bytes:
    return "\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries).encode()


def parse(*entries: object, path: str = "train/metadata.jsonl"):
    return huggingface.parse({path: lines(*entries)})


def test_objects_are_columns():
    objects = {"bbox": [[1, 2, 3, 4], [0, 0, 1, 1]], "category": ["pear", "apple"]}

    parsed = parse({"file_name": "a.jpg", "objects": objects})

    row = parsed.rows.to_pylist()[0]
    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == (1, 2, 4, 6)
    assert parsed.rows["image_path"].to_pylist() == ["train/a.jpg"] * 2
    assert parsed.rows["label"].to_pylist() == ["pear", "apple"]
    assert parsed.facts.to_pylist()[0]["split"] == "train"


@pytest.mark.parametrize("name", ["categories", "label", "labels"])
def test_other_names_of_the_class_and_numbers(name):
    parsed = parse({"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], name: [0]}})

    assert parsed.rows["label"].to_pylist() == ["0"]


def test_the_class_of_an_image():
    parsed = parse({"file_name": "a.jpg", "label": "pear"}, {"file_name": "b.jpg", "label": ""})

    assert parsed.rows.select(["image_path", "label", "kind"]).to_pylist() == [
        {"image_path": "train/a.jpg", "label": "pear", "kind": "class"}
    ]
    assert parsed.empty == ("train/b.jpg",)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("validation/metadata.jsonl", "val"),
        ("data/test/metadata.jsonl", "test"),
        ("metadata.jsonl", None),
    ],
)
def test_split_of_a_folder(path, split):
    parsed = parse({"file_name": "a.jpg", "label": "pear"}, path=path)

    assert parsed.facts["split"].to_pylist() == ([split] if split else [])


def test_a_bad_line_is_named_and_the_next_is_read():
    good = {"file_name": "a.jpg", "label": "pear"}

    parsed = parse("{", [], {"label": "pear"}, "", good)

    assert [(r.field, r.reason) for r in parsed.quarantine] == [
        ("line 1", "not_json"),
        ("line 2", "not_an_object"),
        ("line 3", "missing_field"),
    ]
    assert len(parsed.rows) == 1


def test_ragged_columns_are_refused_where_they_end():
    parsed = parse(
        {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]] * 2, "category": ["x"]}}
    )

    assert [(r.field, r.reason) for r in parsed.quarantine] == [
        ("line 1: objects[1].category", "missing_label")
    ]


def test_text_that_is_no_json_is_no_attribute():
    objects = {"bbox": [[1, 2, 3, 4]], "category": ["x"], "attributes": ["{"]}

    assert parse({"file_name": "a.jpg", "objects": objects}).rows["attributes"].to_pylist() == [
        "{}"
    ]


def test_no_metadata_at_all():
    with pytest.raises(AnnotationError, match="there is none"):
        huggingface.parse({"train/other.jsonl": b"{}"})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"train/metadata.jsonl": b'{"file_name": "a"}'}, True),
        ({"metadata.jsonl": b'{"name": "a"}'}, False),
        ({"other.jsonl": b'{"file_name": "a"}'}, False),
    ],
)
def test_sniff(files, expected):
    assert huggingface.sniff(files) is expected
