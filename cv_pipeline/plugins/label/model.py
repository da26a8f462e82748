"""What a trained model sees, down to a confidence: one object at a place, whatever its class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.label.interface import Found, Need, Suggested, Unlabelled

FAINT = 0.2
"""Confidence below which nothing counts as an object that might be there: detectors that learn by
focal loss give every piece of background some."""
SAME_PLACE = 0.5
"""Overlap (IoU) from which on two boxes are at one place, and only the surer is an object."""


class Model:
    """The model's objects, or its best class."""

    needs: tuple[Need, ...] = ("found",)

    def __call__(self, images: Unlabelled, *, seed: int) -> Suggested:  # noqa: ARG002
        """See :class:`~cv_pipeline.plugins.label.interface.Labeller`."""
        found, n = images.found, len(images)
        if images.boxes:
            might = found.take(found.score >= min(FAINT, images.least_score))
            objects = might.take(one_at_a_place(might))
            shown = objects.take(objects.score >= images.least_score)
            return Suggested(shown, expected_corrections(objects, images=n))
        best, second = _two_best(found, images=n)
        scores = np.concatenate([found.score, [0.0]])
        rows = best[(best >= 0) & (scores[best] >= images.least_score)]
        margin = np.where(best >= 0, scores[best] - scores[second], 0)
        return Suggested(found.take(rows), np.clip(1 - margin, 0, 1))


def expected_corrections(found: Found, *, images: int) -> NDArray[np.float64]:
    """(images,) wrong suggestions and missed objects to be expected, as far as scores are right.

    An object of score s that is suggested is wrong with probability 1 - s, and one that is not is
    missed with probability s; the lesser of the two is counted, of those above :data:`FAINT`.
    """
    might = found.score >= FAINT
    doubt = np.minimum(found.score, 1 - found.score)[might]
    summed: NDArray[np.float64] = np.bincount(
        found.image[might], weights=doubt, minlength=images
    ).astype(np.float64)
    return summed


def one_at_a_place(found: Found) -> NDArray[np.int64]:
    """Rows that are the surest at their place, ascending (non-maximum suppression, all classes).

    All images at once: each round keeps the surest box that is left of every image.
    """
    order = np.lexsort((found.label, -found.score, found.image))
    kept = []
    while len(order):
        image = found.image[order]
        first = np.flatnonzero(np.diff(image, prepend=-1))
        kept.append(order[first])
        # each row beside the surest of its image
        surest = order[first][np.cumsum(np.isin(np.arange(len(order)), first)) - 1]
        overlap = _iou(found.boxes[order], found.boxes[surest])
        order = order[(overlap <= SAME_PLACE) & (order != surest)]
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.int64)


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) overlap of pairs of (n, 4) boxes."""
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    shared = sides.prod(axis=1)
    both = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    iou: NDArray[np.float64] = shared / np.maximum(both - shared, 1e-12)
    return iou


def _two_best(found: Found, *, images: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(images,) rows of the best and the second class of each image; -1 where there is none."""
    order = np.lexsort((found.label, -found.score, found.image))
    image = found.image[order]
    rank = np.arange(len(order)) - np.searchsorted(image, image)
    out = np.full((2, images), -1, np.int64)
    for place in (0, 1):
        out[place, image[rank == place]] = order[rank == place]
    return out[0], out[1]
