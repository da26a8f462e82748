"""Which image a person means by what they type: its SHA-256, a prefix, a file, or a path.

A path stands for the image that the file of that name held when it was last ingested; where no
catalogue knows it, for the images that a dataset version has under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.membership import Membership
from cv_pipeline.datasets.record import MANIFEST_FILE
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.storage import ArrowLocation, ObjectStore, image_id_of

LEAST_PREFIX = 8
"""Hex digits of an image id that a reference needs at least."""

_DIGITS = 64
_PAST_DIGITS = "g"  # greater than every hex digit


@dataclass(frozen=True)
class VersionIndex:
    """The images of a published dataset version, and where its tables are.

    Attributes:
        key: key of its folder in the store.
        images: the images that it holds.
    """

    key: str
    images: Membership

    def table(self, store: ObjectStore, name: str) -> ArrowLocation:
        """One of its files, to be read in place."""
        return store.arrow(f"{self.key}/{name}")


def find_image(
    ref: str, *, store: ObjectStore, catalogs: Iterable[Catalog], versions: Sequence[VersionIndex]
) -> str | None:
    """The id of the image that a reference means; None when nobody knows such an image.

    Args:
        ref: SHA-256 of the image, at least eight hex digits that it begins with, a local file, or
            the path that it has in its source.
        store: the object store.
        catalogs: catalogues to look in.
        versions: dataset versions to look in.

    Raises:
        ProvenanceError: it fits several images.
    """
    found = sorted(_candidates(ref, store=store, catalogs=catalogs, versions=versions))
    if len(found) > 1:
        raise ProvenanceError(
            f"{ref!r} fits several images: {found[0][:16]}… and {found[1][:16]}….",
            do="Give more of its SHA-256.",
        )
    return found[0] if found else None


def _candidates(
    ref: str, *, store: ObjectStore, catalogs: Iterable[Catalog], versions: Sequence[VersionIndex]
) -> set[str]:
    local = Path(ref)
    if local.is_file():
        return {image_id_of(local.read_bytes())}
    prefix = ref.lower()
    is_hex = all(c in "0123456789abcdef" for c in prefix)
    if is_hex and len(prefix) == _DIGITS:
        return {prefix}
    found: set[str] = set()
    catalogs = list(catalogs)
    if is_hex and LEAST_PREFIX <= len(prefix) < _DIGITS:
        for version in versions:
            images = version.images
            found.update(images.image_id(row) for row in images.starting_with(prefix)[:2])
        begins = (pc.field("image_id") >= prefix) & (pc.field("image_id") < prefix + _PAST_DIGITS)
        for catalog in catalogs:
            rows = catalog.table("images").read(columns=["image_id"], filter=begins)
            found.update(rows["image_id"].to_pylist())
    if not found:
        found = _by_path(ref, catalogs)
    return found or _by_path_in_versions(ref, store, versions)


def _by_path(path: str, catalogs: Iterable[Catalog]) -> set[str]:
    found: set[str] = set()
    for catalog in catalogs:
        for table in ("files", "images"):  # an image's own row keeps the path of a changed file
            rows = catalog.table(table).read(columns=["image_id"], filter=pc.field("path") == path)
            if rows.num_rows:
                found.update(rows["image_id"].to_pylist())
                break
    return found


def _by_path_in_versions(
    path: str, store: ObjectStore, versions: Sequence[VersionIndex]
) -> set[str]:
    import pyarrow.dataset as pads

    found: set[str] = set()
    for version in versions:
        where = version.table(store, MANIFEST_FILE)
        manifest = pads.dataset(where.path, filesystem=where.filesystem, format="parquet")
        rows = manifest.to_table(columns=["image_id"], filter=pads.field("path") == path)
        found.update(rows["image_id"].to_pylist())
    return found
