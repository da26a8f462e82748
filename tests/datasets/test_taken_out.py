"""Which images of a version were taken out since, by split."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.datasets.taken_out import taken_out_since
from cv_pipeline.errors import ObjectNotFound
from cv_pipeline.storage import Tombstone, Tombstones, open_store

KEY = "projects/p/datasets/d"
IDS = sorted(hashlib.sha256(str(n).encode()).hexdigest() for n in range(9))


@pytest.fixture
def store(tmp_path):
    made = open_store(str(tmp_path / "store"))
    splits = ["train", "val", "test"] * 3
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"image_id": IDS, "split": splits}), sink, row_group_size=2)
    made.write(f"{KEY}/manifest.parquet", sink.getvalue().to_pybytes())
    made.write(f"{KEY}/dataset.json", b"{}")
    return made


def bury(store, image_id: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    Tombstones(store).create(
        Tombstone(image_id=image_id, reason="r", actor="a", at=at, paths={}, bytes=None, used_by=())
    )


def test_those_of_the_splits_that_matter(store, tmp_path):
    def since(*splits: str) -> list[str]:
        return taken_out_since(store, KEY, splits=splits, cache=tmp_path / "cache")

    assert since("train", "val", "test") == []
    for image_id in (IDS[0], IDS[4], IDS[6], "0" * 64):
        bury(store, image_id)
    assert since("train") == [IDS[0], IDS[6]]
    assert since("val", "test") == [IDS[4]]
    assert since("test") == []


def test_a_version_that_is_not_there(store, tmp_path):
    bury(store, IDS[0])
    with pytest.raises(ObjectNotFound, match="There is no dataset version"):
        taken_out_since(store, "projects/p/datasets/e", splits=("train",), cache=tmp_path)
