"""The values that images have, laid out to be counted: made once for a state of the lake.

For each field, pairs of image and value, each once; the counts of any selection are then one pass
over them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.inspector.kept import Kept

MOST_DISTINCT = 2_000
"""Values of a field above which it is no filter of values: an id, a name, a measurement."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which images have which values of a field.

    Attributes:
        n: (pairs,) image.
        code: (pairs,) index into ``values``.
        values: the values, sorted.
    """

    n: NDArray[np.int32]
    code: NDArray[np.int32]
    values: tuple[str, ...]

    def count(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(values,) how many of the chosen images have each.

        Args:
            chosen: (images,) whether an image is chosen.
        """
        return np.bincount(self.code[chosen[self.n]], minlength=len(self.values))


def pairs_of(n: pa.ChunkedArray, values: pa.ChunkedArray) -> Pairs:
    """Pairs of image and value, each once; nulls are left out."""
    if values.null_count:
        known = pc.is_valid(values)
        n, values = n.filter(known), values.filter(known)
    if not len(values):
        return Pairs(np.empty(0, np.int32), np.empty(0, np.int32), ())
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    whole = encoded.unify_dictionaries().combine_chunks()
    names = whole.dictionary.cast(pa.string())
    order = pc.array_sort_indices(names).to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    code = place[whole.indices.to_numpy()]
    # sorted rather than np.unique: images come in order, and its hash table is ten times slower
    key = np.sort(n.to_numpy().astype(np.int64) * len(order) + code, kind="stable")
    key = key[np.flatnonzero(np.diff(key, prepend=-1))]
    names = tuple(names.take(pa.array(order)).to_pylist())
    image, code = np.divmod(key, len(names))
    used = np.flatnonzero(np.bincount(code, minlength=len(names)))
    at = np.zeros(len(names), np.int32)
    at[used] = np.arange(len(used))
    return Pairs(image.astype(np.int32), at[code], tuple(names[i] for i in used))


class FacetIndex:
    """What the images of a snapshot can be filtered by; each part is made once for its table.

    Args:
        snapshot: the snapshot.
        kept: where the parts are kept: new tags lead to new pairs of tags and to nothing else.
    """

    PARTS = ("labels", "annotators", "tags", "set_aside", "metadata")
    """What is laid out when it is first counted; getting a part lays it out."""

    def __init__(self, snapshot: Snapshot, kept: Kept[Any]) -> None:
        self._snapshot = snapshot
        self._kept = kept

    @property
    def labels(self) -> Pairs:
        """Class labels of the annotations."""
        return self._of(self._snapshot.annotations, "label", "annotations")

    @property
    def annotators(self) -> Pairs:
        """Who annotated."""
        return self._of(self._snapshot.annotations, "annotator", "annotations")

    @property
    def tags(self) -> Pairs:
        """Tags."""
        return self._of(self._snapshot.tags, "tag", "image_tags")

    @property
    def set_aside(self) -> Pairs:
        """Batches that images were set aside in."""
        return self._of(self._snapshot.set_aside, "name", "image_batches")

    @property
    def metadata(self) -> dict[str, Pairs]:
        """Metadata keys with few enough values."""
        found: dict[str, Pairs] = self._part("metadata", "image_metadata", self._metadata)
        return found

    def column(self, name: str) -> NDArray[Any]:
        """(images,) a column of numbers or of true and false; unknown numbers are NaN."""
        found: NDArray[Any] = self._part(
            name, _TABLE_OF.get(name, "images"), lambda: self._snapshot.images[name].to_numpy()
        )
        return found

    def text(self, name: str) -> Pairs:
        """A column of text as pairs."""
        return self._of(self._snapshot.images, name, "images")

    def _of(self, table: pa.Table, name: str, of: str) -> Pairs:
        found: Pairs = self._part(name, of, lambda: pairs_of(table["n"], table[name]))
        return found

    def _part(self, name: str, table: str, make: Callable[[], Any]) -> Any:
        """A part that depends on the images and one table."""
        identities = self._snapshot.identities
        others = ("image_tags", "annotations") if table == "*" else (table,)
        state = (identities["images"], *(identities[other] for other in others))
        return self._kept.get(("facet", self._snapshot.project, name, *state), make)

    def _metadata(self) -> dict[str, Pairs]:
        table = self._snapshot.metadata
        found = {}
        for key in sorted(pc.unique(table["key"]).cast(pa.string()).to_pylist()):
            rows = table.filter(pc.equal(table["key"], key))
            pairs = pairs_of(rows["n"], rows["value"])
            if len(pairs.values) <= MOST_DISTINCT:
                found[key] = pairs
        return found


_TABLE_OF = {
    **dict.fromkeys(("annotations_count", "disagreement"), "annotations"),
    **dict.fromkeys(("brightness", "contrast", "sharpness"), "image_features"),
    "taken_out": "takeouts",
    "tags_count": "*",
}
"""The table that a column of the relation of images comes from, where it is not their own."""
