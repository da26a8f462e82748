"""The promises of an object store, kept by each kind alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.errors import ObjectNotFound, StorageError
from cv_pipeline.storage import ObjectStore, open_store
from cv_pipeline.storage.object_store import checked_key, checked_prefix


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_reads_what_was_written(store: ObjectStore, data: bytes) -> None:
    store.write("a/b/c.bin", data)
    assert store.read("a/b/c.bin") == data
    assert store.exists("a/b/c.bin")


def test_write_replaces(store: ObjectStore) -> None:
    store.write("a", b"old")
    store.write("a", b"new")
    assert store.read("a") == b"new"
    assert keys(store) == ["a"]


def test_create_keeps_what_is_there(store: ObjectStore) -> None:
    assert store.create("a/b", b"first") is True
    assert store.create("a/b", b"second") is False
    assert store.read("a/b") == b"first"


def test_one_of_many_creators_wins(store: ObjectStore) -> None:
    start = threading.Barrier(6)

    def race(n: int) -> bool:
        start.wait()
        return store.create("lock", str(n).encode())

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(race, range(6)))
    assert sum(won) == 1
    assert store.read("lock") == str(won.index(True)).encode()


@pytest.mark.parametrize("key", ["absent", "a", "a/b/c"])  # a is a folder, a/b an object
def test_what_is_absent_is_not_found(store: ObjectStore, key: str) -> None:
    store.write("a/b", b"x")
    assert not store.exists(key)
    with pytest.raises(ObjectNotFound, match=f"no object '{key}' in "):
        store.read(key)


def test_delete_is_idempotent(store: ObjectStore) -> None:
    store.write("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert keys(store) == []


def test_purge_is_idempotent_and_of_one_object(store: ObjectStore) -> None:
    store.write("a/b", b"x")
    store.write("a/bc", b"y")
    store.purge("a/b")
    store.purge("a/b")
    assert keys(store) == ["a/bc"]


def test_arrow_reads_parts_of_objects_in_place(store: ObjectStore) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": list(range(100)), "m": [0] * 100}), sink, row_group_size=10)
    store.write("a/t.parquet", sink.getvalue().to_pybytes())
    where = store.arrow("a/t.parquet")
    with pq.ParquetFile(where.path, filesystem=where.filesystem) as file:
        assert file.read_row_group(3, columns=["n"])["n"].to_pylist() == list(range(30, 40))


def test_list_is_sorted_like_s3(store: ObjectStore) -> None:
    names = ["a/b", "a-b", "a.b", "a/ü", "a/b-c/d", "aé", "b/\U0001f34e.png", "a/b.c"]
    for name in names:
        store.write(name, b"12")
    assert keys(store) == sorted(names)
    assert keys(store, "a/") == ["a/b", "a/b-c/d", "a/b.c", "a/ü"]
    assert keys(store, "a/b") == ["a/b", "a/b-c/d", "a/b.c"]
    assert keys(store, "a/b-c/") == ["a/b-c/d"]
    assert keys(store, "nothing/here") == []
    assert {info.size for info in store.list("")} == {2}


def test_fingerprint_follows_the_content(store: ObjectStore) -> None:
    store.write("a", b"1")
    before = next(store.list("a"))
    assert next(store.list("a")) == before
    store.write("a", b"2")
    assert next(store.list("a")).fingerprint != before.fingerprint


BAD_KEYS = [
    "",
    "/absolute",
    "a//b",
    "a/",
    "../a",
    "a/../../b",
    "./a",
    "a/.",
    "a\0b",
    "a\\b",
    ".tmp/a",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_bad_keys_are_refused(store: ObjectStore, key: str) -> None:
    for use in (store.read, store.exists, store.delete, store.purge, store.lance, store.arrow):
        with pytest.raises(StorageError, match="Invalid key"):
            use(key)
    for change in (store.write, store.create):
        with pytest.raises(StorageError, match="Invalid key"):
            change(key, b"x")


def test_a_prefix_is_a_key_cut_off_anywhere() -> None:
    assert checked_key("a/b.c") == "a/b.c"
    assert [checked_prefix(p) for p in ("", "a", "a/", "a/b")] == ["", "a", "a/", "a/b"]
    for bad in ("/", "a//", "../", "/a"):
        with pytest.raises(StorageError, match="Invalid key"):
            checked_prefix(bad)


def test_lance_tables_live_in_the_store(store: ObjectStore) -> None:
    where = store.lance("projects/p/catalog/t.lance")
    rows = pa.table({"n": [1, 2]})
    lance.write_dataset(rows, where.uri, storage_options=where.storage_options)
    lance.write_dataset(rows, where.uri, mode="append", storage_options=where.storage_options)
    table = lance.dataset(where.uri, storage_options=where.storage_options)
    assert table.count_rows() == 4
    assert all(k.startswith("projects/p/catalog/t.lance/") for k in keys(store))


def test_url_opens_the_same_store(store: ObjectStore) -> None:
    store.write("a", b"x")
    assert open_store(store.url).read("a") == b"x"


@pytest.mark.parametrize("url", ["", "gs://bucket/x", "http://host/x", "s3://", "s3:///x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StorageError, match="Invalid"):
        open_store(url)
