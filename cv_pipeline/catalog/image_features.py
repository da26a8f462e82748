"""The features of one image after another: perceptual hashes, measures and its signature.

Pure: bytes in, features out, so that any process can do it. Imports nothing that is not needed to
decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging.descriptor import descriptor
from cv_pipeline.imaging.measures import Measures, measure
from cv_pipeline.imaging.perceptual import grey_thumbnail, phash
from cv_pipeline.imaging.read import decode
from cv_pipeline.imaging.render import to_rgb8


@dataclass(frozen=True)
class Features:
    """The features of one image; see the columns of ``IMAGE_FEATURES`` and ``SIGNATURES``.

    Attributes:
        phash: perceptual hash.
        phash_mirrored: that of the image flipped left to right.
        measures: quality measures.
        thumbnail: 32 × 32 luma, uint8, row-major.
        descriptor: unit vector of colour and edge layout, 64 float32.
    """

    phash: int
    phash_mirrored: int
    measures: Measures
    thumbnail: bytes
    descriptor: bytes


@dataclass(frozen=True)
class Unmeasurable:
    """Why an image has no features.

    Attributes:
        reason: machine-readable kind, such as ``corrupt_image``.
        detail: a sentence for people.
    """

    reason: str
    detail: str


@dataclass(frozen=True)
class FeatureExtractor:
    """Computes features.

    Attributes:
        max_pixels: largest allowed width × height.
    """

    max_pixels: int

    def __call__(self, images: Sequence[tuple[str, bytes]]) -> list[Features | Unmeasurable]:
        """Features of each id and bytes, in order, or why there are none."""
        found = [self._measured(data) for _, data in images]
        thumbnails = [f[0] for f in found if isinstance(f, tuple)]
        stack = np.stack(thumbnails) if thumbnails else np.zeros((0, 32, 32), np.float32)
        hashes = iter(zip(phash(stack), phash(stack[:, :, ::-1]), strict=True))
        return [f if isinstance(f, Unmeasurable) else _features(*f, *next(hashes)) for f in found]

    def _measured(self, data: bytes) -> tuple[np.ndarray, Measures, bytes] | Unmeasurable:
        try:
            rgb8 = to_rgb8(decode(data, max_pixels=self.max_pixels))
        except ImageError as error:
            return Unmeasurable(error.reason, str(error))
        return grey_thumbnail(rgb8), measure(rgb8), descriptor(rgb8).tobytes()


def _features(
    grey: np.ndarray,
    measures: Measures,
    described: bytes,
    plain: np.uint64,
    mirrored: np.uint64,
) -> Features:
    return Features(
        phash=int(plain),
        phash_mirrored=int(mirrored),
        measures=measures,
        thumbnail=np.rint(grey).clip(0, 255).astype(np.uint8).tobytes(),
        descriptor=described,
    )
