"""Boxes of many images as parallel arrays: what detection is evaluated on.

Images and classes are indices, so that a subset of images is a mask and every count a bincount.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

_ABSENT: Final[NDArray[Any]] = np.empty(0)


@dataclass(frozen=True)
class Boxes:
    """Ground-truth objects.

    Attributes:
        image: (n,) index of the image.
        label: (n,) index of the class.
        xyxy: (n, 4) left, top, right and bottom edge in pixels of the stored image.
        sizes: (n, 2) width and height; the differences of the edges if not given.
        area: (n,) square pixels; width × height if not given.
        crowd: (n,) whether the box is around a crowd, which any number of detections may be of;
            false if not given.
        key: (n,) what a row is known by: the annotation's id, or the prediction's rank; the
            position if not given.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    xyxy: NDArray[np.float64]
    sizes: NDArray[np.float64] = field(default_factory=lambda: _ABSENT, kw_only=True)
    area: NDArray[np.float64] = field(default_factory=lambda: _ABSENT, kw_only=True)
    crowd: NDArray[np.bool_] = field(default_factory=lambda: _ABSENT, kw_only=True)
    key: NDArray[Any] = field(default_factory=lambda: _ABSENT, kw_only=True)

    def __post_init__(self) -> None:
        """Fill in what was not given."""
        if self.sizes is _ABSENT:
            object.__setattr__(self, "sizes", self.xyxy[:, 2:] - self.xyxy[:, :2])
        if self.area is _ABSENT:
            object.__setattr__(self, "area", self.sizes.prod(axis=1))
        if self.crowd is _ABSENT:
            object.__setattr__(self, "crowd", np.zeros(len(self.image), bool))
        if self.key is _ABSENT:
            object.__setattr__(self, "key", np.arange(len(self.image)))

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self.image)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The boxes at these rows, or where a mask is true."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def of_images(self, chosen: NDArray[np.bool_]) -> Self:
        """The boxes of the chosen images, which are counted anew from 0.

        Args:
            chosen: (images,) mask.
        """
        kept = self.take(chosen[self.image])
        return replace(kept, image=(np.cumsum(chosen) - 1)[kept.image])


@dataclass(frozen=True)
class Detections(Boxes):
    """Predicted objects.

    Attributes:
        score: (n,) confidence, 0 to 1.
    """

    score: NDArray[np.float64]

    def ranks(self) -> NDArray[np.int64]:
        """(n,) position within image and class by descending score, from 0; stable."""
        return ranks(self.image, self.label, self.score)

    def strongest(self, count: int) -> Self:
        """At most ``count`` per image and class, by descending score; the order is kept."""
        return self.take(self.ranks() < count)


def ranks(
    image: NDArray[np.int64], label: NDArray[np.int64], score: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Position within image and class by descending score, from 0.

    Args:
        image: (n,) index of the image.
        label: (n,) index of the class.
        score: (n,) scores; of equal ones the first comes first.
    """
    order = np.lexsort((-score, label, image))
    where, what = image[order], label[order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (where[1:] != where[:-1]) | (what[1:] != what[:-1])
    position = np.arange(len(order))
    out = np.empty(len(order), dtype=np.int64)
    out[order] = position - np.maximum.accumulate(np.where(starts, position, 0))
    return out
