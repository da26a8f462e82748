"""Every image's bytes read from the store and hashed, several at once, in bounded memory.

An image that is missing or damaged is named with its id and, where it is known, its path; one that
was taken out on request is told apart, and is no problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.errors import ObjectNotFound, ObjectTakenOut, StorageError
from cv_pipeline.storage import Blobs, ObjectStore, Tombstones, blob_key
from cv_pipeline.storage.read_ahead import BUDGET_BYTES, MOST_ITEMS, read_ahead
from cv_pipeline.verification.report import Problem, Progress, Report

_READERS = 8
_UNKNOWN_SIZE = BUDGET_BYTES // MOST_ITEMS
_PREFIX = "blobs/"
_IMAGE = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}")


@dataclass(frozen=True)
class Kept:
    """An image that should be in the store.

    Attributes:
        image_id: its SHA-256.
        path: path in its source; empty when it is not known.
        bytes: size of its file, or what it takes at most.
    """

    image_id: str
    path: str = ""
    bytes: int = _UNKNOWN_SIZE


def verify_images(
    images: Iterable[Kept], *, store: ObjectStore, total: int | None = None, progress: Progress
) -> Report:
    """Read images and hash them again.

    Args:
        images: which ones, each once.
        store: where they are.
        total: how many there are, for the progress.
        progress: told of every image.
    """
    checked, blobs = 0, Blobs(store)
    problems: list[Problem] = []
    taken_out: list[str] = []
    with ThreadPoolExecutor(_READERS) as pool:
        results = read_ahead(
            images,
            lambda image: _verify(image, blobs, store.url),
            size=lambda i: i.bytes,
            pool=pool,
        )
        for image, problem in results:
            checked += 1
            if isinstance(problem, Problem):
                problems.append(problem)
            elif problem:
                taken_out.append(image.image_id)
            progress(checked, total, "images")
    return Report({"images": checked}, tuple(problems), tuple(taken_out))


def verify_blobs(store: ObjectStore, *, progress: Progress) -> Report:
    """Read every image that a store holds and hash it again."""
    strange: list[Problem] = []

    def listed() -> Iterable[Kept]:
        for info in store.list(_PREFIX):
            image_id = info.key.rpartition("/")[2]
            if _IMAGE.fullmatch(info.key):
                yield Kept(image_id, bytes=info.size)
            else:
                what = f"{info.key} in {store.url} is no image, by its name."
                strange.append(
                    Problem("file", info.key, what, "Nothing here made it; move it away.")
                )

    found = verify_images(listed(), store=store, progress=progress)
    return Report(found.checked, (*found.problems, *strange), found.taken_out)


def missing_images(manifest: pa.Table, *, stored: pa.Array, store: ObjectStore) -> Report:
    """Tell which images of a manifest a store does not hold, without reading any.

    Args:
        manifest: columns ``image_id`` and ``path``.
        stored: ids of the images that the store holds.
        store: the store.
    """
    absent = pc.invert(pc.is_in(manifest["image_id"], value_set=stored))
    tombstones = Tombstones(store)
    problems: list[Problem] = []
    taken_out: list[str] = []
    for row in manifest.filter(absent).to_pylist():
        if tombstones.get(row["image_id"]) is not None:
            taken_out.append(row["image_id"])
        else:
            problems.append(_lost(Kept(row["image_id"], row["path"]), store.url))
    return Report({}, tuple(problems), tuple(taken_out))


def stored_images(store: ObjectStore) -> pa.Array:
    """Ids of the images that a store holds, by one listing of it."""
    keys = pa.array([info.key for info in store.list(_PREFIX)], pa.string())
    return pc.replace_substring_regex(keys, "^.*/", "")


def _verify(image: Kept, blobs: Blobs, url: str) -> tuple[Kept, Problem | bool]:
    """What is wrong with an image, or else whether it was taken out."""
    try:
        blobs.read(image.image_id)
    except ObjectTakenOut:
        return image, True
    except ObjectNotFound:
        return image, _lost(image, url)
    except StorageError as error:
        path = f" ({image.path})" if image.path else ""
        return image, Problem("image", image.image_id, f"{error.what}{path}", error.do)
    return image, False


def _lost(image: Kept, url: str) -> Problem:
    path = f" ({image.path})" if image.path else ""
    return Problem(
        "image",
        image.image_id,
        f"Image {image.image_id}{path} is not in {url}.",
        f"Restore {blob_key(image.image_id)} from a backup, or ingest again, as long as the source"
        " has the file.",
    )
