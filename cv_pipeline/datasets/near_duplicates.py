"""Pairs of images that show the same picture: re-encoded, resized, mirrored or lightly cropped.

Candidates come from perceptual hashes (of the whole picture, of its mirror image, and of the
windows that a crop may have kept), looked up in an index and never by comparing all with all; each
is then confirmed on the 32 × 32 thumbnails. Exact copies are one image already.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.datasets.alignment import FULL, mismatches, smooth
from cv_pipeline.datasets.components import connected
from cv_pipeline.datasets.crops import WINDOWS, window_hashes
from cv_pipeline.datasets.hash_index import Hashes, HashIndex, bands_for

NEAR_DUPLICATE_PAIRS = pa.schema(
    [
        # row of one image
        pa.field("i", pa.int64(), nullable=False),
        # row of the other, greater than i
        pa.field("j", pa.int64(), nullable=False),
        # how they differ: same (re-encoded, resized), mirrored, cropped or cropped_mirrored
        pa.field("kind", pa.string(), nullable=False),
        # bits in which the hashes differ that led to the pair
        pa.field("distance", pa.int32(), nullable=False),
        # what differs over what is tolerated, 0 to 1 (see alignment.mismatches)
        pa.field("mismatch", pa.float32(), nullable=False),
    ]
)

NEAR_DUPLICATES = pa.schema(
    [
        # one image
        pa.field("image_a", pa.string(), nullable=False),
        # the other, greater
        pa.field("image_b", pa.string(), nullable=False),
        *[NEAR_DUPLICATE_PAIRS.field(name) for name in ("kind", "distance", "mismatch")],
    ]
)
KINDS = ("same", "mirrored", "cropped", "cropped_mirrored")

CROP_BUCKET = 32
"""Members of one bucket that a window's hash is compared with."""
CONFIRMED_AT_ONCE = 8192
"""Candidates whose thumbnails are gathered at a time."""
CROP_BLOCK = 512
"""Images whose windows are looked up at a time, which bounds the memory."""

_CANDIDATE = np.dtype(
    [
        ("first", np.int64),
        ("second", np.int64),
        ("flipped", np.bool_),
        ("window", np.int16),
        ("distance", np.int32),
        ("mismatch", np.float32),
    ]
)
_WHOLE = len(WINDOWS)
_ALL_WINDOWS = np.concatenate([WINDOWS, np.array([FULL], np.float32)])

Candidates = NDArray[np.void]
"""Structured rows: ``window`` of the first may be the whole of the second, perhaps flipped."""


def near_duplicate_pairs(
    *,
    hashes: Hashes,
    mirrored: Hashes,
    thumbnails: NDArray[np.uint8],
    max_distance: int,
) -> pa.Table:
    """Find the pairs of images that show the same picture.

    Args:
        hashes: (N,) perceptual hashes.
        mirrored: (N,) perceptual hashes of the images flipped left to right.
        thumbnails: (N, 32, 32) luma.
        max_distance: most bits in which the hashes of a pair may differ.

    Returns:
        A table of schema ``NEAR_DUPLICATE_PAIRS``, one row a pair, sorted by (i, j).
    """
    if len(hashes) < 2:
        return NEAR_DUPLICATE_PAIRS.empty_table()
    found = [_confirmed(thumbnails, _whole_candidates(hashes, mirrored, max_distance))]
    known = np.sort(_pair_keys(found[0], len(hashes)))
    for candidates in _crop_candidates(hashes, mirrored, thumbnails, max_distance):
        new = ~np.isin(_pair_keys(candidates, len(hashes)), known)
        found.append(_confirmed(thumbnails, candidates[new]))
    return _table(np.concatenate(found))


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


def _whole_candidates(hashes: Hashes, mirrored: Hashes, distance: int) -> Candidates:
    """Images whose hash is near another's hash, or near the hash of its mirror image."""
    bands = bands_for(len(hashes), distance)
    index = HashIndex(hashes, bands=bands)
    found = []
    for queries, flipped in ((hashes, False), (mirrored, True)):
        for rows, items, apart in index.search(
            queries, distance=distance, radius=distance // bands
        ):
            once = rows < items  # both relations hold from either side
            found.append(_candidates(rows[once], items[once], flipped, _WHOLE, apart[once]))
    return _nearest(np.concatenate(found))


def _crop_candidates(
    hashes: Hashes, mirrored: Hashes, thumbnails: NDArray[np.uint8], distance: int
) -> Iterator[Candidates]:
    """Images one of whose windows is near another's whole picture, or near its mirror image."""
    size = len(hashes)
    index = HashIndex(np.concatenate([hashes, mirrored]), bands=_crop_bands(size))
    for start in range(0, size, CROP_BLOCK):
        queries = window_hashes(thumbnails[start : start + CROP_BLOCK].astype(np.float32))
        windows = queries.shape[1]
        found = []
        for rows, items, apart in index.search(
            queries.ravel(), distance=distance, radius=0, bucket=CROP_BUCKET
        ):
            first, second = rows // windows + start, items % size
            other = first != second
            rows, items, apart = rows[other], items[other], apart[other]
            found.append(
                _candidates(first[other], second[other], items >= size, rows % windows, apart)
            )
        if found:
            yield _nearest(np.concatenate(found))


def _crop_bands(size: int) -> int:
    """Bands whose buckets hold about one image, so that a look-up costs the same at any size."""
    return int(np.clip(round(64 / np.log2(max(size, 2))), 3, 8))


def _candidates(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    flipped: bool | NDArray[np.bool_],
    window: int | NDArray[np.int64],
    distance: NDArray[np.int64],
) -> Candidates:
    rows = np.empty(len(first), _CANDIDATE)
    rows["first"], rows["second"], rows["flipped"] = first, second, flipped
    rows["window"], rows["distance"] = window, distance
    return rows


def _nearest(rows: Candidates) -> Candidates:
    """One row for each pair and orientation: that of the least distance."""
    return _first_of(rows, keys=("first", "second", "flipped"), order=("distance", "window"))


def _first_of(rows: Candidates, *, keys: tuple[str, ...], order: tuple[str, ...]) -> Candidates:
    """The first row, in ``order``, of each distinct combination of ``keys``; sorted by them."""
    rows = rows[np.lexsort([rows[name] for name in reversed(keys + order)])]
    new = np.ones(len(rows), bool)
    new[1:] = np.any([rows[name][1:] != rows[name][:-1] for name in keys], axis=0)
    return rows[new]


def _pair_keys(rows: Candidates, size: int) -> NDArray[np.int64]:
    low = np.minimum(rows["first"], rows["second"])
    high = np.maximum(rows["first"], rows["second"])
    return np.asarray(low * size + high)


def _confirmed(thumbnails: NDArray[np.uint8], rows: Candidates) -> Candidates:
    """The candidates whose thumbnails agree."""
    kept = []
    for start in range(0, len(rows), CONFIRMED_AT_ONCE):
        part = rows[start : start + CONFIRMED_AT_ONCE]
        first, second = thumbnails[part["first"]], thumbnails[part["second"]]
        second[part["flipped"]] = second[part["flipped"], :, ::-1]
        windows = _ALL_WINDOWS[part["window"]]
        part["mismatch"] = mismatches(smooth(first), smooth(second), windows)
        kept.append(part[part["mismatch"] <= 1])
    return np.concatenate([rows[:0], *kept])


def _table(rows: Candidates) -> pa.Table:
    """A row for each pair, of its plainest kind."""
    kind = rows["flipped"] + 2 * (rows["window"] != _WHOLE)
    pairs = np.empty(len(rows), [("i", int), ("j", int), ("kind", int), *_CANDIDATE.descr[4:]])
    pairs["i"] = np.minimum(rows["first"], rows["second"])
    pairs["j"] = np.maximum(rows["first"], rows["second"])
    pairs["kind"], pairs["distance"], pairs["mismatch"] = kind, rows["distance"], rows["mismatch"]
    pairs = _first_of(pairs, keys=("i", "j"), order=("kind", "mismatch"))
    kinds = pa.array(KINDS).take(pa.array(pairs["kind"]))
    columns = [pairs["i"], pairs["j"], kinds, pairs["distance"], pairs["mismatch"]]
    return pa.table(
        [pa.array(c).cast(f.type) for c, f in zip(columns, NEAR_DUPLICATE_PAIRS, strict=True)],
        schema=NEAR_DUPLICATE_PAIRS,
    )
