"""What holds images together: near-duplicate pairs, and groups such as a patient or a camera.

A bond is a set of images; images that share one, directly or through others, are a unit and go to
one split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.components import connected

OPEN = -1
"""Stands for an image or unit that has no split yet, and for a value that is unknown."""


@dataclass(frozen=True, eq=False)
class Bonds:
    """The bonds among N images.

    Attributes:
        size: N.
        image: (M,) image of each membership.
        bond: (M,) bond of the same.
        count: number of bonds.
    """

    size: int
    image: NDArray[np.int64]
    bond: NDArray[np.int64]
    count: int

    def units(self) -> NDArray[np.int64]:
        """(N,) smallest row of the unit that each image belongs to: its own when it has none."""
        one_of_bond = np.zeros(self.count, np.int64)
        one_of_bond[self.bond] = self.image
        return connected(self.size, self.image, one_of_bond[self.bond])

    def among(self, images: NDArray[np.bool_]) -> Bonds:
        """The bonds among some of the images; the others have none."""
        kept = images[self.image]
        return Bonds(self.size, self.image[kept], self.bond[kept], self.count)

    def take(self, rows: NDArray[np.int64]) -> Bonds:
        """The bonds of some images, which are numbered anew.

        Args:
            rows: ascending rows of images.
        """
        position = np.full(self.size, OPEN)
        position[rows] = np.arange(len(rows))
        image = position[self.image]
        kept = image != OPEN
        return Bonds(len(rows), image[kept], self.bond[kept], self.count)


def bonds_of(
    size: int, *, pairs: NDArray[np.int64], groups: Sequence[pa.Array | pa.ChunkedArray] = ()
) -> Bonds:
    """The bonds that pairs and groups make.

    Args:
        size: number of images.
        pairs: (P, 2) rows of the two images of each pair.
        groups: for each group key an (N,) array of its values; null belongs to no group.
    """
    images, bonds, count = [pairs.ravel()], [np.repeat(np.arange(len(pairs)), 2)], len(pairs)
    for values in groups:
        code = pc.dictionary_encode(values)
        code = code.combine_chunks() if isinstance(code, pa.ChunkedArray) else code
        group = code.indices.fill_null(OPEN).to_numpy(zero_copy_only=False).astype(np.int64)
        member = np.flatnonzero(group != OPEN)
        images.append(member)
        bonds.append(group[member] + count)
        count += len(code.dictionary)
    return Bonds(size, np.concatenate(images), np.concatenate(bonds), count)
