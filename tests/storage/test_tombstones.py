from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cv_pipeline.errors import StorageError
from cv_pipeline.storage import ObjectStore, Tombstone, Tombstones, Use


def made(n: int, reason: str = "a reason") -> Tombstone:
    use = Use(kind="model", key="p/trained_model", version="m", storage_id=7, split="train")
    return Tombstone(
        image_id=f"{n:064x}",
        reason=reason,
        actor="anna",
        at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        paths={"p": "camera/1.jpg"},
        bytes=123,
        used_by=(use,),
    )


def test_what_was_written_is_read(store: ObjectStore):
    tombstones = Tombstones(store)
    assert tombstones.get(made(1).image_id) is None
    assert list(tombstones) == tombstones.image_ids() == []
    for n in (3, 1, 2):
        assert tombstones.create(made(n)) == made(n)
    assert list(tombstones) == [made(n) for n in (1, 2, 3)]
    assert tombstones.image_ids() == [made(n).image_id for n in (1, 2, 3)]
    assert made(1).used_by[0].project == "p"


def test_the_first_of_an_image_counts(store: ObjectStore):
    tombstones = Tombstones(store)
    tombstones.create(made(1, "first"))
    assert tombstones.create(made(1, "second")).reason == "first"
    tombstones.replace(made(1, "third"))
    found = tombstones.get(made(1).image_id)
    assert found is not None
    assert found.reason == "third"


def test_a_damaged_one_is_an_error_and_not_absent(store: ObjectStore):
    Tombstones(store).create(made(1))
    key = next(store.list("tombstones/")).key
    store.write(key, b"{")
    with pytest.raises(StorageError, match=r"tombstone .* is damaged.*Restore"):
        Tombstones(store).get(made(1).image_id)
