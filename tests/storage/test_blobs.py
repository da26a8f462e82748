from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.errors import ObjectCorrupt, ObjectNotFound, ObjectTakenOut
from cv_pipeline.storage import (
    Blobs,
    ObjectStore,
    Tombstone,
    Tombstones,
    image_id_of,
    open_store,
)


def test_reads_what_was_put_under_its_hash(store: ObjectStore) -> None:
    blobs = Blobs(store)
    image_id = blobs.put(b"pixels")
    assert image_id == hashlib.sha256(b"pixels").hexdigest()
    assert blobs.put(b"pixels") == image_id
    assert blobs.read(image_id) == b"pixels"
    assert blobs.exists(image_id)
    assert [i.key for i in store.list("blobs/")] == [
        f"blobs/{image_id[:2]}/{image_id[2:4]}/{image_id}"
    ]


@pytest.mark.parametrize("found", [b"", b"pixel", b"pixelt"])  # emptied, cut off, changed
def test_bytes_that_changed_underneath_are_an_error(store: ObjectStore, found: bytes) -> None:
    blobs = Blobs(store)
    image_id = blobs.put(b"pixels")
    store.write(f"blobs/{image_id[:2]}/{image_id[2:4]}/{image_id}", found)
    with pytest.raises(ObjectCorrupt, match=f"{image_id} is damaged"):
        blobs.read(image_id)


def test_an_unknown_image_is_not_found(store: ObjectStore) -> None:
    unknown = image_id_of(b"never put")
    assert not Blobs(store).exists(unknown)
    with pytest.raises(ObjectNotFound, match=unknown):
        Blobs(store).read(unknown)


@pytest.mark.parametrize("bad", ["", "abc", "A" * 64, "../" * 21 + "x", "0" * 64 + "\n"])
def test_what_is_no_image_id_is_not_found(store: ObjectStore, bad: str) -> None:
    with pytest.raises(ObjectNotFound, match="is no image id"):
        Blobs(store).read(bad)


def tombstone(image_id: str) -> Tombstone:
    return Tombstone(
        image_id=image_id,
        reason="consent withdrawn",
        actor="anna",
        at=datetime(2026, 3, 4, tzinfo=UTC),
        paths={},
        bytes=None,
        used_by=(),
    )


def test_an_image_that_was_taken_out_says_when_and_why(store: ObjectStore) -> None:
    blobs = Blobs(store)
    image_id = blobs.put(b"pixels")
    Tombstones(store).create(tombstone(image_id))
    blobs.remove(image_id)
    blobs.remove(image_id)
    with pytest.raises(ObjectTakenOut, match=r"taken out on 2026-03-04 by anna: consent withdrawn"):
        blobs.read(image_id)
    assert not blobs.exists(image_id)


def test_an_image_that_was_taken_out_is_not_kept_again(store: ObjectStore) -> None:
    image_id = image_id_of(b"pixels")
    Tombstones(store).create(tombstone(image_id))
    with pytest.raises(ObjectTakenOut, match="consent withdrawn"):
        Blobs(store).put(b"pixels")
    assert list(store.list("blobs/")) == []


def test_a_take_out_between_the_two_steps_of_a_put_is_seen(store: ObjectStore, monkeypatch) -> None:
    """Whoever puts an image at the moment of its take-out leaves no pixels behind."""
    image_id = image_id_of(b"pixels")
    create = store.create

    def then_taken_out(key: str, data: bytes) -> bool:
        Tombstones(store).replace(tombstone(image_id))
        Blobs(store).remove(image_id)  # too early to find it
        return create(key, data)

    monkeypatch.setattr(store, "create", then_taken_out)
    with pytest.raises(ObjectTakenOut):
        Blobs(store).put(b"pixels")
    assert list(store.list("blobs/")) == []


@given(data=st.binary(max_size=2000))
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder: Path = tmp_path_factory.getbasetemp() / "any-bytes"
    blobs = Blobs(open_store(str(folder)))
    assert blobs.read(blobs.put(data)) == data
