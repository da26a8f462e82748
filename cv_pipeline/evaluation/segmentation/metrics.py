"""Intersection over union, Dice and accuracy of pixels, pooled over all images.

Each image is counted once and let go; what is kept of it are three numbers a class, from which its
share in every metric, and so their confidence intervals, follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.resampling import Resampling, percentiles

METRICS = ("mIoU", "Dice", "fwIoU", "pixel_accuracy", "mean_accuracy")
CLASS_METRICS = ("IoU", "Dice", "recall", "precision")
RESAMPLING = Resampling()

CONVENTIONS = {
    "pooling": "pixels of all images are counted together, not averaged image by image",
    "IoU": "of a class, pixels of both / pixels of either (Jaccard); mIoU is the mean over the"
    " classes that are in the ground truth or predicted",
    "Dice": "of a class, 2 × pixels of both / (true + predicted pixels); the mean over the same",
    "fwIoU": "mean IoU weighted by the true pixels of each class (Long et al. 2015)",
    "pixel_accuracy": "share of the pixels whose predicted class is the true one",
    "mean_accuracy": "mean recall over the classes in the ground truth",
    "ignored": "pixels whose true number is the ignored one are left out; predicting it elsewhere"
    " is wrong, and counts for no class",
    "intervals": f"95 %, percentiles of {RESAMPLING.resamples} seeded bootstrap samples of the"
    " images",
}

_SMALL = 256


@dataclass(frozen=True)
class SegmentationMetrics:
    """The numbers of one set of label images; one that is not defined is absent.

    Attributes:
        images: pairs of label images.
        pixels: pixels that count.
        ignored: pixels that are left out.
        metrics: metric to value, over all classes.
        classes: class that is in the ground truth or predicted, to its metrics.
        true_pixels: the same class to its pixels in the ground truth.
        confusion: (true class, predicted class or None) to pixels.
        notes: sentences on what is unusual.
    """

    images: int
    pixels: int
    ignored: int
    metrics: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]
    true_pixels: dict[str, int]
    confusion: dict[tuple[str, str | None], int]
    notes: tuple[str, ...]


def segmentation_metrics(
    pairs: Iterable[tuple[str, NDArray[np.int64], NDArray[np.int64]]],
    *,
    labels: Sequence[str] | None = None,
    ignore: int | None = None,
    resampling: Resampling = RESAMPLING,
) -> SegmentationMetrics:
    """Compare label images, one pair at a time.

    Args:
        pairs: name, (height, width) true and predicted classes, whole numbers from 0.
        labels: classes by number; without them a class is called by its number.
        ignore: number in the ground truth that stands for no class.
        resampling: of the images, for the intervals.

    Raises:
        EvaluationError: a class is named twice, a pixel is of an unknown one, or no pixel counts.
    """
    repeated = [label for label, times in Counter(labels or ()).items() if times > 1]
    if repeated:
        raise EvaluationError(
            f"The class {repeated[0]!r} is named {Counter(labels)[repeated[0]]} times.",
            do="Name each class once, in the order of the numbers.",
        )
    counted = _Counted(names=labels, ignore=ignore)
    for name, truth, predicted in pairs:
        counted.add(name, truth, predicted)
    if counted.pixels == 0:
        raise EvaluationError(
            "No pixel of the ground truth has a class, so there is nothing to compare with.",
            do="Look at the number that is ignored, and at the label images.",
        )
    return counted.metrics(resampling)


@dataclass
class _Counted:
    """What was counted so far."""

    names: Sequence[str] | None
    ignore: int | None
    images: int = 0
    pixels: int = 0
    ignored: int = 0
    confusion: Counter[tuple[int, int]] = field(default_factory=Counter)
    # of each image and class: image, class, pixels of both, true pixels, predicted pixels
    rows: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, name: str, truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> None:
        """Count one pair."""
        true, said, count = _pairs(truth.ravel(), predicted.ravel())
        kept = np.ones(len(true), bool) if self.ignore is None else true != self.ignore
        self.ignored += int(count[~kept].sum())
        true, said, count = true[kept], said[kept], count[kept]
        none = np.zeros(len(said), bool) if self.ignore is None else said == self.ignore
        self._refuse_unknown(name, np.concatenate([true, said[~none]]))
        classes = np.unique(np.concatenate([true, said[~none]]))
        row = np.zeros((len(classes), 5), dtype=np.int64)
        row[:, 0], row[:, 1] = self.images, classes
        hit = true == said
        np.add.at(row[:, 2], np.searchsorted(classes, true[hit]), count[hit])
        np.add.at(row[:, 3], np.searchsorted(classes, true), count)
        np.add.at(row[:, 4], np.searchsorted(classes, said[~none]), count[~none])
        self.rows.append(row)
        said = np.where(none, -1, said)
        pairs = zip(true.tolist(), said.tolist(), strict=True)
        self.confusion.update(dict(zip(pairs, count.tolist(), strict=True)))
        self.images += 1
        self.pixels += int(count.sum())

    def metrics(self, resampling: Resampling) -> SegmentationMetrics:
        """The numbers of what was counted."""
        from scipy.sparse import csr_array

        image, number, *counts = np.concatenate(self.rows).T
        numbers = np.unique(number)
        column = np.searchsorted(numbers, number)
        shape = (self.images, len(numbers))
        tables = [csr_array((c.astype(float), (image, column)), shape=shape) for c in counts]
        whole = _metrics(*(np.asarray(t.sum(axis=0)).reshape(1, -1) for t in tables))
        blocks = [_metrics(*(w @ t for t in tables)) for w in resampling.weights(self.images)]
        drawn = {metric: np.concatenate([b[metric] for b in blocks]) for metric in whole}
        names = [self._name(n) for n in numbers.tolist()]
        metrics = {m: percentiles(float(whole[m][0]), drawn[m]) for m in METRICS}
        classes = {
            name: {
                m: percentiles(float(value), drawn[f"class {m}"][:, k])
                for m in CLASS_METRICS
                if not np.isnan(value := whole[f"class {m}"][0, k])
            }
            for k, name in enumerate(names)
        }
        return SegmentationMetrics(
            images=self.images,
            pixels=self.pixels,
            ignored=self.ignored,
            metrics=metrics,
            classes=classes,
            true_pixels=dict(zip(names, map(int, tables[1].sum(axis=0)), strict=True)),
            confusion={
                (self._name(true), None if said < 0 else self._name(said)): count
                for (true, said), count in sorted(self.confusion.items())
            },
            notes=tuple(self._notes(names)),
        )

    def _name(self, number: int) -> str:
        return str(number) if self.names is None else self.names[number]

    def _notes(self, present: Sequence[str]) -> list[str]:
        notes = []
        if self.images == 1:
            notes.append("There is one image only, so the intervals say nothing.")
        absent = [name for name in self.names or () if name not in present]
        if absent:
            notes.append(
                "Neither in the ground truth nor predicted, and so left out of the means:"
                f" {', '.join(absent)}."
            )
        return notes

    def _refuse_unknown(self, name: str, numbers: NDArray[np.int64]) -> None:
        unknown = numbers[numbers < 0]
        if self.names is not None:
            unknown = numbers[(numbers < 0) | (numbers >= len(self.names))]
        if len(unknown):
            known = "numbers from 0" if self.names is None else f"0 to {len(self.names) - 1}"
            raise EvaluationError(
                f"The label images of {name!r} have pixels of the class {unknown[0]}, where classes"
                f" are {known}.",
                do="Name every class with --labels, and the number of no class with --ignore.",
            )


def _pairs(
    truth: NDArray[np.int64], predicted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """True class, predicted class and count of each pair that occurs in (n,) pixels."""
    if len(truth) == 0:
        return truth, predicted, truth
    low = min(truth.min(), predicted.min())
    side = int(max(truth.max(), predicted.max()) - low) + 1
    codes = (truth - low) * side + (predicted - low)
    if side <= _SMALL:
        counts = np.bincount(codes, minlength=side * side)
        cells = np.flatnonzero(counts)
        count = counts[cells]
    else:
        cells, count = np.unique(codes, return_counts=True)
    return cells // side + low, cells % side + low, count


def _metrics(
    both: NDArray[np.float64], true: NDArray[np.float64], said: NDArray[np.float64]
) -> Mapping[str, NDArray[np.float64]]:
    """Every metric of (samples, classes) pixel counts; NaN where it is not defined."""
    either = true + said - both
    iou, dice = _ratio(both, either), _ratio(2 * both, true + said)
    recall = _ratio(both, true)
    total = true.sum(axis=1)
    return {
        "mIoU": _mean(iou),
        "Dice": _mean(dice),
        "fwIoU": _ratio(np.nansum(iou * true, axis=1), total),
        "pixel_accuracy": _ratio(both.sum(axis=1), total),
        "mean_accuracy": _mean(recall),
        "class IoU": iou,
        "class Dice": dice,
        "class recall": recall,
        "class precision": _ratio(both, said),
    }


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(samples,) mean over the classes where it is defined."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(float))
