"""Contact sheets are kept with what is on them, and go with any image that they show."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from cv_pipeline.catalog import pictures
from cv_pipeline.catalog.pictures import keep_contact_sheet, keep_page, remove_contact_sheets
from cv_pipeline.errors import ObjectNotFound
from cv_pipeline.storage import Blobs, ObjectStore, Tombstone, Tombstones, open_store
from tests.catalog.lake_world import picture


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path) -> ObjectStore:
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    return request.getfixturevalue("s3_store")


def keep(store: ObjectStore, ids: list[str], project: str = "p"):
    return keep_contact_sheet(store, project, ids, max_pixels=10_000)


def mark_taken_out(store: ObjectStore, image_id: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    Tombstones(store).create(
        Tombstone(image_id=image_id, reason="r", actor="a", at=at, paths={}, bytes=None, used_by=())
    )


def bury(store: ObjectStore, image_id: str) -> None:
    mark_taken_out(store, image_id)
    Blobs(store).remove(image_id)


def test_the_first_few_are_shown(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(12)]
    key, shown = keep(store, ids)
    assert shown == ids[:8]
    with Image.open(io.BytesIO(store.read(key))) as sheet:
        assert sheet.format == "JPEG"
    assert keep(store, ids) == (key, shown)
    assert len(list(store.list("projects/p/pictures/"))) == 2


def test_an_image_that_was_taken_out_is_not_shown(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(3)]
    bury(store, ids[1])
    assert keep(store, ids)[1] == [ids[0], ids[2]]
    assert keep(store, [ids[1]]) is None
    assert keep(store, []) is None


def test_an_image_whose_take_out_was_killed_early_is_not_shown(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(3)]
    mark_taken_out(store, ids[1])
    assert keep(store, ids)[1] == [ids[0], ids[2]]


def test_nor_one_whose_take_out_is_not_complete(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(3)]
    bury(store, ids[1])
    store.write(f"blobs/{ids[1][:2]}/{ids[1][2:4]}/{ids[1]}", picture(1))  # not removed yet
    key, shown = keep(store, ids)
    assert shown == [ids[0], ids[2]]
    assert [i.key for i in store.list("projects/p/pictures/")] == [key, key.replace("jpg", "json")]


def test_a_missing_image_is_an_error(store: ObjectStore):
    with pytest.raises(ObjectNotFound):
        keep(store, ["0" * 64])


def test_sheets_go_with_an_image_that_they_show(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(6)]
    first, second = keep(store, ids[:3])[0], keep(store, ids[2:])[0]
    other = keep(store, ids[:3], "q")[0]
    assert remove_contact_sheets(store, "p", [ids[0]]) == [first]
    assert not store.exists(first)
    assert store.exists(second)
    assert store.exists(other)
    assert remove_contact_sheets(store, "p", [ids[0], ids[2]]) == [second]
    assert remove_contact_sheets(store, "p", ids) == []
    assert list(store.list("projects/p/pictures/")) == []


def test_a_take_out_while_a_sheet_is_made_leaves_none_of_it(store: ObjectStore, monkeypatch):
    ids = [Blobs(store).put(picture(n)) for n in range(3)]
    made = pictures.contact_sheet

    def slowly(*args, **options):
        if not Tombstones(store).get(ids[1]):
            bury(store, ids[1])
            remove_contact_sheets(store, "p", [ids[1]])
        return made(*args, **options)

    monkeypatch.setattr(pictures, "contact_sheet", slowly)
    key, shown = keep(store, ids)
    assert shown == [ids[0], ids[2]]
    assert [i.key for i in store.list("projects/p/pictures/")] == [key, key.replace("jpg", "json")]


def test_a_page_goes_with_an_image_that_is_on_it(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(3)]
    page = keep_page(store, "p", "<p>one picture</p>", ids[1:2], name="a")
    other = keep_page(store, "p", "<p>another</p>", ids[2:], name="b")
    assert keep_page(store, "p", "<p>two pictures</p>", ids[:2], name="a") == page
    assert store.read(page) == b"<p>two pictures</p>"
    assert remove_contact_sheets(store, "p", [ids[1]]) == [page]
    assert not store.exists(page)
    assert store.exists(other)


def test_a_page_of_an_image_that_is_taken_out_just_now_is_not_kept(store: ObjectStore):
    ids = [Blobs(store).put(picture(n)) for n in range(2)]
    bury(store, ids[0])
    assert keep_page(store, "p", "<p>two pictures</p>", ids, name="a") is None
    assert list(store.list("projects/p/pictures/")) == []


def test_a_page_outlives_the_images_of_the_page_that_it_replaces(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
):
    ids = [Blobs(store).put(picture(n)) for n in range(2)]
    keep_page(store, "p", "<p>both</p>", ids, name="a")
    write, waiting = store.write, [ids[0]]

    def taken_out_meanwhile(key: str, data: bytes) -> None:
        write(key, data)
        if key.endswith(".html") and waiting:
            bury(store, waiting[0])
            remove_contact_sheets(store, "p", [waiting.pop()])

    monkeypatch.setattr(store, "write", taken_out_meanwhile)
    page = keep_page(store, "p", "<p>the second</p>", ids[1:], name="a")
    assert page is not None
    assert store.read(page) == b"<p>the second</p>"
    assert remove_contact_sheets(store, "p", [ids[0]]) == []
    assert remove_contact_sheets(store, "p", [ids[1]]) == [page]
