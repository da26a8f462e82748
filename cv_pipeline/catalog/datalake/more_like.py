"""Images that are most like some others, without fifty copies of one among them.

Likeness is the cosine of the angle between descriptors (``imaging.descriptor``), as in the query
language; that of an image to several is that to the nearest of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas import SIGNATURES
from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import QueryError

COPY = 0.98
"""Likeness from which on an image shows what one that was found already shows."""
MOST_EXAMPLES = 512
"""Images that others are compared with at most: of more, those furthest from each other."""
_POOL = 8
_ROWS_AT_ONCE = 65_536

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MoreLike:
    """Images that are like some others, the most alike first.

    Attributes:
        image_ids: (n,) their ids.
        similarity: (n,) likeness to the nearest example, -1 to 1.
        nearest: (n,) id of that example.
        examples: images that they were compared with.
    """

    image_ids: pa.Array
    similarity: NDArray[np.float64]
    nearest: pa.Array
    examples: int


def more_like(
    catalog: Catalog,
    snapshot: Snapshot,
    *,
    examples: NDArray[np.int32],
    among: NDArray[np.int32],
    n: int,
) -> MoreLike:
    """The images that are most like some examples.

    Args:
        catalog: the project's tables; the latest signatures are read.
        snapshot: whose numbers the images have.
        examples: (k,) numbers of the examples.
        among: numbers of the images to choose from; examples are left out.
        n: at most this many.

    Raises:
        QueryError: there are no examples, or none of them has a descriptor.
    """
    size = len(snapshot.images)
    chosen, open_to = np.zeros(size, bool), np.zeros(size, bool)
    chosen[examples], open_to[among] = True, True
    open_to &= ~chosen
    numbers, descriptors = descriptors_of(catalog, snapshot, chosen | open_to)
    of_example = chosen[numbers]
    if not of_example.any():
        raise QueryError(
            "None of the examples has a descriptor, so nothing can be compared with them."
            if len(examples)
            else "The query selects no image, so there is nothing to compare others with.",
            do=f"Run: cvp run {catalog.project} --select image_features"
            if len(examples)
            else "Change the query.",
        )
    example_numbers, references = numbers[of_example], descriptors[of_example]
    kept = _spread(references, MOST_EXAMPLES)
    example_numbers, references = example_numbers[kept], references[kept]
    others, candidates = numbers[~of_example], descriptors[~of_example]
    likeness, nearest = _nearest(candidates, references)
    order = np.lexsort((others, -likeness))
    found = order[_without_copies(candidates, order, n)]
    return MoreLike(
        image_ids=snapshot.image_ids(others[found].astype(np.int32)),
        similarity=likeness[found].astype(np.float64).round(6),
        nearest=snapshot.image_ids(example_numbers[nearest[found]].astype(np.int32)),
        examples=len(kept),
    )


def descriptors_of(
    catalog: Catalog, snapshot: Snapshot, wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Matrix]:
    """Numbers, ascending, and (m, 64) descriptors of length 1 of the wanted images."""
    width = SIGNATURES.field("descriptor").type.list_size
    numbers: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    rows: list[Matrix] = [np.empty((0, width), np.float32)]
    table = catalog.table("signatures")
    for batch in table.batches(["image_id", "descriptor"], rows=_ROWS_AT_ONCE):
        n = snapshot.numbering.find(batch["image_id"]).astype(np.int64)
        keep = (n >= 0) & wanted[np.maximum(n, 0)]
        values: Matrix = batch["descriptor"].flatten().to_numpy().reshape(-1, width)
        numbers.append(n[keep])
        rows.append(values[keep])
    found, matrix = np.concatenate(numbers), np.concatenate(rows)
    order = np.argsort(found, kind="stable")
    matrix = matrix[order]
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    lengths[lengths == 0] = 1
    return found[order], matrix / lengths[:, None]


def _spread(rows: Matrix, most: int) -> NDArray[np.int64]:
    """Rows that lie far from each other: the first, then always the furthest from those chosen.

    Gonzalez (1985): their largest distance to any row is at most twice the least possible.
    """
    if len(rows) <= most:
        return np.arange(len(rows))
    chosen = [0]
    likeness = rows @ rows[0]
    for _ in range(most - 1):
        chosen.append(int(likeness.argmin()))
        likeness = np.maximum(likeness, rows @ rows[chosen[-1]])
    return np.sort(np.array(chosen))


def _nearest(rows: Matrix, references: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
    """(m,) likeness of each row to the nearest reference, and which that is."""
    likeness = np.empty(len(rows), np.float32)
    nearest = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        cosines = rows[part] @ references.T
        nearest[part] = cosines.argmax(axis=1)
        likeness[part] = np.take_along_axis(cosines, nearest[part, None], axis=1)[:, 0]
    return likeness, nearest


def _without_copies(rows: Matrix, order: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Places in the order of the first ``n`` rows that are not much like an earlier one of them."""
    size = n * _POOL
    while True:  # most often the first rows have enough that differ
        pool = rows[order[:size]]
        kept: list[int] = []
        copied = np.zeros(len(pool), bool)
        for place in range(len(pool)):
            if not copied[place]:
                kept.append(place)
                copied |= pool @ pool[place] >= COPY
            if len(kept) == n:
                break
        if len(kept) == n or len(pool) == len(order):
            return np.array(kept, dtype=np.int64)
        size *= _POOL
