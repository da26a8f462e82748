"""Pairs of images that show the same picture: re-encoded, resized, mirrored or lightly cropped.

Candidates come from perceptual hashes (of the whole picture, of its mirror image, and of the
windows that a crop may have kept), and never by comparing all with all; ``pair_kinds`` then says
of each what it is. The result is that of the set of images, however it grew. Exact copies are one
image already.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.engine import cores
from cv_pipeline.catalog.ingest.read import Progress
from cv_pipeline.catalog.schemas import NEAR_DUPLICATES
from cv_pipeline.datasets.components import connected
from cv_pipeline.datasets.duplicates.crops import window_coefficients, window_hashes
from cv_pipeline.datasets.duplicates.hash_index import HashIndex
from cv_pipeline.datasets.duplicates.hash_pairs import Hashes, Rows, near_pairs
from cv_pipeline.datasets.duplicates.pair_kinds import KINDS, kinds_of_pairs
from cv_pipeline.datasets.duplicates.pictures import MIRROR, Pictures, alike
from cv_pipeline.distinct import distinct

NEAR_DUPLICATE_PAIRS = pa.schema(
    [
        # row of one image
        pa.field("i", pa.int64(), nullable=False),
        # row of the other, greater than i
        pa.field("j", pa.int64(), nullable=False),
        # the rest is that of the table of the catalogue
        *[NEAR_DUPLICATES.field(name) for name in ("kind", "distance", "mismatch")],
    ]
)

BLOCK = 512
"""Images whose windows are looked up at a time, which bounds the memory."""
COMPARED_AT_ONCE = 16_384
"""Matches of windows, or pairs, that are compared at a time."""


def near_duplicate_pairs(
    *,
    hashes: Hashes,
    mirrored: Hashes,
    thumbnails: NDArray[np.uint8],
    max_distance: int,
    new: NDArray[np.bool_] | None = None,
    known: pa.Table | None = None,
    progress: Progress | None = None,
) -> pa.Table:
    """Find the pairs of images that show the same picture.

    Images that are many and alike to the last bits of their hashes are each compared with some of
    the others only (see ``hash_pairs`` and ``hash_index``), so that pairs of such images may go as
    others come; all else stays.

    Args:
        hashes: (N,) perceptual hashes; the rows must be in order of the images' ids.
        mirrored: (N,) perceptual hashes of the images flipped left to right.
        thumbnails: (N, 32, 32) luma.
        max_distance: most bits in which the hashes of a pair may differ, 0 to 16.
        new: (N,) the images that are not searched yet; all by default.
        known: ``NEAR_DUPLICATE_PAIRS`` found in the same way; those of new images are found anew.
        progress: called with what is done of how much, in words, every few seconds.

    Returns:
        A table of schema ``NEAR_DUPLICATE_PAIRS``, one row a pair, sorted by (i, j): the same as if
        all images were new.
    """
    if len(hashes) < 2:
        return NEAR_DUPLICATE_PAIRS.empty_table()
    pictures = Pictures(hashes, mirrored, thumbnails)
    new = np.ones(pictures.size, bool) if new is None else new
    known = NEAR_DUPLICATE_PAIRS.empty_table() if known is None else known
    old = ~(new[known["i"].to_numpy()] | new[known["j"].to_numpy()])
    known = known.filter(pa.array(old))
    asked = _Asked(new, known)
    found = [_whole_candidates(pictures, max_distance, asked)]
    found += _crop_candidates(pictures, max_distance, asked, progress)
    codes = distinct(np.concatenate(found))
    fresh = _table(_confirmed(pictures, codes[asked.new(codes)], max_distance, progress))
    kept = known.filter(pa.array(np.isin(asked.known, codes)))
    return pa.concat_tables([fresh, kept]).sort_by([("i", "ascending"), ("j", "ascending")])


class _Asked:
    """Which candidates matter: those with a new picture, and pairs that are known.

    Args:
        new: (N,) the new pictures.
        known: ``NEAR_DUPLICATE_PAIRS`` among the others.
    """

    def __init__(self, new: NDArray[np.bool_], known: pa.Table) -> None:
        self._new = new
        self.known = known["i"].to_numpy() * len(new) + known["j"].to_numpy()
        self._sorted = np.sort(self.known)

    def new(self, codes: Rows) -> NDArray[np.bool_]:
        """Whether a pair, i × N + j, has a new picture."""
        i, j = np.divmod(codes, len(self._new))
        return np.asarray(self._new[i] | self._new[j])

    def __call__(self, codes: Rows) -> NDArray[np.bool_]:
        """Whether a pair matters."""
        asked = self.new(codes)
        if len(self._sorted):
            at = np.searchsorted(self._sorted, codes)
            asked |= self._sorted[np.minimum(at, len(self._sorted) - 1)] == codes
        return asked


def clusters(size: int, pairs: pa.Table) -> NDArray[np.int64]:
    """Cluster of each image, where pairs join their two images.

    Args:
        size: number of images.
        pairs: a table of schema ``NEAR_DUPLICATE_PAIRS``.

    Returns:
        (N,) the smallest row of the cluster that each image is in.
    """
    return connected(size, pairs["i"].to_numpy(), pairs["j"].to_numpy())


def name_pairs(pairs: pa.Table, image_ids: pa.Array) -> pa.Table:
    """The same pairs by the ids of their images.

    Args:
        pairs: ``NEAR_DUPLICATE_PAIRS``.
        image_ids: (N,) sorted ids of the rows.

    Returns:
        ``NEAR_DUPLICATES``, sorted by both images.
    """
    images = [image_ids.take(pairs[end].combine_chunks()) for end in ("i", "j")]
    rest = [pairs[name] for name in NEAR_DUPLICATES.names[2:]]
    return pa.Table.from_arrays([*images, *rest], schema=NEAR_DUPLICATES)


def _whole_candidates(pictures: Pictures, distance: int, asked: _Asked) -> Rows:
    """Codes, i × N + j, of pairs whose hashes are near, or near when one is mirrored."""
    size = pictures.size
    both = np.concatenate([pictures.hashes, pictures.mirrored])
    i, j = near_pairs(both, distance=distance, size=size)
    codes = i * size + j
    codes = codes[asked(codes)]

    def likely(start: int) -> Rows:
        part = codes[start : start + COMPARED_AT_ONCE]
        i, j = np.divmod(part, size)
        passed = np.zeros(len(part), bool)
        for mirrored in (False, True):
            passed[pictures.likely(i, j, mirrored=mirrored, max_distance=distance)] = True
        return part[passed]

    with ThreadPoolExecutor(cores(), thread_name_prefix="pairs") as threads:
        starts = range(0, max(len(codes), 1), COMPARED_AT_ONCE)
        return np.concatenate(list(threads.map(likely, starts)))


def _crop_candidates(
    pictures: Pictures, distance: int, asked: _Asked, progress: Progress | None
) -> Iterator[Rows]:
    """Codes of pairs where a window of one is near the whole of the other, or of its mirror."""
    size = pictures.size
    index = HashIndex(np.concatenate([pictures.hashes, pictures.mirrored]))
    search = partial(_windows_found, pictures, index, distance, asked)
    starts = range(0, size, BLOCK)
    with ThreadPoolExecutor(cores(), thread_name_prefix="crops") as threads:
        for start, codes in zip(starts, threads.map(search, starts), strict=True):
            yield codes
            if progress is not None:
                progress(min(start + BLOCK, size), size, "images searched for near-duplicates")


def _windows_found(
    pictures: Pictures, index: HashIndex, distance: int, asked: _Asked, start: int
) -> Rows:
    """Codes of the pairs that the windows of one block of images find."""
    size = pictures.size
    coefficients = window_coefficients(
        pictures.thumbnails[start : start + BLOCK].astype(np.float32)
    )
    queries = window_hashes(coefficients).ravel()
    windows = coefficients.shape[1]
    coefficients = coefficients.reshape(len(queries), -1)
    found = [np.empty(0, np.int64)]
    for rows, items in index.search(queries, distance=distance):
        first, second = rows // windows + start, items % size
        codes = np.minimum(first, second) * size + np.maximum(first, second)
        matters = np.flatnonzero((first != second) & asked(codes))
        for at in range(0, len(matters), COMPARED_AT_ONCE):
            part = matters[at : at + COMPARED_AT_ONCE]
            whole = pictures.frequencies[second[part]]
            whole[items[part] >= size] *= MIRROR
            found.append(codes[part][alike(coefficients[rows[part]], whole)])
    return distinct(np.concatenate(found))


def _confirmed(
    pictures: Pictures, codes: Rows, distance: int, progress: Progress | None
) -> NDArray[np.void]:
    """The pairs of these codes that are of a kind."""
    total = len(codes)

    def confirm(start: int) -> NDArray[np.void]:
        i, j = np.divmod(codes[start : start + COMPARED_AT_ONCE], pictures.size)
        return kinds_of_pairs(pictures, i, j, max_distance=distance)

    starts = range(0, max(total, 1), COMPARED_AT_ONCE)
    found = []
    with ThreadPoolExecutor(cores(), thread_name_prefix="pairs") as threads:
        for start, pairs in zip(starts, threads.map(confirm, starts), strict=True):
            found.append(pairs)
            if progress is not None:
                progress(min(start + COMPARED_AT_ONCE, total), total, "likely pairs compared")
    return np.concatenate(found)


def _table(pairs: NDArray[np.void]) -> pa.Table:
    kinds = pa.array(KINDS).take(pa.array(pairs["kind"]))
    columns = [pairs["i"], pairs["j"], kinds, pairs["distance"], pairs["mismatch"]]
    return pa.table(
        [pa.array(c).cast(f.type) for c, f in zip(columns, NEAR_DUPLICATE_PAIRS, strict=True)],
        schema=NEAR_DUPLICATE_PAIRS,
    )
