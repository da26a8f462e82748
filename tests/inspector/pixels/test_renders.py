"""Renders on disk: bounded, whole, and safe for many at once."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from cv_pipeline.errors import SettingsError
from cv_pipeline.inspector.pixels.limits import memory_bytes, renders_bytes
from cv_pipeline.inspector.pixels.renders import Renders
from cv_pipeline.inspector.pixels.room import Busy, Room
from cv_pipeline.inspector.pixels.shelf import Shelf

IDS = [f"{n:02x}" * 32 for n in range(20)]


def test_what_is_kept_is_given_back(tmp_path: Path) -> None:
    renders = Renders(tmp_path)
    assert renders.get(IDS[0], "a") is None
    renders.put(IDS[0], "a", b"picture")
    assert renders.get(IDS[0], "a") == b"picture"
    assert Renders(tmp_path).get(IDS[0], "a") == b"picture"
    renders.forget(IDS[0])
    assert renders.get(IDS[0], "a") is None
    renders.forget(IDS[0])


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    renders = Renders(tmp_path, max_bytes=1000)
    now = time.time()
    for n, image_id in enumerate(IDS[:10]):
        renders.put(image_id, "a", bytes(90))
        os.utime(tmp_path / image_id[:2] / image_id / "a.jpg", (now - 100 + n, now - 100 + n))
    renders.get(IDS[0], "a")  # used just now
    for image_id in IDS[10:13]:
        renders.put(image_id, "a", bytes(90))
    assert renders.sweep() <= 1000
    assert renders.get(IDS[0], "a") is not None
    assert renders.get(IDS[1], "a") is None
    assert renders.get(IDS[12], "a") is not None
    assert not (tmp_path / IDS[1][:2] / IDS[1]).exists()


def test_what_is_written_is_bounded_without_anybody_asking(tmp_path: Path) -> None:
    renders = Renders(tmp_path, max_bytes=10_000)
    for n in range(200):
        renders.put(IDS[n % 20], str(n), bytes(500))
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.jpg"))
    assert held <= 10_000 + 10_000 // 8 + 500


def test_readers_and_writers_at_once_see_whole_pictures(tmp_path: Path) -> None:
    renders = Renders(tmp_path, max_bytes=200_000)
    pictures = [bytes([n]) * 5000 for n in range(4)]

    def work(n: int) -> bool:
        if n % 3 == 0:
            renders.put(IDS[n % 5], "a", pictures[n % 4])
        if n % 50 == 0:
            renders.forget(IDS[n % 5])
        found = renders.get(IDS[n % 5], "a")
        return found is None or found in pictures

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(600)))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_disk_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    renders = Renders(blocked / "below")
    renders.put(IDS[0], "a", b"picture")
    assert renders.get(IDS[0], "a") is None


def test_room_is_shared_and_large_work_is_done_alone() -> None:
    room, held, most = Room(100), 0, 0
    lock = threading.Lock()

    def work(need: int) -> None:
        nonlocal held, most
        with room.taken(need):
            with lock:
                held += min(need, 100)
                most = max(most, held)
            time.sleep(0.001)
            with lock:
                held -= min(need, 100)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, [30, 500, 60, 10, 100, 1] * 10))
    assert most <= 100
    assert held == 0


def test_who_waits_too_long_for_room_is_told() -> None:
    room = Room(10, patience=0.01)
    with room.taken(10), pytest.raises(Busy, match="at once"), room.taken(1):
        pass
    with room.taken(10):
        pass


class _Opened:
    def __init__(self, held: int) -> None:
        self.held = held


def test_the_shelf_is_bounded_and_opens_each_once() -> None:
    shelf, opened = Shelf(100), []

    def open_it(key: tuple[str, int], held: int) -> _Opened:
        opened.append(key)
        time.sleep(0.002)
        return _Opened(held)

    keys = [("a", 0), ("b", 0), ("c", 0)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda k: shelf.get(k, partial(open_it, k, 30)), keys * 10))
    assert sorted(opened) == keys
    shelf.get(("large", 0), lambda: open_it(("large", 0), 5000))  # type: ignore[arg-type,return-value]
    assert len(shelf) == 1
    shelf.forget("large")
    assert shelf.at_hand(("large", 0)) is None


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 << 30), ("500m", 500 << 20), ("1234", 1234), (None, 4 << 30)]
)
def test_sizes_are_read(text: str | None, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if text is None:
        monkeypatch.delenv("CV_RENDERS_SIZE", raising=False)
    else:
        monkeypatch.setenv("CV_RENDERS_SIZE", text)
    assert renders_bytes() == size


@pytest.mark.parametrize("text", ["-1", "4 GB", "0", "much"])
def test_what_is_no_size_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_PIXELS_MEMORY", text)
    with pytest.raises(SettingsError, match="is no size"):
        memory_bytes()
