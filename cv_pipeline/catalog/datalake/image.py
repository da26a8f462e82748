"""One image of a snapshot: what is known of it, and its bytes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.snapshot.rows import rows_of, take_rows
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ObjectTakenOut
from cv_pipeline.storage import Blobs


class Image:
    """An image, whose facts are read when they are first asked for.

    Args:
        snapshot: the lake as of some table versions.
        catalog: the project's tables.
        number: number of the image in the snapshot.
    """

    def __init__(self, snapshot: Snapshot, catalog: Catalog, number: int) -> None:
        self._snapshot = snapshot
        self._catalog = catalog
        self._number = number

    def __repr__(self) -> str:
        """The image's id and path."""
        return f"Image({self.id[:16]}…, {self.path!r})"

    def __eq__(self, other: object) -> bool:
        """Two images are one when their bytes are."""
        return isinstance(other, Image) and other.id == self.id

    def __hash__(self) -> int:
        """Hash of the id."""
        return hash(self.id)

    @property
    def id(self) -> str:
        """SHA-256 of the image's bytes, lower-case hex."""
        return str(self._snapshot.images["image_id"][self._number].as_py())

    @property
    def path(self) -> str:
        """Path within its source."""
        return str(self._snapshot.images["path"][self._number].as_py())

    @cached_property
    def properties(self) -> dict[str, Any]:
        """Every column of the relation of images but its number: size, features, counts, …"""
        only = np.array([self._number], np.int32)
        return dict(take_rows(self._snapshot.images.drop_columns(["n"]), only).to_pylist()[0])

    @cached_property
    def metadata(self) -> dict[str, str]:
        """Current value of every metadata key that is set."""
        rows = rows_of(self._snapshot.metadata, self._number)
        return dict(zip(rows["key"].to_pylist(), rows["value"].to_pylist(), strict=True))

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """Tags that are on it, sorted."""
        return tuple(rows_of(self._snapshot.tags, self._number)["tag"].to_pylist())

    @cached_property
    def annotations(self) -> pa.Table:
        """Its annotations: schema ``snapshot.relations.ANNOTATIONS`` without the number."""
        return rows_of(self._snapshot.annotations, self._number).drop_columns(["n"])

    def read(self) -> bytes:
        """The image file's bytes, verified.

        Raises:
            ObjectTakenOut: the image was taken out; the message says when, by whom and why.
            ObjectNotFound: the object store has lost it.
            ObjectCorrupt: what the object store has is something else.
        """
        taken_out = self._catalog.table("takeouts").read(filter=pc.field("image_id") == self.id)
        if len(taken_out):
            row = taken_out.to_pylist()[0]
            raise ObjectTakenOut(
                f"Image {self.id} was taken out on {row['at']:%Y-%m-%d} by {row['actor']}:"
                f" {row['reason']}.",
                do="Its pixels are gone; what was known of it stays.",
            )
        return Blobs(self._catalog.store).read(self.id)
