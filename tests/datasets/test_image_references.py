"""Which image a reference means, from catalogues and from dataset versions."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.catalog.schemas.files import FILES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.image_references import VersionIndex, find_image
from cv_pipeline.datasets.membership import open_membership
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.storage import ObjectStore, open_store

OLD, NEW, OTHER = (hashlib.sha256(name).hexdigest() for name in (b"old", b"new", b"other"))
TWIN = OTHER[:20] + "0" * 44  # begins as the other does
PATH = "camera/1.jpg"


def version(store: ObjectStore, name: str, paths: dict[str, str]) -> VersionIndex:
    """A dataset version of images by their path."""
    key = f"projects/p/datasets/{name}"
    rows = sorted((image, path) for path, image in paths.items())
    table = pa.table({"image_id": [r[0] for r in rows], "path": [r[1] for r in rows]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    store.write(f"{key}/manifest.parquet", sink.getvalue().to_pybytes())
    store.write(f"{key}/dataset.json", b"{}")
    return VersionIndex(key, open_membership(store, key, cache=Path(store.url) / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def find(store: ObjectStore):
    """In two versions of which the older has what the file held then, and a catalogue of now."""
    older = version(store, "older", {PATH: OLD, "only/then.jpg": OTHER})
    newer = version(store, "newer", {PATH: NEW, "twin.jpg": TWIN})
    catalog = Catalog(store, "p")
    row = {"path": PATH, "image_id": NEW, "bytes": 1, "fingerprint": "f", "batch": "b"}
    catalog.table("files").merge(pa.Table.from_pylist([row], schema=FILES), on=["path"])
    return partial(find_image, store=store, catalogs=[catalog], versions=[older, newer])


@pytest.mark.parametrize("ref", [OLD, OLD[:8], OLD[:33], OLD.upper(), OLD[:9].upper()])
def test_an_id_and_its_beginnings(find, ref: str):
    assert find(ref) == OLD


def test_a_path_means_what_the_file_held_last(find):
    assert find(PATH) == NEW
    assert find("only/then.jpg") == OTHER  # which no catalogue knows any more


def test_a_path_in_several_versions_and_no_catalogue_is_ambiguous(find, store):
    with pytest.raises(ProvenanceError, match=r"'camera/1.jpg' fits several images"):
        find(PATH, catalogs=[])


def test_a_local_file_means_its_content(find, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"old")
    assert find(str(tmp_path / "a.jpg")) == OLD


def test_a_prefix_of_several(find):
    with pytest.raises(ProvenanceError, match=r"fits several images.*Give more of its SHA-256"):
        find(OTHER[:12])
    assert find(OTHER[:22]) == OTHER


@pytest.mark.parametrize("ref", ["nowhere.jpg", OLD[:7], "ffffffffff", ""])
def test_what_nobody_knows(find, ref: str):
    assert find(ref) is None
