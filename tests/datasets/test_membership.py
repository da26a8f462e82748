"""The index of a version's images says what its manifest says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.datasets.membership import IDS_FILE, Membership, open_membership, write_ids
from cv_pipeline.errors import DatasetError, ObjectNotFound
from cv_pipeline.storage import ObjectStore, open_store
from cv_pipeline.storage.s3 import S3Store

KEY = "projects/p/datasets/d"
# zero bytes at both ends, where a comparison of texts would cut or stop
AWKWARD = ["00" * 32, "00" * 31 + "01", "ab" + "00" * 31, "ff" * 32, "ab" * 31 + "00"]


def sha(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def chunked(ids: list[str]) -> pa.ChunkedArray:
    """In several chunks, one of them empty, as tables have them."""
    middle = len(ids) // 2
    whole = pa.array(["x", *ids], pa.string())
    return pa.chunked_array([whole.slice(1, middle), whole.slice(0, 0), whole.slice(1 + middle)])


def publish(store: ObjectStore, ids: list[str], *, with_index: bool) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"image_id": pa.array(ids, pa.string())}), sink)
    store.write(f"{KEY}/manifest.parquet", sink.getvalue().to_pybytes())
    if with_index:
        store.write(f"{KEY}/{IDS_FILE}", bytes.fromhex("".join(ids)))
    store.write(f"{KEY}/dataset.json", b"{}")


@settings(deadline=None)  # the first call pays for imports
@given(
    held=st.sets(st.integers(0, 200).map(sha) | st.sampled_from(AWKWARD)),
    asked=st.integers(0, 200).map(sha) | st.sampled_from(AWKWARD),
    digits=st.integers(1, 64),
)
def test_answers_as_a_search_through_the_list(
    tmp_path_factory: pytest.TempPathFactory, held: set[str], asked: str, digits: int
):
    ids = sorted(held)
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.unlink(missing_ok=True)  # the old one may still be mapped
    write_ids(chunked(ids), path)
    images = Membership(path)
    assert len(images) == len(ids)
    assert [images.image_id(row) for row in range(len(ids))] == ids
    assert images.row(asked) == (ids.index(asked) if asked in held else None)
    assert images.held([*ids, asked]) == [i for i in [*ids, asked] if i in held]
    found = [ids[row] for row in images.starting_with(asked[:digits])]
    assert found == [i for i in ids if i.startswith(asked[:digits])]


def test_a_prefix_is_no_image(tmp_path: Path):
    write_ids(chunked([sha(1)]), tmp_path / IDS_FILE)
    assert Membership(tmp_path / IDS_FILE).row(sha(1)[:20]) is None


@pytest.mark.parametrize("bad", ["", "abc", "z" * 64, "a" * 66])
def test_what_is_no_image_id_is_refused(tmp_path: Path, bad: str):
    with pytest.raises(DatasetError, match="names an image that is no SHA-256"):
        write_ids(chunked([sha(1), bad]), tmp_path / IDS_FILE)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    return request.getfixturevalue("s3_store")


@pytest.mark.parametrize("with_index", [True, False])
def test_versions_of_any_age_and_place(store: ObjectStore, tmp_path: Path, with_index: bool):
    ids = sorted(sha(n) for n in range(50))
    publish(store, ids, with_index=with_index)
    cache = tmp_path / "cache"
    for _ in range(2):
        assert open_membership(store, KEY, cache=cache).row(ids[7]) == 7
    copies = list(cache.rglob("*.bin"))
    in_place = with_index and not isinstance(store, S3Store)
    assert len(copies) == (0 if in_place else 1)
    assert not list(cache.rglob(".partial-*"))


def test_a_remote_index_is_fetched_alone_and_once(s3_store: ObjectStore, tmp_path: Path):
    ids = sorted(sha(n) for n in range(50))
    publish(s3_store, ids, with_index=True)
    s3_store.delete(f"{KEY}/manifest.parquet")  # not needed
    assert len(open_membership(s3_store, KEY, cache=tmp_path)) == 50
    s3_store.delete(f"{KEY}/{IDS_FILE}")
    assert len(open_membership(s3_store, KEY, cache=tmp_path)) == 50


def test_an_incomplete_version_is_none(store: ObjectStore, tmp_path: Path):
    publish(store, [sha(1)], with_index=True)
    store.delete(f"{KEY}/dataset.json")
    with pytest.raises(ObjectNotFound, match="There is no dataset version"):
        open_membership(store, KEY, cache=tmp_path)
