"""What happened to an image's labels, put together from tables and dataset versions."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.differences.history import (
    HISTORY,
    Appearance,
    ImageHistory,
    image_history,
)
from cv_pipeline.storage import open_store
from tests.datasets.versions import NOON, label_row

IMAGE, OTHER = (hashlib.sha256(name.encode()).hexdigest() for name in ("image", "other"))
AFTER = NOON + timedelta(days=3650)
"""Later than any commit that a test makes."""


class Lake:
    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog(open_store(str(folder)), "fruit")

    def write(self, *rows: dict[str, Any]) -> int:
        table = pa.Table.from_pylist([*rows, label_row(OTHER)], schema=ANNOTATIONS)
        return self.catalog.table("annotations").replace(table)

    def history(self, *appearances: Appearance) -> ImageHistory:
        return image_history(IMAGE, catalog=self.catalog, appearances=appearances)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def told(found: ImageHistory, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[c] for c in columns) for row in found.changes.to_pylist()]


def appearance(
    digest: str, split: str | None, *labels: dict[str, Any], at: datetime = AFTER
) -> Appearance:
    return Appearance(at, digest, split, pa.Table.from_pylist([*labels], schema=ANNOTATIONS))


def test_labels_come_change_and_go(lake: Lake) -> None:
    first = label_row(IMAGE, 0, created_at=NOON)
    moved = {**first, "x_max": 15.0, "updated_at": NOON + timedelta(hours=1), "annotator": "bob"}
    versions = [lake.write(first), lake.write(first), lake.write(moved), lake.write()]

    found = lake.history()

    assert told(found, "change", "who", "what", "fields", "version")[:2] == [
        ("added", "ann", "pear", "", str(versions[0])),
        ("changed", "bob", "pear: x_max, annotator", "x_max,annotator", str(versions[2])),
    ]
    assert told(found, "change", "who", "what", "version")[2:] == [
        ("removed", None, "pear", str(versions[3]))
    ]
    times = [row["at"] for row in found.changes.to_pylist()]
    assert times[:2] == [NOON, NOON + timedelta(hours=1)]  # as the tool recorded them
    assert times[2] > NOON + timedelta(hours=1)  # when the table lost it
    assert found.changes.schema.equals(HISTORY)
    assert found.labels.num_rows == 0


def test_a_re_import_with_other_ids_is_no_change(lake: Lake) -> None:
    lake.write(label_row(IMAGE, 0, annotation_id="1"))
    lake.write(label_row(IMAGE, 0, annotation_id="2"))

    assert told(lake.history(), "change") == [("added",)]
    assert lake.history().labels["annotation_id"].to_pylist() == ["2"]


def test_dataset_versions_that_it_was_in(lake: Lake) -> None:
    pear, apple = label_row(IMAGE, 0), label_row(IMAGE, 1, label="apple")
    found = lake.history(
        appearance("d1", None, at=AFTER),
        appearance("d2", "train", pear, at=AFTER + timedelta(hours=1)),
        appearance("d3", "train", pear, apple, at=AFTER + timedelta(hours=2)),
        appearance("d4", "test", pear, apple, at=AFTER + timedelta(hours=3)),
        appearance("d5", None, at=AFTER + timedelta(hours=4)),
    )

    assert told(found, "version", "change", "what", "who") == [
        ("d2", "joined", "in train, with 1 label", None),
        ("d3", "added", "apple", "ann"),
        ("d4", "moved", "train → test, with 2 labels", None),
        ("d5", "left", "was in test", None),
    ]


def test_versions_that_were_cleaned_up_show_as_one_step(lake: Lake) -> None:
    lake.write(label_row(IMAGE, 0))
    lake.write(label_row(IMAGE, 0, label="apple"))
    lake.write(label_row(IMAGE, 0, label="kiwi & co"))
    lake.catalog.table("annotations").cleanup(older_than=timedelta(0))

    assert told(lake.history(), "change", "label_after") == [("added", "kiwi & co")]


def test_an_image_that_nobody_labelled(lake: Lake) -> None:
    assert lake.history().to_json() == {"image_id": IMAGE, "changes": [], "labels": []}


def test_json_names_no_column_without_a_value(lake: Lake) -> None:
    lake.write(label_row(IMAGE, 0, kind="class"))
    (change,) = lake.history().to_json()["changes"]
    assert change["label_after"] == "pear"
    assert not [key for key in change if key.endswith("_before") or key.startswith("x_min")]
