"""What an evaluation measures, whatever the task: numbers over any subset of the images.

Matching or comparing is done once, when the scorer is made; slices only count again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


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

    def confusion(self) -> pa.Table:
        """The columns of schema CONFUSION but for split."""
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
