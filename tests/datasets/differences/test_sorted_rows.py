"""Tables read a range of images at a time, whatever order a file is in."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.datasets.differences.sorted_rows import SortedRows
from cv_pipeline.errors import DatasetError

SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("note", pa.string()),
    ]
)


def write(path: Path, ids: list[str], *, group: int = 3) -> Path:
    rows = {"image_id": ids, "label": [f"label of {i}" for i in ids]}
    pq.write_table(pa.table(rows), path, row_group_size=group)
    return path


def opened(path: Path, **options: object) -> SortedRows:
    return SortedRows(path, SCHEMA, columns=SCHEMA.names, **options)


names = st.lists(st.sampled_from("abcdefgh"), max_size=20)


@settings(deadline=None)
@given(
    ids=names,
    bounds=st.lists(st.sampled_from("abcdefghi"), max_size=5),
    ordered=st.booleans(),
    group=st.integers(1, 5),
)
def test_every_row_comes_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    ids: list[str],
    bounds: list[str],
    ordered: bool,
    group: int,
) -> None:
    path = tmp_path_factory.mktemp("rows") / "x.parquet"
    rows = opened(write(path, sorted(ids) if ordered else ids, group=group), repeated=["label"])
    found: list[str] = []
    for bound in sorted(bounds):
        part = rows.until(bound)["image_id"].to_pylist()
        assert all(i < bound for i in part)
        found += part
        assert found == sorted(i for i in ids if i < bound)
    last = rows.until(None)
    assert found + last["image_id"].to_pylist() == sorted(ids)
    assert last["label"].to_pylist() == [f"label of {i}" for i in last["image_id"].to_pylist()]
    assert last["note"].null_count == len(last)
    assert len(rows.until(None)) == 0


def test_a_column_that_must_be_there(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image_id": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="it has no column label"):
        opened(tmp_path / "x.parquet").until(None)
    pq.write_table(pa.table({"label": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match="it has no column image_id"):
        opened(tmp_path / "x.parquet")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no Parquet at all"])
def test_a_file_that_is_no_table(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(data)
    with pytest.raises(DatasetError, match=r"x\.parquet cannot be read"):
        opened(tmp_path / "x.parquet")


def test_a_file_that_is_damaged_inside(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", ["a", "b", "c"] * 20, group=60)
    data = bytearray(path.read_bytes())
    data[4:60] = bytes(56)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"x\.parquet cannot be read"):
        opened(path).until(None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Restore it from a backup"):
        opened(tmp_path / "x.parquet")
