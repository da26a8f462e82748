"""What models said of images that wait for labels, as arrays for the sampling algorithms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import QueryError
from cv_pipeline.labeling.prelabels.prelabelling import models

UNSEEN = -1.0
"""Uncertainty of an image that the model has not looked at: it comes after all others."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one model said of n images.

    Attributes:
        uncertainty: (n,) how unsure it is; :data:`UNSEEN` where it has not looked.
        scores: (n, c) sum of the scores of each class, 0 where it has not looked.
    """

    uncertainty: NDArray[np.float64]
    scores: NDArray[np.float64]


def seen_by(
    catalog: Catalog,
    snapshot: Snapshot,
    numbers: NDArray[np.int32],
    *,
    model: str,
    labels: tuple[str, ...],
) -> Seen:
    """The pre-labels of a model on some images.

    Args:
        catalog: the project's tables.
        snapshot: whose numbers the images have.
        numbers: the images, ascending.
        model: its digest, or the name of an algorithm.
        labels: names of the classes.
    """
    rows = catalog.table("prelabels").read(
        columns=["image_id", "label", "score", "uncertainty"], filter=one_of("model", [model])
    )
    at = np.full(len(snapshot.images) + 1, -1, np.int64)
    at[numbers] = np.arange(len(numbers))
    place = at[snapshot.numbering.find(rows["image_id"])]  # -1, no such image, is the last
    use = place >= 0
    uncertainty = np.full(len(numbers), UNSEEN)
    uncertainty[place[use]] = rows["uncertainty"].to_numpy()[use]
    label = pc.index_in(rows["label"], pa.array(labels, pa.string()))
    named = use & label.is_valid().to_numpy()
    scores = np.zeros((len(numbers), len(labels)))
    of_class = label.fill_null(0).to_numpy().astype(np.int64)
    np.add.at(scores, (place[named], of_class[named]), rows["score"].to_numpy()[named])
    return Seen(uncertainty, scores)


def disagreement_of_models(
    catalog: Catalog,
    snapshot: Snapshot,
    numbers: NDArray[np.int32],
    *,
    labels: tuple[str, ...],
) -> NDArray[np.float64]:
    """(n,) how far apart the two newest models are on each image, 0 to 1.

    1 less the shared part of what they see: the sum over classes of the lesser score by that of the
    greater. Where one of them has not looked it is 0.

    Raises:
        QueryError: there are pre-labels of fewer than two models.
    """
    known = models(catalog)[:2]
    if len(known) < 2:
        raise QueryError(
            f"Pre-labels of {len(known)} model{'s' * (len(known) != 1)} cannot disagree.",
            do=f"Pre-label with a second one: set labeling.prelabels.model and run cvp run"
            f" {catalog.project} --select prelabels; or choose with --purpose relabel, by what"
            " annotators disagree on.",
        )
    a, b = (seen_by(catalog, snapshot, numbers, model=m, labels=labels) for m in known)
    shared = np.minimum(a.scores, b.scores).sum(axis=1)
    every = np.maximum(a.scores, b.scores).sum(axis=1)
    apart = 1 - shared / np.where(every > 0, every, 1)
    both = (a.uncertainty >= 0) & (b.uncertainty >= 0) & (every > 0)
    return np.where(both, apart, 0.0)
