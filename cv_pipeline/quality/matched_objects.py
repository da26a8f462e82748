"""Which boxes of several annotators are the same object.

Localisation first (Tschirschwitz and Rodehorst 2026, KαLOS): boxes are matched one to one by their
overlap, whatever they are called, so that a wrong name shows as a wrong name. Annotators come in
the order of their names, one after the other: each of their boxes is given to at most one object
found so far, by the assignment with the greatest overlap in all (Hungarian algorithm), and what
fits none is an object of its own. An object lies at the mean of its boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cv_pipeline.evaluation.detection.boxes import Boxes
from cv_pipeline.evaluation.detection.overlap import box_pairs

_SAME_NAME = 1e-6
"""What the same name adds to an overlap: of two equal ones it decides."""


@dataclass(frozen=True)
class MatchedObjects:
    """Objects that annotators drew.

    Attributes:
        object: (boxes,) index of the object of each box.
        image: (objects,) index of its image.
        iou: (boxes,) mean overlap of the box with the other boxes of its object; NaN where there
            is no other.
    """

    object: NDArray[np.int64]
    image: NDArray[np.int64]
    iou: NDArray[np.float64]


def match_objects(
    image: NDArray[np.int64],
    annotator: NDArray[np.int64],
    label: NDArray[np.int64],
    xyxy: NDArray[np.float64],
    *,
    least_iou: float = 0.5,
) -> MatchedObjects:
    """Match the boxes of several annotators.

    Args:
        image: (boxes,) index of the image.
        annotator: (boxes,) index of who drew it.
        label: (boxes,) index of its class.
        xyxy: (boxes, 4) edges in pixels.
        least_iou: overlap from which two boxes may be the same object.
    """
    object_of = np.full(len(image), -1, np.int64)
    place = np.empty((len(image), 4))  # of each object, as many as there are boxes at most
    members = np.zeros(len(image), np.int64)
    image_of, name_of = np.zeros(len(image), np.int64), np.zeros(len(image), np.int64)
    count = 0
    for one in np.unique(annotator):
        mine = np.flatnonzero(annotator == one)
        found = _assigned(
            Boxes(image_of[:count], name_of[:count], place[:count]),
            Boxes(image[mine], label[mine], xyxy[mine]),
            least_iou,
        )
        old, new = mine[found >= 0], mine[found < 0]
        of = found[found >= 0]
        place[of] += (xyxy[old] - place[of]) / (members[of] + 1)[:, None]
        members[of] += 1
        object_of[old] = of
        own = np.arange(count, count + len(new))
        object_of[new], place[own], members[own] = own, xyxy[new], 1
        image_of[own], name_of[own] = image[new], label[new]
        count += len(new)
    return MatchedObjects(object_of, image_of[:count], _mean_overlap(object_of, xyxy))


def _assigned(objects: Boxes, boxes: Boxes, least_iou: float) -> NDArray[np.int64]:
    """(boxes,) index of the object that each box is given to; -1 for none."""
    found = np.full(len(boxes), -1, np.int64)
    if not len(objects) or not len(boxes):
        return found
    pairs = box_pairs(objects, boxes)
    pairs = pairs.take(pairs.iou >= least_iou)
    worth = pairs.iou + _SAME_NAME * (boxes.label[pairs.detection] == objects.label[pairs.truth])
    # most boxes have one candidate that no other box has: nothing to decide there
    rivals = np.bincount(pairs.detection, minlength=len(boxes))[pairs.detection] > 1
    rivals |= np.bincount(pairs.truth, minlength=len(objects))[pairs.truth] > 1
    found[pairs.detection[~rivals]] = pairs.truth[~rivals]
    contested = pairs.take(rivals)
    where = boxes.image[contested.detection]
    order = np.argsort(where, kind="stable")
    bounds = np.flatnonzero(np.diff(where[order], prepend=-1))
    for rows in np.split(order, bounds[1:]) if len(order) else ():
        row, rows_of = np.unique(contested.detection[rows], return_inverse=True)
        column, columns_of = np.unique(contested.truth[rows], return_inverse=True)
        table = np.zeros((len(row), len(column)))
        table[rows_of, columns_of] = worth[rivals][rows]
        for i, j in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            if table[i, j] > 0:
                found[row[i]] = column[j]
    return found


def _mean_overlap(object_of: NDArray[np.int64], xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(boxes,) mean IoU of each box with the other boxes of its object."""
    order = np.argsort(object_of, kind="stable")
    total, others = np.zeros(len(order)), np.zeros(len(order))
    shift = 1
    while shift < len(order):
        a, b = order[:-shift], order[shift:]
        same = object_of[a] == object_of[b]
        if not same.any():
            break
        a, b = a[same], b[same]
        iou = _iou(xyxy[a], xyxy[b])
        for side in (a, b):
            np.add.at(total, side, iou)
            np.add.at(others, side, 1)
        shift += 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(others > 0, total / others, np.nan)


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = sides.clip(min=0).prod(axis=1)
    area = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    return np.asarray(shared / (area - shared), np.float64)
