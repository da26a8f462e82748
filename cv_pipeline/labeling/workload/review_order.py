"""Which labels a second person should look at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.workload.records import records
from cv_pipeline.plugins.review import Work, needs_of, ranked

FindErrors = Callable[[], pa.Table]
"""Labels that are likely to be wrong: at least columns image_id and score of LABEL_ERRORS."""


@dataclass(frozen=True, eq=False)
class ReviewOrder:
    """Pieces of work, the most urgent first.

    Attributes:
        algorithm: review algorithm that put them in order.
        image_ids: (k,) the image of each.
        annotators: (k,) pseudonym of who labelled it.
        urgency: (k,) how urgent it is to look at it.
    """

    algorithm: str
    image_ids: pa.Array
    annotators: pa.Array
    urgency: NDArray[np.float64]

    def images(self, n: int) -> pa.Array:
        """Ids of the first ``n`` distinct images, sorted."""
        found = pc.unique(self.image_ids)[:n]
        return found.take(pc.array_sort_indices(found))


def review_order(
    catalog: Catalog,
    *,
    algorithm: str,
    find_errors: FindErrors,
    gold: str | None = None,
    seed: int = 0,
) -> ReviewOrder:
    """Put all labels in the order in which they should be reviewed.

    Args:
        catalog: the project's tables.
        algorithm: review algorithm.
        find_errors: gives the likely errors, and is asked only if the algorithm wants them.
        gold: query of ``labeling.hand_off.gold``: images whose labels are known truth.
        seed: of what is left to chance.

    Raises:
        PluginError: the algorithm is not there, failed, or returned what it must not.
    """
    needs = needs_of(algorithm)
    found = records(catalog, gold=gold)
    right, judged = found.of_annotators()
    work = Work(
        image_ids=found.image_ids,
        annotator=found.annotator,
        annotators=found.annotators,
        right=right,
        judged=judged,
        errors=_errors(find_errors(), found.image_ids)
        if "errors" in needs
        else np.zeros(len(found.image_ids)),
    )
    order, urgency = ranked(algorithm, work, seed=seed)
    rows = pa.array(order)
    return ReviewOrder(
        algorithm=algorithm,
        image_ids=work.image_ids.take(rows),
        annotators=pa.array(work.annotators, pa.string()).take(pa.array(work.annotator[order])),
        urgency=urgency,
    )


def _errors(rows: pa.Table, image_ids: pa.Array) -> NDArray[np.float64]:
    """(n,) score of the likeliest error on each image."""
    worst = rows.group_by("image_id").aggregate([("score", "max")])
    place = pc.index_in(image_ids, value_set=worst["image_id"].combine_chunks())
    scores = worst["score_max"].combine_chunks().take(place)
    return np.asarray(pc.fill_null(scores, 0.0).to_numpy(zero_copy_only=False), np.float64)
