"""Which image a reference means: its id, a prefix of it, or a path that it was ingested from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.snapshot.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import QueryError

LEAST_PREFIX = 8
"""Characters that a prefix of an image id must have."""

_HEX = frozenset("0123456789abcdef")


def find_image(snapshot: Snapshot, catalog: Catalog, ref: str) -> int:
    """Number of the image that a reference means.

    Ids, prefixes and paths are found by binary search; a path that is only a copy's is looked up
    in the table of files.

    Args:
        snapshot: the images that there are.
        catalog: the project's tables.
        ref: SHA-256 of the image, a prefix of at least eight characters, or a path in its source.

    Raises:
        QueryError: no image is meant, or several are.
    """
    found = list(snapshot.numbering.with_prefix(ref.lower())[:2]) if _is_prefix(ref) else []
    if not found:
        found = _with_path(snapshot, catalog, ref)
    if not found:
        raise QueryError(
            f"Project {snapshot.project} has no image {ref!r}.",
            do="Give its SHA-256, a prefix of 8 or more, or its path in the source.",
        )
    if len(found) > 1:
        ids = [snapshot.images["image_id"][n].as_py()[:16] for n in found]
        raise QueryError(
            f"{ref!r} fits several images: {ids[0]}… and {ids[1]}….",
            do="Give more of its SHA-256.",
        )
    return found[0]


def find_images(snapshot: Snapshot, catalog: Catalog, refs: Sequence[str]) -> NDArray[np.int32]:
    """Numbers of the images that references mean, in one pass over ids and paths.

    Args:
        snapshot: the images that there are.
        catalog: the project's tables.
        refs: references as :func:`find_image` takes them.

    Raises:
        QueryError: a reference means no image, or several.
    """
    wanted = pa.array(refs, pa.string())
    numbers = snapshot.numbering.find(wanted)
    others = pc.unique(wanted.filter(pa.array(numbers < 0)))
    if not len(others):
        return numbers
    place = pc.index_in(snapshot.images["path"], value_set=others)
    with_path = pc.indices_nonzero(pc.is_valid(place)).to_numpy()
    places = place.take(pa.array(with_path)).to_numpy()
    number_of = np.full(len(others), -1, np.int32)
    number_of[places] = with_path
    times = np.bincount(places, minlength=len(others))
    for index, ref in enumerate(others.to_pylist()):
        if times[index] != 1 or _is_prefix(ref):  # copies and mistakes too
            number_of[index] = find_image(snapshot, catalog, ref)
    of_others = pc.index_in(wanted, value_set=others).to_numpy(zero_copy_only=False)
    return np.where(numbers < 0, number_of[np.nan_to_num(of_others).astype(int)], numbers)


def _is_prefix(ref: str) -> bool:
    return len(ref) >= LEAST_PREFIX and set(ref.lower()) <= _HEX


def _with_path(snapshot: Snapshot, catalog: Catalog, path: str) -> list[int]:
    """Numbers of up to two images that were ingested from a path."""
    paths, order = snapshot.images["path"], snapshot.by_path

    def path_at(place: int) -> str:
        return str(paths[order[place].as_py()].as_py())

    start = bisect_left(range(len(order)), path, key=path_at)
    places = range(start, min(start + 2, len(order)))
    if found := [int(order[place].as_py()) for place in places if path_at(place) == path]:
        return found
    copies = catalog.table("files").read(columns=["image_id"], filter=pc.field("path") == path)
    numbers = snapshot.numbering.find(copies["image_id"].cast(pa.string()))
    return [int(n) for n in numbers if n >= 0]
