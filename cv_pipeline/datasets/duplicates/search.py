"""The near-duplicates of a catalogue: each image is compared with all others once.

Incremental: only pairs with an image that was not searched yet are looked at, and what is in the
table afterwards is the same in whatever order the images came. Images count as searched when all
their pairs are written, so a search that was killed is done again; another distance searches all
of them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.ingest.read import Progress
from cv_pipeline.catalog.schemas import DUPLICATE_SEARCHES, NEAR_DUPLICATES
from cv_pipeline.catalog.tables import Catalog, CatalogTable, one_of
from cv_pipeline.datasets.duplicates.near_duplicates import (
    NEAR_DUPLICATE_PAIRS,
    name_pairs,
    near_duplicate_pairs,
)
from cv_pipeline.errors import DatasetError
from cv_pipeline.imaging.perceptual import SIDE

TABLES = ("duplicate_searches", "near_duplicates")
"""Tables that a search writes."""

_READ_ROWS = 65_536
_DELETED_AT_ONCE = 4096
_ENDS = ("image_a", "image_b")
_DIGESTED = [*_ENDS, "kind", "distance"]


@dataclass(frozen=True)
class DuplicatesReport:
    """What the near-duplicates are after a search.

    Attributes:
        digest: SHA-256 of the pairs and the distance, without the last digits of how well they fit.
        pairs: number of pairs.
        kinds: number of pairs of each kind.
        searched: images that this run searched.
        distance: most bits in which the hashes of a pair may differ.
        table_versions: versions of the tables ``near_duplicates`` and ``duplicate_searches``.
    """

    digest: str
    pairs: int
    kinds: dict[str, int]
    searched: int
    distance: int
    table_versions: dict[str, int]


def search_near_duplicates(
    catalog: Catalog,
    *,
    distance: int,
    progress: Progress,
    images_version: int | None = None,
) -> DuplicatesReport:
    """Find the near-duplicates of the images that have features and a signature.

    Pairs of an image that was taken out stay as they are.

    Args:
        catalog: the project's tables.
        distance: most bits in which the hashes of a pair may differ, 0 to 16.
        progress: called with images done and images to do, at least every few seconds.
        images_version: version of the table ``images`` whose pairs the report is about; the latest
            by default. Others are searched all the same.

    Raises:
        CatalogError: that version is gone, or too many others were writing at once.
    """
    _forget_other_distances(catalog, distance)
    searched = 0
    while len(new := _unsearched(catalog)):
        compared = _search(catalog, new, distance, progress)
        _mark(catalog, new, distance)
        # Another run may have searched other images meanwhile, and neither compared its own with
        # those of the other. Both marked theirs before they look, so one of them sees it.
        if len(_minus(_signed(catalog), pa.concat_arrays([compared, _unsearched(catalog)]))):
            catalog.table("duplicate_searches").delete(one_of("image_id", new.to_pylist()))
        else:
            searched += len(new)
    images = catalog.table("images").read(columns=["image_id"], version=images_version)
    versions = {name: catalog.table(name).version for name in TABLES}
    pairs = catalog.table("near_duplicates").read(version=versions["near_duplicates"])
    pairs = pairs_among(pairs, images["image_id"])
    kinds = pairs["kind"].value_counts().to_pylist()
    return DuplicatesReport(
        digest=table_digest(
            pairs.select(_DIGESTED),
            schema_id=f"near-duplicates/1/{distance}",
            sort_by=_ENDS,
        ),
        pairs=len(pairs),
        kinds={k["values"]: k["counts"] for k in sorted(kinds, key=lambda k: str(k["values"]))},
        searched=searched,
        distance=distance,
        table_versions=versions,
    )


def read_pairs(
    catalog: Catalog, image_ids: pa.Array, *, distance: int, versions: Mapping[str, int]
) -> pa.Table:
    """The near-duplicates among some images, as a search left them.

    Args:
        catalog: the project's tables.
        image_ids: the images.
        distance: most bits in which the hashes of a pair may differ.
        versions: versions of the tables ``near_duplicates`` and ``duplicate_searches`` to read.

    Returns:
        ``NEAR_DUPLICATES``, sorted by both images.

    Raises:
        DatasetError: an image was not searched, or not to that distance.
    """
    searches = catalog.table("duplicate_searches").read(version=versions["duplicate_searches"])
    enough = searches.filter(pc.greater_equal(searches["distance"], distance))["image_id"]
    missing = pc.sum(pc.invert(pc.is_in(image_ids, value_set=enough))).as_py() or 0
    if missing:
        raise DatasetError(
            f"{missing} of the {len(image_ids)} selected images of {catalog.project} were not"
            f" searched for near-duplicates to a distance of {distance}.",
            do=f"Run: cvp run {catalog.project} --select image_features",
        )
    rows = catalog.table("near_duplicates").read(
        filter=pc.field("distance") <= distance, version=versions["near_duplicates"]
    )
    return pairs_among(rows, image_ids).sort_by([(end, "ascending") for end in _ENDS])


def pairs_among(pairs: pa.Table, image_ids: pa.Array) -> pa.Table:
    """The rows of ``NEAR_DUPLICATES`` of which both images are among some."""
    a, b = (pc.is_in(pairs[end], value_set=image_ids) for end in _ENDS)
    return pairs.filter(pc.and_(a, b))


def _search(catalog: Catalog, new: pa.Array, distance: int, progress: Progress) -> pa.Array:
    """Bring the pairs up to date with some images; gives all images that were compared."""
    image_ids = _signed(catalog)
    features = catalog.table("image_features").read(columns=["image_id", "phash", "phash_mirrored"])
    features = features.take(pc.index_in(image_ids, value_set=features["image_id"]))
    table = catalog.table("near_duplicates")
    stored = pairs_among(table.read(), image_ids)
    pairs = near_duplicate_pairs(
        hashes=features["phash"].to_numpy(),
        mirrored=features["phash_mirrored"].to_numpy(),
        thumbnails=_thumbnails(catalog, image_ids),
        max_distance=distance,
        new=pc.is_in(image_ids, value_set=new).to_numpy(zero_copy_only=False),
        known=_numbered(stored, image_ids),
        progress=progress,
    )
    found = name_pairs(pairs, image_ids)
    table.merge(_not_in(found, stored, NEAR_DUPLICATES.names), on=table.key)
    _delete(table, _not_in(stored, found, list(table.key)))
    table.optimize()
    return image_ids


def _delete(table: CatalogTable, pairs: pa.Table) -> None:
    """Delete pairs, each by one text: of conditions on either image Lance makes all products."""
    names = pc.binary_join_element_wise(pairs["image_a"], pairs["image_b"], " ").to_pylist()
    quoted = ["'" + name.replace("'", "''") + "'" for name in names]
    for start in range(0, len(quoted), _DELETED_AT_ONCE):
        some = ", ".join(quoted[start : start + _DELETED_AT_ONCE])
        table.delete(f"image_a || ' ' || image_b IN ({some})")


def _signed(catalog: Catalog) -> pa.Array:
    """Images that have features and a signature, sorted."""
    signed = catalog.table("signatures").read(columns=["image_id"])
    features = catalog.table("image_features").read(columns=["image_id"])["image_id"]
    both = signed.filter(pc.is_in(signed["image_id"], value_set=features))
    return both.sort_by("image_id")["image_id"].combine_chunks()


def _unsearched(catalog: Catalog) -> pa.Array:
    """Images that have a signature and were not searched, sorted."""
    searched = catalog.table("duplicate_searches").read(columns=["image_id"])["image_id"]
    return _minus(_signed(catalog), searched)


def _mark(catalog: Catalog, image_ids: pa.Array, distance: int) -> None:
    table = catalog.table("duplicate_searches")
    distances = pa.repeat(pa.scalar(distance, pa.int32()), len(image_ids))
    table.merge(pa.table([image_ids, distances], schema=DUPLICATE_SEARCHES), on=table.key)
    table.optimize()


def _forget_other_distances(catalog: Catalog, distance: int) -> None:
    """Before a search to another distance changes a pair, no image counts as searched."""
    catalog.table("duplicate_searches").delete(pc.field("distance") != distance)


def _thumbnails(catalog: Catalog, image_ids: pa.Array) -> NDArray[np.uint8]:
    """(N, 32, 32) thumbnails in the order of the ids, never twice in memory."""
    thumbnails = np.zeros((len(image_ids), SIDE, SIDE), np.uint8)
    batches = catalog.table("signatures").batches(["image_id", "thumbnail"], rows=_READ_ROWS)
    for batch in batches:
        at = pc.index_in(batch["image_id"], value_set=image_ids)
        octets = batch["thumbnail"].filter(at.is_valid())
        buffer = octets.buffers()[1]
        size = octets.type.byte_width
        rows = np.frombuffer(buffer, np.uint8, len(octets) * size, octets.offset * size)
        thumbnails[at.drop_null().to_numpy()] = rows.reshape(-1, SIDE, SIDE)
    return thumbnails


def _numbered(pairs: pa.Table, image_ids: pa.Array) -> pa.Table:
    """``NEAR_DUPLICATES`` by the rows of their images: ``NEAR_DUPLICATE_PAIRS``."""
    ends = [pc.index_in(pairs[end], value_set=image_ids).cast(pa.int64()) for end in _ENDS]
    rest = [pairs[name] for name in NEAR_DUPLICATE_PAIRS.names[2:]]
    return pa.Table.from_arrays([*ends, *rest], schema=NEAR_DUPLICATE_PAIRS)


def _minus(image_ids: pa.Array, others: pa.Array) -> pa.Array:
    return image_ids.filter(pc.invert(pc.is_in(image_ids, value_set=others)))


def _not_in(rows: pa.Table, others: pa.Table, columns: list[str]) -> pa.Table:
    """The rows that others lack, by some columns."""
    return rows.join(others.select(columns), columns, join_type="left anti").select(
        rows.column_names
    )
