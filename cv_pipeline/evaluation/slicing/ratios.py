"""Recall, precision, F1 and accuracy as ratios of sums over images, for any parts of the images.

A ratio's numerator and denominator are summed by cell together with their squares and product, from
which every interval and test follows; no image is looked at twice.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.measure import Counts

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Sums over the images of each of some cells; all arrays have one shape.

    Attributes:
        images: images that have a part in the ratio.
        x: Σ numerator.
        y: Σ denominator.
        xx: Σ numerator².
        xy: Σ numerator × denominator.
        yy: Σ denominator².
    """

    images: Numbers
    x: Numbers
    y: Numbers
    xx: Numbers
    xy: Numbers
    yy: Numbers

    @classmethod
    def of(cls, x: Numbers, y: Numbers) -> Self:
        """Sums over all of some images: arrays of shape ().

        Args:
            x: (images,) numerators.
            y: (images,) denominators.
        """
        parts = (y > 0, x, y, x * x, x * y, y * y)
        return cls(*(np.asarray(p.sum(), dtype=np.float64) for p in parts))

    def __add__(self, other: Self) -> Self:
        """Sums over the images of both, which have none in common."""
        return self._with(other, 1.0)

    def __sub__(self, other: Self) -> Self:
        """Sums over the images that are left without those of the other."""
        return self._with(other, -1.0)

    def __getitem__(self, key: object) -> Self:
        """The sums of some of the cells."""
        return type(self)(*(getattr(self, f.name)[key] for f in fields(self)))

    def _with(self, other: Self, sign: float) -> Self:
        return type(self)(
            *(getattr(self, f.name) + sign * getattr(other, f.name) for f in fields(self))
        )


@dataclass(frozen=True)
class Terms:
    """Numerator and denominator of one ratio: a row for each image and class that has a part in it.

    Images of several classes have one more row for all classes together.

    Attributes:
        image: (rows,) index of the image.
        label: (rows,) index of the class; the number of classes stands for all classes together.
        x: (rows,) numerators.
        y: (rows,) denominators, above 0.
        alone: (rows,) whether it is the only row of its image, and so of all classes together.
        labels: number of classes.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    x: Numbers
    y: Numbers
    alone: NDArray[np.bool_]
    labels: int

    @cached_property
    def _states(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Each row's class, terms and whether it is alone as one number, and what that adds."""
        whole = int(2 * self.x.max(initial=0)) + 1  # terms are whole numbers or halves
        pairs = np.rint(2 * self.y).astype(np.int64) * whole + np.rint(2 * self.x).astype(np.int64)
        pairs = 2 * pairs + self.alone
        # one pair more, so that there is one where there are no rows
        known, state = np.unique(np.append(pairs, 0), return_inverse=True)
        x, y = (known // 2 % whole) / 2, (known // 2 // whole) / 2
        adds = np.column_stack([np.ones(len(known)), x, y, x * x, x * y, y * y])
        return self.label * len(known) + state[:-1], adds, known % 2 == 1

    def sums(self, cell: NDArray[np.integer], cells: int) -> Sums:
        """Sums by cell and class.

        Args:
            cell: (rows,) cell of each row, as :meth:`of_rows` gives it.
            cells: number of cells.

        Returns:
            Arrays of shape (cells, labels + 1); the last column is of all classes together.
        """
        state, adds, alone = self._states
        width = (self.labels + 1) * len(adds)
        counts = np.bincount(cell * width + state, minlength=cells * width)
        counts = counts.reshape(cells, self.labels + 1, len(adds))
        out = counts @ adds
        out[:, self.labels] += counts[:, : self.labels, alone].sum(axis=1) @ adds[alone]
        return Sums(*out.transpose(2, 0, 1))

    def of_rows(self, of_images: NDArray[np.integer]) -> NDArray[np.integer]:
        """What is known of the images, for each row."""
        taken: NDArray[np.integer] = of_images[self.image]
        return taken

    def by_image(self, label: int | None, *, images: int) -> tuple[Numbers, Numbers]:
        """(images,) numerators and denominators of a class, or of all together; 0 without one."""
        rows = (self.label == self.labels) | self.alone if label is None else self.label == label
        x, y = np.zeros(images), np.zeros(images)
        x[self.image[rows]], y[self.image[rows]] = self.x[rows], self.y[rows]
        return x, y

    def whole(self) -> Sums:
        """Sums over all images by class: arrays of shape (labels + 1,)."""
        return self.sums(np.zeros(len(self.image), dtype=np.int64), 1)[0]


def ratio_terms(counts: Counts, metric: str, *, images: int, labels: int) -> Terms:
    """The terms of recall, precision, F1 or accuracy.

    F1 is 2 Σ found / (Σ objects + Σ predicted); its denominator counts as (objects + predicted) / 2
    so that it is about as large as that of the others. Accuracy has terms for all classes together
    only: the share of the images whose class was found.

    Args:
        counts: of all images.
        metric: its name.
        images: number of images.
        labels: number of classes.
    """
    found = counts.found.astype(np.float64)
    if metric == "accuracy":
        right = _by_image(counts.image, found, images)
        every = np.arange(images)
        none = np.zeros(images, dtype=bool)
        return Terms(every, np.full(images, labels), right, np.ones(images), none, labels)
    wholes = {
        "recall": counts.objects,
        "precision": counts.predicted,
        "f1": (counts.objects + counts.predicted) / 2,
    }
    whole = wholes[metric].astype(np.float64)
    of_image = _by_image(counts.image, whole, images)
    found_of_image = _by_image(counts.image, found, images)
    rows = np.flatnonzero(whole)
    rows_of_image = np.bincount(counts.image[rows], minlength=images)
    some = np.flatnonzero(rows_of_image > 1)
    alone = rows_of_image[counts.image[rows]] == 1
    return Terms(
        np.concatenate([counts.image[rows], some]),
        np.concatenate([counts.label[rows], np.full(len(some), labels)]),
        np.concatenate([found[rows], found_of_image[some]]),
        np.concatenate([whole[rows], of_image[some]]),
        np.concatenate([alone, np.zeros(len(some), dtype=bool)]),
        labels,
    )


def _by_image(image: NDArray[np.int64], numbers: Numbers, images: int) -> Numbers:
    return np.bincount(image, weights=numbers, minlength=images).astype(np.float64, copy=False)
