"""What an evaluation measures, whatever the task: numbers over any subset of the images.

Matching or comparing is done once, when the scorer is made; slices only count again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.distinct import distinct

LEVEL = 0.05
"""Probability of chance up to which a difference is called significant."""


@dataclass(frozen=True)
class Measure:
    """One number.

    Attributes:
        label: class, or None for all classes.
        metric: such as AP50 or recall.
        value: 0 to 1; None where it is not defined.
        images: images behind it; of a class, those that hold it.
        objects: ground-truth objects (labels, for classification) behind it.
    """

    label: str | None
    metric: str
    value: float | None
    images: int
    objects: int


@dataclass(frozen=True)
class Interval:
    """A number and how sure it is.

    Attributes:
        value: the estimate.
        low: lower end of its 95 % confidence interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Counts:
    """What adds up over images: a row for each image and class that has objects or predictions.

    Recall is Σ found / Σ objects, precision Σ found / Σ predicted and F1 2 Σ found / (Σ objects +
    Σ predicted), for any images and classes.

    Attributes:
        image: (rows,) index of the image; sorted, and by class within an image.
        label: (rows,) index of the class.
        objects: (rows,) ground-truth objects; labels, for classification.
        found: (rows,) those of them that a prediction matches.
        predicted: (rows,) predictions at the operating point.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    objects: NDArray[np.int64]
    found: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        *,
        objects: tuple[NDArray[np.int64], NDArray[np.int64]],
        predicted: tuple[NDArray[np.int64], NDArray[np.int64]],
        right: NDArray[np.bool_],
        labels: int,
    ) -> Self:
        """Count objects and predictions.

        Args:
            objects: image and class of each object.
            predicted: image and class of each prediction.
            right: whether each prediction matches an object, which is then of its class.
            labels: number of classes.
        """
        cells = [image * labels + label for image, label in (objects, predicted)]
        known = distinct(np.concatenate(cells))
        there, said = (np.searchsorted(known, cell) for cell in cells)
        size = len(known)
        return cls(
            image=known // labels,
            label=known % labels,
            objects=np.bincount(there, minlength=size),
            found=np.bincount(said[right], minlength=size),
            predicted=np.bincount(said, minlength=size),
        )


@dataclass(frozen=True)
class WholeMetrics:
    """Metrics that all images have and slices do not; one that is not defined is absent.

    Attributes:
        overall: metric to value, over all classes.
        classes: class to its metrics.
    """

    overall: dict[str, float]
    classes: dict[str, dict[str, float]]


class Scorer(Protocol):
    """The results of one split, image by image."""

    def measure(self, images: NDArray[np.int64]) -> list[Measure]:
        """Every metric over these images (sorted indices), for all classes and for each.

        Classes without ground truth in these images are left out.
        """
        ...

    def per_image(self) -> pa.Table:
        """The columns of schema PER_IMAGE but for image_id and split, in the images' order."""
        ...

    def counts(self) -> Counts:
        """Objects, found and predicted, by image and class."""
        ...

    def confusion(self) -> pa.Table:
        """The columns of schema CONFUSION but for split."""
        ...

    def matches(self) -> pa.Table:
        """The columns of schema MATCHES with the image's index, ``image``, for id and split."""
        ...

    def whole(self) -> WholeMetrics:
        """What is measured over all images beside the metrics of :meth:`measure`."""
        ...

    def intervals(self) -> dict[str, Interval]:
        """Metric to its 95 % interval, over all images and classes; those that are defined."""
        ...

    def class_intervals(self) -> dict[str, dict[str, Interval]]:
        """Class to those of its metrics that are resampled."""
        ...

    def curves(self) -> pa.Table:
        """The columns of schema CURVES but for split."""
        ...

    def error_costs(self) -> dict[str, float]:
        """Kind of error to what it costs, 0 to 1; empty where that is not known."""
        ...


def defined(value: float) -> float | None:
    """The number, or None for NaN."""
    return None if np.isnan(value) else float(value)


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``; None when ``whole`` is 0."""
    return float(part / whole) if whole else None


def confusion_columns(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], *, labels: tuple[str, ...]
) -> pa.Table:
    """Count pairs of class indices, where ``len(labels)`` stands for none.

    Returns:
        Columns truth, predicted (null for none) and count, in the order of the classes.
    """
    side = len(labels) + 1
    counts = np.bincount(truth * side + predicted, minlength=side * side)
    cells = np.flatnonzero(counts)
    names = pa.array([*labels, None], pa.string())
    return pa.table(
        {
            "truth": names.take(pa.array(cells // side)),
            "predicted": names.take(pa.array(cells % side)),
            "count": pa.array(counts[cells], pa.int64()),
        }
    )
