"""COCO's twelve numbers, for all classes and for each, over any weighting of the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.coco import (
    IOU_50,
    IOU_75,
    MAX_DETECTIONS,
    CocoEvaluation,
)
from cv_pipeline.evaluation.measure import defined

METRICS = (
    "AP",
    "AP50",
    "AP75",
    "APs",
    "APm",
    "APl",
    "AR1",
    "AR10",
    "AR100",
    "ARs",
    "ARm",
    "ARl",
)
CONVENTIONS = {
    "AP": "COCO's, as pycocotools: mean over classes and IoU 0.50 to 0.95 in steps of 0.05 of"
    " precision at 101 recall points; AP50 and AP75 at that one IoU; s, m and l: objects of up to"
    " 32², 32² to 96² and from 96² square pixels, both ends within",
    "AR": "COCO's: recall with at most 1, 10 and 100 detections of an image and class, likewise",
}
_AREAS = {"s": "small", "m": "medium", "l": "large"}


@dataclass(frozen=True)
class Summary:
    """Numbers of all classes together and of each.

    Attributes:
        overall: metric to its mean over the classes that have an object (of the range of
            areas); None without any.
        classes: (labels,) metric to value, likewise.
    """

    overall: dict[str, float | None]
    classes: tuple[dict[str, float | None], ...]

    @classmethod
    def of(cls, by_class: dict[str, NDArray[np.float64]]) -> Self:
        """From metric to (labels,) its value for each class, NaN where it is not defined."""
        size = len(next(iter(by_class.values())))
        return cls(
            {metric: _mean(values) for metric, values in by_class.items()},
            tuple({m: defined(values[k]) for m, values in by_class.items()} for k in range(size)),
        )


def coco_summary(evaluation: CocoEvaluation, weights: NDArray[np.int64] | None = None) -> Summary:
    """COCO's twelve numbers.

    Args:
        evaluation: what was matched.
        weights: (images,) how often an image counts; once each if not given.
    """
    return Summary.of(coco_numbers(evaluation, weights))


def coco_numbers(
    evaluation: CocoEvaluation, weights: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Each of COCO's twelve to (labels,) its value for each class, NaN where it is not defined.

    Arguments as for :func:`coco_summary`.
    """
    whole = evaluation.ranking()
    precision = whole.average_precision(weights)
    by_class = {
        "AP": precision.mean(axis=1),
        "AP50": precision[:, IOU_50],
        "AP75": precision[:, IOU_75],
    }
    for short, area in _AREAS.items():
        by_class[f"AP{short}"] = evaluation.ranking(area).average_precision(weights).mean(axis=1)
    for at_most in (1, 10, MAX_DETECTIONS):
        by_class[f"AR{at_most}"] = whole.recall(weights, at_most=at_most).mean(axis=1)
    for short, area in _AREAS.items():
        by_class[f"AR{short}"] = evaluation.ranking(area).recall(weights).mean(axis=1)
    return {metric: by_class[metric] for metric in METRICS}


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
