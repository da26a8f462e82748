"""What is counted of answers: labels, predictions and hits of each class, and all that follows.

A confusion is a few cells, whatever the number of images. Resampling images is drawing the counts
of those cells from a multinomial distribution, which is the same and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.resampling import Resampling


@dataclass(frozen=True)
class Tallies:
    """Counts of each class, in one or many samples of the images.

    Attributes:
        labelled: (samples, classes) images whose true class it is.
        predicted: (samples, classes) images that it is predicted for.
        found: (samples, classes) images of both.
    """

    labelled: NDArray[np.int64]
    predicted: NDArray[np.int64]
    found: NDArray[np.int64]

    @classmethod
    def of(cls, answers: Answers, *, labels: int) -> Self:
        """Count all images, as one sample.

        Args:
            answers: of the images.
            labels: number of classes.
        """
        true, said, count = _cells(answers, labels=labels)
        return cls.of_cells(true, said, count[None, :], labels=labels)

    @classmethod
    def resampled(cls, answers: Answers, *, labels: int, resampling: Resampling) -> Self:
        """Count bootstrap samples of the images.

        Args:
            answers: of the images; at least one.
            labels: number of classes.
            resampling: how many samples, and their seed.
        """
        true, said, count = _cells(answers, labels=labels)
        blocks = [
            cls.of_cells(true, said, drawn, labels=labels) for drawn in resampling.cells(count)
        ]
        return cls(
            *(
                np.concatenate([getattr(b, name) for b in blocks])
                for name in ("labelled", "predicted", "found")
            )
        )

    @classmethod
    def of_cells(
        cls,
        true: NDArray[np.int64],
        said: NDArray[np.int64],
        counts: NDArray[np.int64],
        *,
        labels: int,
    ) -> Self:
        """Count samples that are given as how often each cell of the confusion occurs.

        Args:
            true: (cells,) true class of each.
            said: (cells,) predicted class; the number of classes for none.
            counts: (samples, cells) images.
            labels: number of classes.
        """
        hit = true == said
        return cls(
            labelled=_summed(counts, true, size=labels),
            predicted=_summed(counts, said, size=labels + 1)[:, :labels],
            found=_summed(counts[:, hit], true[hit], size=labels),
        )

    def recall(self) -> NDArray[np.float64]:
        """(samples, classes) found / labelled; NaN for a class without labels."""
        return _ratio(self.found, self.labelled)

    def precision(self) -> NDArray[np.float64]:
        """(samples, classes) found / predicted; NaN for a class that is never predicted."""
        return _ratio(self.found, self.predicted)

    def f1(self) -> NDArray[np.float64]:
        """(samples, classes) harmonic mean of both; NaN for a class without labels."""
        f1 = _ratio(2 * self.found, self.labelled + self.predicted)
        return np.where(self.labelled > 0, f1, np.nan)

    def overall(self) -> dict[str, NDArray[np.float64]]:
        """Metric to (samples,) values of all classes together; NaN where it is not defined."""
        labelled = self.labelled > 0
        images = self.labelled.sum(axis=1)
        f1 = self.f1()
        recall = _mean(self.recall(), labelled)
        return {
            "accuracy": _ratio(self.found.sum(axis=1), images),
            "macro_f1": _mean(f1, labelled),
            "micro_f1": _ratio(2 * self.found.sum(axis=1), images + self.predicted.sum(axis=1)),
            "weighted_f1": _ratio(np.where(labelled, f1 * self.labelled, 0.0).sum(axis=1), images),
            "balanced_accuracy": recall,
            "recall": recall,
            "precision": _mean(self.precision(), labelled & (self.predicted > 0)),
        }


def _cells(
    answers: Answers, *, labels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """True class, predicted class and count of each cell of the confusion that occurs."""
    side = labels + 1
    counts = np.bincount(answers.truth * side + answers.predicted, minlength=side * side)
    cells = np.flatnonzero(counts)
    return cells // side, cells % side, counts[cells]


def _summed(counts: NDArray[np.int64], group: NDArray[np.int64], *, size: int) -> NDArray[np.int64]:
    """(samples, size) sums of the columns of ``counts`` (samples, cells) by their group."""
    out = np.zeros((len(counts), size), dtype=np.int64)
    order = np.argsort(group, kind="stable")
    present, first = np.unique(group[order], return_index=True)
    if len(present):
        out[:, present] = np.add.reduceat(counts[:, order], first, axis=1)
    return out


def _ratio(
    part: NDArray[np.int64] | NDArray[np.float64], whole: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _mean(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(samples,) mean over the classes that count."""
    total = np.where(counted, values, 0.0).sum(axis=1)
    return _ratio(total, counted.sum(axis=1))
