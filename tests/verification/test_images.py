"""Images are read and hashed again: lost, damaged and taken-out ones are told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_pipeline.errors import DatasetError
from cv_pipeline.storage import Blobs, Tombstone, Tombstones, blob_key, open_store
from cv_pipeline.storage.local import LocalStore
from cv_pipeline.verification import Report, verify_store, verify_versions
from tests.datasets.versions import image_row, label_row, picture, write_version


def ignore(done: int, total: int | None, what: str) -> None:
    """No progress is shown."""


class Kept:
    """A store with some pictures, and a dataset version of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "store"
        self.store = open_store(str(self.folder))
        assert isinstance(self.store, LocalStore)
        blobs = Blobs(self.store)
        self.ids = sorted(blobs.put(picture(n)) for n in range(5))
        images = [image_row(i, path=f"belt/{n}.png") for n, i in enumerate(self.ids)]
        self.version = write_version(folder / "version", images, [label_row(self.ids[0])])

    def file(self, number: int) -> Path:
        return self.folder / blob_key(self.ids[number])

    def publish(self) -> Path:
        from cv_pipeline.storage import publish

        key = f"projects/fruit/datasets/{self.version.digest}"
        publish(self.store, key, self.version.folder, marker="dataset.json")
        return self.folder / key

    def take_out(self, number: int) -> None:
        tombstone = Tombstone(
            image_id=self.ids[number],
            reason="asked for",
            actor="ann",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            paths={},
            bytes=None,
            used_by=(),
        )
        Tombstones(self.store).create(tombstone)
        self.file(number).unlink()

    def verify(self, *, pixels: bool = True) -> Report:
        return verify_versions(
            [self.version],
            store=self.store,
            cache=self.folder.parent / "cache",
            pixels=pixels,
            progress=ignore,
        )


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_all_is_well(kept: Kept) -> None:
    found = kept.verify()
    assert found.ok
    assert found.checked == {"dataset": 1, "images": 5}


def test_a_damaged_image_is_named_with_its_path(kept: Kept) -> None:
    kept.file(1).write_bytes(b"something else")
    (problem,) = kept.verify().problems
    assert (problem.kind, problem.thing) == ("image", kept.ids[1])
    assert f"Image {kept.ids[1]} is damaged" in problem.what
    assert "(belt/1.png)" in problem.what
    assert "Restore that object from a backup" in problem.do
    assert kept.verify(pixels=False).ok  # nobody looked inside


@pytest.mark.parametrize("pixels", [True, False])
def test_a_lost_image_is_named_with_its_path(kept: Kept, pixels: bool) -> None:
    kept.file(2).unlink()
    (problem,) = kept.verify(pixels=pixels).problems
    assert problem.what == f"Image {kept.ids[2]} (belt/2.png) is not in {kept.store.url}."
    assert blob_key(kept.ids[2]) in problem.do


@pytest.mark.parametrize("pixels", [True, False])
def test_an_image_that_was_taken_out_is_no_problem(kept: Kept, pixels: bool) -> None:
    kept.take_out(3)
    found = kept.verify(pixels=pixels)
    assert found.ok
    assert found.taken_out == (kept.ids[3],)


def test_an_unreadable_image_is_named_and_the_others_are_read(kept: Kept) -> None:
    kept.file(0).unlink()
    kept.file(0).symlink_to(kept.file(0))  # a loop
    found = kept.verify()
    assert [p.thing for p in found.problems] == [kept.ids[0]]
    assert found.checked["images"] == 5


def test_an_altered_version_is_named_and_its_images_are_not_asked_for(kept: Kept) -> None:
    (kept.version.folder / "annotations.parquet").write_bytes(b"PAR1")
    found = kept.verify()
    assert [p.kind for p in found.problems] == ["dataset"]
    assert found.checked == {"dataset": 1}


@pytest.mark.parametrize("pixels", [True, False])
def test_a_store_is_verified_whole(kept: Kept, pixels: bool) -> None:
    kept.publish()
    kept.file(2).unlink()
    kept.file(4).write_bytes(b"")
    stray = kept.folder / "blobs" / "aa" / "note.txt"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_text("hello")
    found = verify_store(kept.store, pixels=pixels, progress=ignore)
    things = {p.thing for p in found.problems}
    wanted = {kept.ids[2]}
    assert things == (wanted | {kept.ids[4], "blobs/aa/note.txt"} if pixels else wanted)
    assert found.checked["dataset"] == 1


def test_a_folder_under_a_wrong_name(kept: Kept) -> None:
    folder = kept.publish()
    folder.rename(folder.with_name("0" * 64))
    found = verify_store(kept.store, pixels=False, progress=ignore)
    (problem,) = found.problems
    assert f"published as {'0' * 64}, and its record says {kept.version.digest}" in problem.what
    assert "cvp run fruit --select dataset_version" in problem.do


def test_progress_counts_images(kept: Kept) -> None:
    told: list[tuple[int, int | None, str]] = []
    verify_versions(
        [kept.version],
        store=kept.store,
        cache=kept.folder.parent / "cache",
        pixels=True,
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    assert told == [(n, 5, "images") for n in range(1, 6)]


@pytest.mark.parametrize("pixels", [True, False])
def test_an_empty_store_is_not_said_to_be_fine(pixels: bool, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing in .* that could be verified") as told:
        verify_store(open_store(str(tmp_path / "elsewhere")), pixels=pixels, progress=ignore)
    assert "CV_STORE" in told.value.do
