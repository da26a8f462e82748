"""A set of pictures as the search for near-duplicates sees them: hashes and thumbnails.

A quick look at their low frequencies tells most pictures of one scene apart before anything is
aligned; it costs a hundredth of an alignment and never refuses what alignment would accept, but for
pictures at the edge of what is tolerated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.duplicates.hash_pairs import Hashes, Rows
from cv_pipeline.imaging.perceptual import hamming, low_frequencies

UNLIKE = 1 - 0.95**2
"""Share of the energy of low frequencies that may differ. Copies have 0.04 at most; of the frames
of one camera whose hashes are near, nine in ten have more than this."""
NOISE = 128.0
"""Energy that may differ in any case: two grey levels squared for each frequency."""
MIRROR = np.tile(np.array([-1, 1], np.float32), 32)
"""What turns low frequencies into those of the mirrored picture."""
BLOCK = 4096
"""Pictures or pairs worked on at once, which bounds the memory."""

Frequencies = NDArray[np.float32]


class Pictures:
    """Some pictures, one a row, and their low frequencies.

    Args:
        hashes: (N,) perceptual hashes.
        mirrored: (N,) those of the pictures flipped left to right.
        thumbnails: (N, 32, 32) luma.
    """

    def __init__(self, hashes: Hashes, mirrored: Hashes, thumbnails: NDArray[np.uint8]) -> None:
        self.size = len(hashes)
        self.hashes = hashes
        self.mirrored = mirrored
        self.thumbnails = thumbnails
        self.frequencies: Frequencies = np.empty((self.size, 64), np.float32)
        for start in range(0, self.size, BLOCK):
            part = slice(start, start + BLOCK)
            self.frequencies[part] = low_frequencies(thumbnails[part])

    def apart(self, i: Rows, j: Rows, *, mirrored: bool) -> NDArray[np.uint8]:
        """Bits in which the hashes of pictures i and j, or of one and a mirrored other, differ."""
        if not mirrored:
            return hamming(self.hashes[i], self.hashes[j])
        sides = ((self.hashes[i], self.mirrored[j]), (self.mirrored[i], self.hashes[j]))
        return np.asarray(np.minimum(*(hamming(a, b) for a, b in sides)))

    def likely(self, i: Rows, j: Rows, *, mirrored: bool, max_distance: int) -> Rows:
        """Those of the pairs, by their numbers, whose hashes are near and that look alike."""
        near = np.flatnonzero(self.apart(i, j, mirrored=mirrored) <= max_distance)
        passed = [near[:0]]
        for start in range(0, len(near), BLOCK):
            part = near[start : start + BLOCK]
            other = self.frequencies[j[part]] * (MIRROR if mirrored else 1)
            passed.append(part[alike(self.frequencies[i[part]], other)])
        return np.concatenate(passed)


def alike(a: Frequencies, b: Frequencies) -> NDArray[np.bool_]:
    """Whether pictures look alike by their low frequencies, whatever their contrasts.

    What one leaves of the other's energy is at most ``UNLIKE`` of it, or at most ``NOISE`` of the
    fainter one's.

    Args:
        a: (…, 64) low frequencies.
        b: (…, 64) low frequencies, broadcast to ``a``.
    """
    left = unexplained(a, b)
    fainter = np.minimum(*(np.einsum("...f,...f->...", x, x) for x in (a, b)))
    return np.asarray((left <= UNLIKE) | (left * fainter <= NOISE))


def unexplained(a: Frequencies, b: Frequencies) -> NDArray[np.float32]:
    """Share of the energy of a picture that another one, scaled, leaves: 1 - cos², 1 at most."""
    energies = np.einsum("...f,...f->...", a, a) * np.einsum("...f,...f->...", b, b)
    both = np.maximum(np.einsum("...f,...f->...", a, b), 0)
    return np.asarray(1 - both * both / np.maximum(energies, np.float32(1e-9)))
