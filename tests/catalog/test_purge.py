"""Purged rows are in no file of the table any more, and the others are as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cv_pipeline.catalog.purge import purge_rows
from cv_pipeline.catalog.schemas import SIGNATURES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CatalogError


def signatures(first: int, last: int) -> pa.Table:
    """Rows with incompressible thumbnails, so that their bytes can be searched for."""
    random = np.random.default_rng(first)
    count = last - first
    descriptors = np.zeros((count, 64), np.float32).tolist()
    columns = {
        "image_id": pa.array([f"{n:064x}" for n in range(first, last)]),
        "thumbnail": pa.array([random.bytes(1024) for _ in range(count)], pa.binary(1024)),
        "descriptor": pa.array(descriptors, pa.list_(pa.float32(), 64)),
    }
    return pa.table(columns, schema=SIGNATURES)


def files_with(store: Path, data: bytes) -> list[Path]:
    return [p for p in store.rglob("*") if p.is_file() and data in p.read_bytes()]


def test_no_file_and_no_version_keeps_them(catalog: Catalog) -> None:
    """One row of thousands, written, moved by compaction and read in many versions."""
    table = catalog.table("signatures")
    parts = [signatures(n * 100, n * 100 + 100) for n in range(40)]
    for part in parts:
        table.insert(part, on=["image_id"])
    table.optimize()
    table.insert(signatures(4000, 4100), on=["image_id"])
    gone = parts[7].slice(3, 1).to_pylist()[0]
    store = Path(catalog.store.url)
    assert files_with(store, gone["thumbnail"])
    for _ in range(2):
        purge_rows(table, pc.field("image_id") == gone["image_id"])
        assert files_with(store, gone["thumbnail"]) == []
        assert table.read(columns=["image_id"]).num_rows == 4099
    kept = table.read(filter=pc.field("image_id") == parts[7]["image_id"][4].as_py())
    assert kept["thumbnail"].to_pylist() == parts[7]["thumbnail"].slice(4, 1).to_pylist()


def test_what_was_only_deleted_before_a_kill_goes_as_well(catalog: Catalog) -> None:
    table = catalog.table("signatures")
    rows = signatures(0, 50)
    table.insert(rows, on=["image_id"])
    gone = rows.slice(9, 1).to_pylist()[0]
    this = pc.field("image_id") == gone["image_id"]
    table.delete(this)
    assert files_with(Path(catalog.store.url), gone["thumbnail"])
    purge_rows(table, this)
    assert files_with(Path(catalog.store.url), gone["thumbnail"]) == []


def test_an_empty_and_an_unwritten_table(catalog: Catalog) -> None:
    table = catalog.table("signatures")
    purge_rows(table, pc.field("image_id") == "a")
    assert table.version == 0
    table.insert(signatures(0, 1), on=["image_id"])
    purge_rows(table, pc.field("image_id") == f"{0:064x}")
    assert table.read().num_rows == 0
    purge_rows(table, pc.field("image_id") == f"{0:064x}")


def test_a_version_that_is_cited_is_an_error(catalog: Catalog) -> None:
    table = catalog.table("signatures")
    table.tag("cited", table.insert(signatures(0, 5), on=["image_id"]))
    with pytest.raises(CatalogError, match=r"cannot be purged.*cited.*Remove the tag"):
        purge_rows(table, pc.field("image_id") == f"{0:064x}")
