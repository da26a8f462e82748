"""What only a local folder can suffer: kills, permissions, litter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from cv_pipeline.errors import StorageError
from cv_pipeline.storage.local import LocalStore


def test_objects_are_plain_files_others_may_read(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        LocalStore(tmp_path).write("a/b", b"x")
        LocalStore(tmp_path).create("a/c", b"y")
    finally:
        os.umask(old)
    for name in ("b", "c"):
        assert (tmp_path / "a" / name).stat().st_mode & 0o777 == 0o644


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("a", b"x")
    store.create("a", b"y")
    store.create("b", b"y")
    assert list((tmp_path / ".tmp").iterdir()) == []
    assert [info.key for info in store.list("")] == ["a", "b"]


def test_old_litter_is_swept_and_new_work_is_not(tmp_path: Path) -> None:
    litter = tmp_path / ".tmp"
    (litter / "old-folder").mkdir(parents=True)
    for name in ("old", "new"):
        (litter / name).write_bytes(b"half")
    long_ago = time.time() - 48 * 3600
    for name in ("old", "old-folder"):
        os.utime(litter / name, (long_ago, long_ago))
    LocalStore(tmp_path)
    assert [p.name for p in litter.iterdir()] == ["new"]


def test_a_file_where_a_folder_must_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"Cannot write 'a' in .*CV_STORE"):
        LocalStore(tmp_path / "file").write("a", b"x")


def test_an_object_is_whole_after_a_kill(tmp_path: Path) -> None:
    """A writer that replaces one object without end is killed: it is one of the two contents."""
    script = textwrap.dedent(
        """
        import sys
        from cv_pipeline.storage.local import LocalStore
        store = LocalStore(sys.argv[1])
        while True:
            for letter in (b"a", b"b"):
                store.write("object", letter * 3_000_000)
                print("written", flush=True)
        """
    )
    for delay in (0.0, 0.013, 0.031):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
        data = LocalStore(tmp_path).read("object")
        assert len(data) == 3_000_000
        assert len(set(data)) == 1
