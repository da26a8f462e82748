"""Average precision as Pascal VOC defines it, both ways.

Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge" (IJCV 2010). A detection is
compared with the object of its class that it overlaps most, and with no other: when that one is
taken, it is wrong. Boxes are in continuous coordinates, without the pixel that VOC's integer boxes
add to each side; a crowd is treated as VOC's difficult objects are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.overlap import Pairs
from cv_pipeline.evaluation.detection.ranking import Ranking
from cv_pipeline.evaluation.detection.summary import Summary

ELEVEN_POINTS: NDArray[np.float64] = np.linspace(0, 1, 11)
"""Of recall, at which VOC 2007 averages the interpolated precision."""


METRICS = ("VOC07_AP50", "VOC10_AP50")
CONVENTIONS = {
    "VOC": "at IoU 0.5, a detection compared with the object it overlaps most alone: VOC07 at 11"
    " recall points, VOC10 the area under the interpolated precision; boxes are continuous",
}


def voc_summary(truth: Boxes, detections: Detections, *, pairs: Pairs, labels: int) -> Summary:
    """Average precision at IoU 0.5 as in VOC 2007 and as in VOC 2010.

    Args:
        truth: objects.
        detections: of the same images.
        pairs: from an IoU of 0.1.
        labels: number of classes.
    """
    ranking = voc_ranking(truth, detections, pairs=pairs, labels=labels)
    values = ranking.average_precision(points=ELEVEN_POINTS), ranking.area()
    return Summary.of({metric: v[:, 0] for metric, v in zip(METRICS, values, strict=True)})


def voc_ranking(
    truth: Boxes, detections: Detections, *, pairs: Pairs, labels: int, iou: float = 0.5
) -> Ranking:
    """Detections by score, with which of them VOC counts as right.

    Of the ranking, ``average_precision(points=ELEVEN_POINTS)`` is the AP of VOC 2007 and ``area()``
    that of VOC 2010 and later.

    Args:
        truth: objects.
        detections: of the same images.
        pairs: from an IoU of 0.1.
        labels: number of classes.
        iou: least overlap with an object, at least 0.1.
    """
    near = pairs.take(detections.label[pairs.detection] == truth.label[pairs.truth])
    near = near.take(near.iou >= iou)
    best = np.full(len(detections), -1)
    # The last to be written stays: the object overlapped most, the first of equals.
    order = np.lexsort((-near.truth, near.iou, near.detection))
    best[near.detection[order]] = near.truth[order]
    found = np.zeros(len(detections), dtype=bool)
    ignored = best >= 0
    ignored[ignored] = truth.crowd[best[ignored]]
    claims = np.flatnonzero((best >= 0) & ~ignored)
    claims = claims[np.argsort(-detections.score[claims], kind="stable")]
    first = np.unique(best[claims], return_index=True)[1]
    found[claims[first]] = True
    return Ranking(
        truth.take(~truth.crowd),
        detections,
        found=found[:, None],
        ignored=ignored[:, None],
        labels=labels,
    )
