"""Boxes of many images as parallel arrays: what detection is evaluated on.

Images and classes are indices, so that a subset of images is a mask and every count a bincount.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Boxes:
    """Ground-truth objects.

    Attributes:
        image: (n,) index of the image.
        label: (n,) index of the class.
        xyxy: (n, 4) left, top, right and bottom edge in pixels of the stored image.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    xyxy: NDArray[np.float64]

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

    def without_labels(self) -> Self:
        """The same boxes, all of class 0."""
        return replace(self, label=np.zeros_like(self.label))


@dataclass(frozen=True)
class Detections(Boxes):
    """Predicted objects.

    Attributes:
        score: (n,) confidence, 0 to 1.
    """

    score: NDArray[np.float64]

    def strongest(self, count: int) -> Self:
        """At most ``count`` per image and class, by descending score; the order is kept."""
        order = np.lexsort((-self.score, self.label, self.image))
        image, label = self.image[order], self.label[order]
        starts = np.ones(len(order), dtype=bool)
        starts[1:] = (image[1:] != image[:-1]) | (label[1:] != label[:-1])
        position = np.arange(len(order))
        first = np.maximum.accumulate(np.where(starts, position, 0))
        return self.take(np.sort(order[position - first < count]))
