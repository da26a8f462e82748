"""The class that the nearest labelled images agree on, with how much they agree.

For whole images only. It needs no model, so that pre-labels can begin with the first few hundred
labels; how good it is depends on the embeddings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.label.interface import Found, Need, Suggested, Unlabelled

NEIGHBOURS = 10
_CELLS = 32_000_000


class Neighbours:
    """A vote of the ten nearest labelled images, each weighing its likeness.

    The confidence is the share of the votes, with one vote more that all classes share: ten of ten
    are not certainty.
    """

    needs: tuple[Need, ...] = ("embeddings", "labelled")

    def __call__(self, images: Unlabelled, *, seed: int) -> Suggested:  # noqa: ARG002
        """See :class:`~cv_pipeline.plugins.label.interface.Labeller`."""
        if images.boxes:
            raise PluginError(
                "The label algorithm 'neighbours' gives classes of whole images, and this project"
                " has boxes.",
                do="Set labeling.prelabels.algorithm to model.",
            )
        known = images.classes >= 0
        references, classes = images.labelled[known], images.classes[known]
        if not len(references):
            raise PluginError(
                "No image has a label yet, so no neighbour can say anything.",
                do="Have some images labelled first: cvp select PROJECT --algorithm diversity",
            )
        share = _shares(images.embeddings, references, classes, len(images.labels))
        best = share.argmax(axis=1)
        ordered = np.sort(share, axis=1)
        score = ordered[:, -1]
        second = ordered[:, -2] if share.shape[1] > 1 else np.zeros(len(score))
        rows = np.flatnonzero(score >= images.least_score)
        shown = Found(rows, best[rows], score[rows], np.full((len(rows), 4), np.nan))
        return Suggested(shown, 1 - (score - second))


def _shares(
    rows: NDArray[np.float32],
    references: NDArray[np.float32],
    classes: NDArray[np.int64],
    labels: int,
) -> NDArray[np.float64]:
    """(n, labels) share of each class among the nearest references of each row."""
    k = min(NEIGHBOURS, len(references))
    share = np.empty((len(rows), labels))
    step = max(1, _CELLS // len(references))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        likeness = rows[part] @ references.T
        nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        weight = np.clip(np.take_along_axis(likeness, nearest, axis=1), 1e-6, None)
        weight = weight.astype(np.float64) * k / weight.sum(axis=1, keepdims=True)
        votes = np.zeros((len(likeness), labels))
        np.add.at(votes, (np.arange(len(votes))[:, None], classes[nearest]), weight)
        share[part] = (votes + 1 / labels) / (k + 1)
    return share
