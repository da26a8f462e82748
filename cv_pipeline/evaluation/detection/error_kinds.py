"""What is wrong with each detection, and which objects were missed, by TIDE's definitions.

Bolya, Foley, Hays and Hoffman, "TIDE: A General Toolbox for Identifying Object Detection Errors"
(ECCV 2020): a detection that matches no object at IoU 0.5 is of the first kind that fits of

- localisation: it overlaps an object of its class by 0.1 to 0.5;
- classification: it overlaps an object of another class by 0.5 or more;
- duplicate: it overlaps an object of its class by 0.5 or more that another detection matches;
- background: it overlaps no object by more than 0.1;
- both: what is left: an object of another class, overlapped by 0.1 to 0.5.

An object is missed when no detection matches it and none of the first two kinds means it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.overlap import BACKGROUND_IOU, Pairs

MATCH_IOU = 0.5

CORRECT, CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, MISSED = KINDS = (
    "correct",
    "classification",
    "localisation",
    "both",
    "duplicate",
    "background",
    "missed",
)


@dataclass(frozen=True)
class ErrorKinds:
    """The kind of each detection that counts.

    Attributes:
        counted: (n,) indices of the detections that count, ascending.
        kind: (n,) index into KINDS.
        truth: (n,) index of the object that is meant; -1 for none.
        iou: (n,) overlap with it; for kind both, with the nearest object; NaN below 0.1.
        missed: (m,) indices of the missed objects, ascending.
        mender: (objects,) the strongest detection that would match the object if its class or its
            place were right; -1 where an object is matched or there is none.
    """

    counted: NDArray[np.int64]
    kind: NDArray[np.int64]
    truth: NDArray[np.int64]
    iou: NDArray[np.float64]
    missed: NDArray[np.int64]
    mender: NDArray[np.int64]

    def counts(self) -> dict[str, int]:
        """How many of each kind, correct ones too."""
        out = np.bincount(self.kind, minlength=len(KINDS))
        out[KINDS.index(MISSED)] = len(self.missed)
        return dict(zip(KINDS, out.tolist(), strict=True))


def error_kinds(
    truth: Boxes,
    detections: Detections,
    *,
    pairs: Pairs,
    match: NDArray[np.int32],
    counts: NDArray[np.bool_],
) -> ErrorKinds:
    """Tell the kinds of error apart.

    Args:
        truth: objects.
        detections: of the same images.
        pairs: of all classes, from an IoU of 0.1.
        match: (detections,) object that each is matched with at IoU 0.5, -1 for none. Greedy by
            score, so that it holds for the detections that count without the others.
        counts: (detections,) whether a detection counts; with one, all stronger ones of its image
            and class.
    """
    regular = match >= 0
    regular[regular] = ~truth.crowd[match[regular]]
    correct = regular & counts
    used = np.zeros(len(truth), dtype=bool)
    used[match[correct]] = True

    wrong = counts & ~correct
    near = pairs.take(wrong[pairs.detection] & ~truth.crowd[pairs.truth])
    same = detections.label[near.detection] == truth.label[near.truth]
    size = len(detections)
    own, own_iou = _nearest(near.take(same), size)
    other, other_iou = _nearest(near.take(~same), size)
    taken, taken_iou = _nearest(near.take(same & used[near.truth]), size)
    nearest_iou = np.maximum(own_iou, other_iou)
    tests = (
        (CORRECT, correct),
        (LOCALISATION, (own_iou >= BACKGROUND_IOU) & (own_iou <= MATCH_IOU)),
        (CLASSIFICATION, other_iou >= MATCH_IOU),
        (DUPLICATE, taken_iou >= MATCH_IOU),
        (BACKGROUND, nearest_iou <= BACKGROUND_IOU),
    )
    kind = np.select(
        [test for _, test in tests],
        [KINDS.index(name) for name, _ in tests],
        default=KINDS.index(BOTH),
    )
    matched_iou = np.zeros(size)
    hit = pairs.take(correct[pairs.detection] & (match[pairs.detection] == pairs.truth))
    matched_iou[hit.detection] = hit.iou

    # By index into KINDS: the object that is meant, and the overlap.
    none = np.full(size, -1)
    meant = np.choose(kind, [match, other, own, none, taken, none])
    iou = np.choose(kind, [matched_iou, other_iou, own_iou, nearest_iou, taken_iou, none])

    mendable = wrong & np.isin(kind, [KINDS.index(CLASSIFICATION), KINDS.index(LOCALISATION)])
    mendable[mendable] = ~used[meant[mendable]]
    menders = np.flatnonzero(mendable)
    # The last to be written stays: the strongest, the first among equals.
    menders = menders[np.lexsort((-menders, detections.score[menders]))]
    mender = np.full(len(truth), -1)
    mender[meant[menders]] = menders
    counted = np.flatnonzero(counts)
    return ErrorKinds(
        counted=counted,
        kind=kind[counted],
        truth=meant[counted],
        iou=np.where(iou[counted] < BACKGROUND_IOU, np.nan, iou[counted]),
        missed=np.flatnonzero(~used & (mender < 0) & ~truth.crowd),
        mender=mender,
    )


def _nearest(pairs: Pairs, detections: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(detections,) the object overlapped most, the first of equals, and by how much; -1 and 0."""
    where = np.full(detections, -1)
    iou = np.zeros(detections)
    order = np.lexsort((-pairs.truth, pairs.iou, pairs.detection))
    where[pairs.detection[order]] = pairs.truth[order]
    iou[pairs.detection[order]] = pairs.iou[order]
    return where, iou
