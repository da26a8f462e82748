"""Contact sheets and pages: images of a set for people to look at.

They are objects of the store and never part of Dagster's event log, for nothing can be removed
from that. Beside each lies which images it shows, so that a take-out finds it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from hashlib import sha256

from cv_pipeline.errors import ObjectTakenOut
from cv_pipeline.imaging.read import decode
from cv_pipeline.imaging.render import contact_sheet, to_rgb8
from cv_pipeline.storage import Blobs, ObjectStore, Tombstones

PICTURES = 8
_COLUMNS = 4
_SIZE = 96


def keep_contact_sheet(
    store: ObjectStore, project: str, image_ids: Sequence[str], *, max_pixels: int
) -> tuple[str, list[str]] | None:
    """Make a contact sheet and keep it in the store.

    Args:
        store: the object store.
        project: whose picture it is.
        image_ids: images to show; the first few that were not taken out are.
        max_pixels: pixels above which an image is not decoded.

    Returns:
        Key of the JPEG and the images on it; None when there is none to show.

    Raises:
        ObjectNotFound: an image is not in the store.
        ObjectCorrupt: an image is damaged.
        ImageError: an image cannot be decoded.
    """
    blobs, tombstones = Blobs(store), Tombstones(store)
    shown: dict[str, bytes] = {}
    for image_id in image_ids:
        if len(shown) == PICTURES:
            break
        # of a take-out that was killed early, the tombstone stands and the bytes are still there
        if tombstones.get(image_id) is None:
            with suppress(ObjectTakenOut):
                shown[image_id] = blobs.read(image_id)
    if not shown:
        return None
    pictures = [to_rgb8(decode(data, max_pixels=max_pixels)) for data in shown.values()]
    sheet = contact_sheet(pictures, columns=_COLUMNS, size=_SIZE)
    name = sha256("\n".join(shown).encode()).hexdigest()
    key = f"{_folder(project)}{name}.jpg"
    store.write(f"{_folder(project)}{name}.json", json.dumps({"images": list(shown)}).encode())
    store.write(key, sheet)
    # asked after the write, as with the images themselves: a take-out may have been faster
    if any(tombstones.get(image_id) for image_id in shown):
        _remove(store, project, name)
        return keep_contact_sheet(store, project, image_ids, max_pixels=max_pixels)
    return key, list(shown)


def read_page(store: ObjectStore, project: str, *, name: str) -> bytes:
    """A page that was kept.

    Raises:
        ObjectNotFound: there is none, or one of its images was taken out since.
    """
    return store.read(f"{_folder(project)}{name}.html")


def page_images(store: ObjectStore, project: str, *, name: str) -> list[str]:
    """Ids of the images whose pixels are on a page that was kept, sorted.

    Raises:
        ObjectNotFound: there is no such page.
    """
    found: list[str] = json.loads(store.read(f"{_folder(project)}{name}.json"))["images"]
    return found


def keep_page(
    store: ObjectStore, project: str, html: str, image_ids: Collection[str], *, name: str
) -> str | None:
    """Keep a page that holds pixels of images, so that a take-out of one of them removes it.

    A page of the same name is replaced.

    Args:
        store: the object store.
        project: whose page it is.
        html: the page.
        image_ids: images whose pixels are on it.
        name: digest of what it is about.

    Returns:
        Key of the page; None where it shows an image that was taken out meanwhile, and is not kept.
    """
    key = f"{_folder(project)}{name}.html"
    listing = f"{_folder(project)}{name}.json"
    # with those on the page that is replaced, in case that is as far as this comes
    before = json.loads(store.read(listing))["images"] if store.exists(listing) else []
    store.write(listing, _listing({*image_ids, *before}))
    store.write(key, html.encode())
    store.write(listing, _listing(image_ids))
    # asked after the write, as with the images themselves: a take-out may have been faster
    tombstones = Tombstones(store)
    if any(tombstones.get(image_id) for image_id in image_ids):
        _remove(store, project, name, suffix=".html")
        return None
    if not store.exists(key):  # an image of the page that was replaced was taken out just then
        return keep_page(store, project, html, image_ids, name=name)
    return key


def _listing(image_ids: Collection[str]) -> bytes:
    """What tells which images are on a page."""
    return json.dumps({"images": sorted(image_ids), "suffix": ".html"}).encode()


def remove_contact_sheets(
    store: ObjectStore, project: str, image_ids: Collection[str]
) -> list[str]:
    """Remove the contact sheets and pages of a project that show one of some images.

    Returns:
        Their keys, sorted.
    """
    removed = []
    for info in list(store.list(_folder(project))):
        if info.key.endswith(".json"):
            told = json.loads(store.read(info.key))
            if not set(image_ids).isdisjoint(told["images"]):
                name = info.key.rpartition("/")[2].removesuffix(".json")
                removed.append(_remove(store, project, name, suffix=told.get("suffix", ".jpg")))
    return removed


def _remove(store: ObjectStore, project: str, name: str, *, suffix: str = ".jpg") -> str:
    """Remove a contact sheet or page, and last of all what tells where to find it."""
    key = f"{_folder(project)}{name}{suffix}"
    store.purge(key)
    store.delete(f"{_folder(project)}{name}.json")
    return key


def _folder(project: str) -> str:
    return f"projects/{project}/pictures/"
