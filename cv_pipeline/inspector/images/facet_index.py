"""The values that images have, laid out to be counted: made once for a state of the lake.

For each field, pairs of image and value, each once; the counts of any selection are then one pass
over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.snapshot import Snapshot

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
    key = np.unique(n.to_numpy().astype(np.int64) * len(order) + code)
    names = tuple(names.take(pa.array(order)).to_pylist())
    used = np.unique(key % len(names))
    at = np.zeros(len(names), np.int32)
    at[used] = np.arange(len(used))
    return Pairs(
        (key // len(names)).astype(np.int32),
        at[key % len(names)],
        tuple(names[i] for i in used),
    )


class FacetIndex:
    """What the images of a snapshot can be filtered by.

    Args:
        snapshot: the snapshot.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @cached_property
    def labels(self) -> Pairs:
        """Class labels of the annotations."""
        return self._of(self._snapshot.annotations, "label")

    @cached_property
    def annotators(self) -> Pairs:
        """Who annotated."""
        return self._of(self._snapshot.annotations, "annotator")

    @cached_property
    def tags(self) -> Pairs:
        """Tags."""
        return self._of(self._snapshot.tags, "tag")

    @cached_property
    def set_aside(self) -> Pairs:
        """Batches that images were set aside in."""
        return self._of(self._snapshot.set_aside, "name")

    @cached_property
    def metadata(self) -> dict[str, Pairs]:
        """Metadata keys with few enough values."""
        table = self._snapshot.metadata
        found = {}
        for key in sorted(pc.unique(table["key"]).cast(pa.string()).to_pylist()):
            rows = table.filter(pc.equal(table["key"], key))
            pairs = pairs_of(rows["n"], rows["value"])
            if len(pairs.values) <= MOST_DISTINCT:
                found[key] = pairs
        return found

    def column(self, name: str) -> NDArray[Any]:
        """(images,) a column of numbers or of true and false; unknown numbers are NaN."""
        kept: dict[str, NDArray[Any]] = self.__dict__.setdefault("_columns", {})
        if name not in kept:
            kept[name] = self._snapshot.images[name].to_numpy()
        return kept[name]

    def text(self, name: str) -> Pairs:
        """A column of text as pairs."""
        kept: dict[str, Pairs] = self.__dict__.setdefault("_texts", {})
        if name not in kept:
            kept[name] = self._of(self._snapshot.images, name)
        return kept[name]

    def _of(self, table: pa.Table, name: str) -> Pairs:
        return pairs_of(table["n"], table[name])
