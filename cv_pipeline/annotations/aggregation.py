"""From several annotators on one image to the labels that a dataset uses.

The result is always a subset of the rows that came in, so every label of a dataset leads back to
one annotation of one person. It does not depend on the order of the rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.annotations.ranking import changed_at, least_of_each, place_of_text
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.annotations import KINDS_OF_TASK
from cv_pipeline.distinct import distinct
from cv_pipeline.errors import AnnotationError, nearest
from cv_pipeline.project import Task


def aggregate(
    rows: pa.Table,
    *,
    task: Task,
    how: str,
    image_ids: pa.Array | None = None,
    models: bool = False,
) -> pa.Table:
    """Choose the labels of each image.

    ``latest`` takes everything of the annotator who last changed something on the image; where
    no times are known, or they are equal, of the one whose name sorts first. ``majority``
    (classification) gives each annotator one vote, their latest; the label with the most votes
    wins, a tie goes to the label among whose voters is the annotator whose name sorts first, and
    that annotator's row stands for it. With ``latest``, classification keeps one row an image too.
    Where an image has gold labels, those alone count. What a model drew (role ``model``, as what a
    tool's automation leaves behind) is nobody's vote, whatever it says, unless it is asked for.

    Args:
        rows: ``ANNOTATIONS``; those of no kind of the task are left out.
        task: ``detection`` or ``classification``.
        how: ``latest`` or ``majority``.
        image_ids: sorted images to choose the labels of; by default all that have any.
        models: whether rows of role ``model`` count as those of an annotator.

    Returns:
        ``ANNOTATIONS``, sorted by ``image_id`` and ``annotation_id``.

    Raises:
        AnnotationError: ``how`` is unknown, or a majority of boxes is asked for.
    """
    if how not in ("latest", "majority"):
        raise AnnotationError(
            f"There is no aggregation {how!r}.", do=nearest(how, ("latest", "majority"))
        )
    if how == "majority" and task == "detection":
        raise AnnotationError(
            "A majority vote needs one label an image: boxes cannot be voted on.",
            do="Set annotations.aggregation to latest.",
        )
    if image_ids is None:
        image_ids = pc.unique(rows["image_id"]).sort()
    counted = pc.is_in(rows["kind"], value_set=pa.array(KINDS_OF_TASK[task]))
    if not models:
        counted = pc.and_(counted, pc.not_equal(rows["role"], "model"))
    votes = _Votes(rows, image_ids, among=counted)
    chosen = votes.majority() if how == "majority" else votes.latest(one_each=task != "detection")
    order = pc.sort_indices(
        pa.table(
            {"image": votes.image[chosen], "id": rows["annotation_id"].take(pa.array(chosen))}
        ),
        sort_keys=[("image", "ascending"), ("id", "ascending")],
    )
    return rows.select(ANNOTATIONS.names).take(pa.array(chosen).take(order)).cast(ANNOTATIONS)


class _Votes:
    """Rows as numbers, so that a choice among millions moves no texts.

    Args:
        rows: ``ANNOTATIONS``.
        image_ids: sorted ids of the images that count.
        among: whether a row may count.
    """

    def __init__(self, rows: pa.Table, image_ids: pa.Array, *, among: pa.ChunkedArray) -> None:
        self._ids, self._labels = rows["annotation_id"], rows["label"]
        self.image = pc.index_in(rows["image_id"], image_ids).fill_null(-1).to_numpy()
        self._annotator = place_of_text(rows["annotator"])
        self._earlier = ~changed_at(rows).to_numpy()  # the later, the less; never overflows
        self._images = len(image_ids)
        counts = among.to_numpy() & (self.image >= 0)
        truth = pc.or_(pc.equal(rows["annotator"], GOLD_ANNOTATOR), pc.equal(rows["role"], "gold"))
        gold = counts & truth.to_numpy()
        known = np.zeros(self._images, bool)
        known[self.image[gold]] = True
        # what people said of images whose truth is known does not count
        self._rows = np.flatnonzero(gold | (counts & ~known[self.image]))

    def latest(self, *, one_each: bool) -> NDArray[np.int64]:
        """Rows of the annotator who changed each image last; with ``one_each`` the last of them."""
        rows = self._rows
        image = self.image[rows]
        first = least_of_each(image, self._earlier[rows], self._annotator[rows])
        winner = np.full(self._images, -1)
        winner[image[first]] = self._annotator[rows[first]]
        chosen = rows[self._annotator[rows] == winner[image]]
        return self._last(chosen, self.image[chosen]) if one_each else chosen

    def majority(self) -> NDArray[np.int64]:
        """A row of the label with the most votes of each image."""
        rows = self._rows
        people = int(self._annotator.max(initial=0)) + 1
        votes = self._last(rows, self.image[rows] * people + self._annotator[rows])
        label = place_of_text(self._labels)
        ballot = self.image[votes] * (int(label.max(initial=0)) + 1) + label[votes]
        _, inverse, count = np.unique(ballot, return_inverse=True, return_counts=True)
        first = np.full(len(count), people)
        np.minimum.at(first, inverse, self._annotator[votes])
        return votes[
            least_of_each(
                self.image[votes], -count[inverse], first[inverse], self._annotator[votes]
            )
        ]

    def _last(self, rows: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
        """The latest row of each key; of equally late ones that of the least annotation id."""
        late = least_of_each(key, self._earlier[rows])
        rows, key = rows[late], key[late]
        if len(distinct(key)) == len(key):
            return rows
        return rows[least_of_each(key, place_of_text(self._ids.take(pa.array(rows))))]
