"""Rows of some images, found through the statistics of row groups, are all of their rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.fs import LocalFileSystem

from cv_pipeline.datasets.image_rows import rows_at, rows_of_images
from cv_pipeline.errors import DatasetError
from cv_pipeline.storage import ArrowLocation


def here(path: Path) -> ArrowLocation:
    return ArrowLocation(str(path), LocalFileSystem())


@settings(deadline=None)  # the first call pays for imports
@given(
    images=st.lists(st.integers(0, 30), max_size=60),
    wanted=st.sets(st.integers(0, 35)),
    ordered=st.booleans(),
    statistics=st.booleans(),
    group=st.integers(1, 20),
)
def test_rows_of_images_are_those_of_a_whole_scan(
    tmp_path_factory: pytest.TempPathFactory,
    images: list[int],
    wanted: set[int],
    ordered: bool,
    statistics: bool,
    group: int,
):
    """In a file that is sorted by image, and in an older one; with statistics and without."""
    ids = [f"{n:064x}" for n in (sorted(images) if ordered else images)]
    path = tmp_path_factory.getbasetemp() / "rows.parquet"
    table = pa.table({"other": range(len(ids)), "image_id": pa.array(ids, pa.string())})
    pq.write_table(table, path, row_group_size=group, write_statistics=statistics)
    asked = [f"{n:064x}" for n in wanted]
    found = rows_of_images(here(path), asked, columns=["image_id", "other"])
    expected = [n for n, image_id in enumerate(ids) if image_id in asked]
    assert found["other"].to_pylist() == expected


@settings(deadline=None)  # the first call pays for imports
@given(rows=st.sets(st.integers(0, 59)).map(sorted), group=st.integers(1, 70))
def test_rows_at_positions(tmp_path_factory: pytest.TempPathFactory, rows: list[int], group: int):
    path = tmp_path_factory.getbasetemp() / "at.parquet"
    pq.write_table(pa.table({"n": range(60), "m": range(60)}), path, row_group_size=group)
    assert rows_at(here(path), rows, columns=["n"]).to_pydict() == {"n": rows}


def test_a_missing_and_a_damaged_file_are_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"gone\.parquet cannot be read"):
        rows_at(here(tmp_path / "gone.parquet"), [0], columns=["n"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetError, match=r"bad\.parquet cannot be read"):
        rows_of_images(here(tmp_path / "bad.parquet"), ["a"], columns=["image_id"])
