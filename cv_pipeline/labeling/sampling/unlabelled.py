"""Images that wait for labels, and what is known of them as arrays for the data algorithms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.datalake.more_like import descriptors_of
from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog


def unlabelled(snapshot: Snapshot) -> NDArray[np.int32]:
    """Numbers of the images that nobody annotated and that were not taken out, ascending."""
    images = snapshot.images
    open_to = pc.and_(pc.equal(images["annotations_count"], 0), pc.invert(images["taken_out"]))
    return np.flatnonzero(open_to.to_numpy()).astype(np.int32)


def readable(snapshot: Snapshot, *, labelled: bool = False) -> NDArray[np.int32]:
    """Those of :func:`unlabelled` that have features: others could not be decoded, or not yet.

    Args:
        snapshot: of the lake.
        labelled: those that somebody annotated instead.
    """
    numbers = _labelled(snapshot) if labelled else unlabelled(snapshot)
    known = pc.is_valid(snapshot.images["phash"]).to_numpy()
    found: NDArray[np.int32] = numbers[known[numbers]]
    return found


def labelled(snapshot: Snapshot) -> NDArray[np.int32]:
    """Numbers of the images that somebody annotated and that were not taken out, ascending."""
    images = snapshot.images
    done = pc.and_(pc.greater(images["annotations_count"], 0), pc.invert(images["taken_out"]))
    return np.flatnonzero(done.to_numpy()).astype(np.int32)


_labelled = labelled


def embeddings(
    catalog: Catalog, snapshot: Snapshot, numbers: NDArray[np.int32]
) -> NDArray[np.float32]:
    """(n, 64) descriptors of some images, of length 1; zeros where an image has none.

    Args:
        catalog: the project's tables.
        snapshot: whose numbers the images have.
        numbers: the images, ascending.
    """
    wanted = np.zeros(len(snapshot.images), bool)
    wanted[numbers] = True
    found, rows = descriptors_of(catalog, snapshot, wanted)
    if len(found) == len(numbers):
        return rows
    out = np.zeros((len(numbers), rows.shape[1]), np.float32)
    out[np.searchsorted(numbers, found)] = rows
    return out


def classes(
    snapshot: Snapshot, numbers: NDArray[np.int32], *, labels: tuple[str, ...]
) -> NDArray[np.int64]:
    """(n,) the class that most annotators gave each image; -1 where none of them gave one.

    Of classes that equally many gave, the first of the project counts.

    Args:
        snapshot: whose numbers the images have.
        numbers: the images, ascending.
        labels: names of the classes.
    """
    rows = snapshot.annotations
    label = pc.index_in(rows["label"].cast(pa.string()), pa.array(labels, pa.string()))
    use = pc.and_(pc.equal(rows["kind"].cast(pa.string()), "class"), pc.is_valid(label))
    rows, label = rows.filter(use), label.filter(use)
    at = np.full(len(snapshot.images), -1, np.int64)
    at[numbers] = np.arange(len(numbers))
    place = at[rows["n"].to_numpy()]
    votes = np.zeros((len(numbers), len(labels)), np.int32)
    np.add.at(votes, (place[place >= 0], label.to_numpy()[place >= 0]), 1)
    best: NDArray[np.int64] = votes.argmax(axis=1)
    return np.where(votes.any(axis=1), best, -1)


def label_counts(snapshot: Snapshot, *, labels: tuple[str, ...]) -> NDArray[np.float64]:
    """(c,) annotations of each class so far."""
    label = pc.index_in(
        snapshot.annotations["label"].cast(pa.string()), pa.array(labels, pa.string())
    )
    known = pc.drop_null(label).to_numpy()
    return np.bincount(known, minlength=len(labels)).astype(np.float64)
