from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cv_pipeline.errors import ObjectNotFound, StorageError
from cv_pipeline.storage import ObjectStore, fetch, list_folders, open_store, publish, published

MARKER = "dataset.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / MARKER).write_text("{}")
    (folder / "a.parquet").write_bytes(b"a" * 1000)
    (folder / "deep" / "er" / "b").write_bytes(b"b")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_fetches_what_was_published(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    assert not published(store, "projects/p/datasets/d1", marker=MARKER)
    publish(store, "projects/p/datasets/d1", folder, marker=MARKER)
    assert published(store, "projects/p/datasets/d1", marker=MARKER)
    local = fetch(store, "projects/p/datasets/d1", marker=MARKER, cache=tmp_path / "cache")
    assert tree(local) == tree(folder)
    again = fetch(store, "projects/p/datasets/d1", marker=MARKER, cache=tmp_path / "cache")
    assert again == local


def test_publishing_again_changes_nothing(store: ObjectStore, folder: Path) -> None:
    publish(store, "d", folder, marker=MARKER)
    before = list(store.list(""))
    (folder / MARKER).write_text('{"time": "later"}')
    publish(store, "d", folder, marker=MARKER)
    assert list(store.list("")) == before


def test_many_publishers_at_once(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: publish(store, "d", folder, marker=MARKER), range(4)))
        found = list(
            pool.map(lambda _: fetch(store, "d", marker=MARKER, cache=tmp_path / "cache"), range(4))
        )
    assert len(set(found)) == 1
    assert tree(found[0]) == tree(folder)


def test_a_folder_without_its_marker_is_not_there(store: ObjectStore, tmp_path: Path) -> None:
    store.write("d/a.parquet", b"half")
    assert not published(store, "d", marker=MARKER)
    assert list_folders(store, "d", marker=MARKER) == []
    with pytest.raises(ObjectNotFound, match=r"no folder 'd' with its dataset\.json"):
        fetch(store, "d", marker=MARKER, cache=tmp_path)


def test_what_an_interrupted_upload_left_is_replaced(
    bucket: str, s3_client, folder: Path, tmp_path: Path
) -> None:
    store = open_store(f"s3://{bucket}", s3_client=s3_client)
    store.write("d/a.parquet", b"half")
    store.write("d/stray", b"x")
    publish(store, "d", folder, marker=MARKER)
    assert tree(fetch(store, "d", marker=MARKER, cache=tmp_path / "cache")) == tree(folder)


def test_a_damaged_local_folder_is_explained(folder: Path, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    store.write("d/a.parquet", b"half")
    with pytest.raises(StorageError, match=r"is there without its dataset\.json"):
        publish(store, "d", folder, marker=MARKER)


def test_lists_only_published_folders_of_one_level(store: ObjectStore, folder: Path) -> None:
    for key in ("x/d2", "x/d1", "x/deep/d3", "xy/d4"):
        publish(store, key, folder, marker=MARKER)
    store.write("x/unfinished/a.parquet", b"")
    store.write("x/file", b"")
    assert list_folders(store, "x", marker=MARKER) == ["d1", "d2"]
    assert list_folders(store, "nothing", marker=MARKER) == []


def test_the_marker_must_be_there(store: ObjectStore, folder: Path) -> None:
    with pytest.raises(StorageError, match=r"it has no model\.json"):
        publish(store, "d", folder, marker="model.json")


def test_bad_keys_are_refused(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Invalid key"):
        publish(store, "../d", folder, marker=MARKER)
    with pytest.raises(StorageError, match="Invalid key"):
        fetch(store, "../d", marker=MARKER, cache=tmp_path)
    with pytest.raises(StorageError, match="Invalid key"):
        list_folders(store, "../d", marker=MARKER)


PUBLISH_FOR_EVER = """
import sys
from pathlib import Path
from cv_pipeline.storage import open_store, publish
store = open_store(sys.argv[1])
for n in range(10_000):
    publish(store, f"d/{n}", Path(sys.argv[2]), marker="dataset.json")
    print(n, flush=True)
"""


def test_a_killed_publisher_leaves_whole_folders_only(folder: Path, tmp_path: Path) -> None:
    (folder / "large").write_bytes(b"l" * 2_000_000)
    root = tmp_path / "store"
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISH_FOR_EVER, str(root), str(folder)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        for _ in range(3):
            assert child.stdout.readline()
        child.kill()
    store = open_store(str(root))
    everything = {info.key.split("/")[1] for info in store.list("d/")}
    assert everything == set(list_folders(store, "d", marker=MARKER))
    assert len(everything) >= 3
    for name in everything:
        assert tree(root / "d" / name) == tree(folder)
    publish(store, "d/after", folder, marker=MARKER)
    assert published(store, "d/after", marker=MARKER)
