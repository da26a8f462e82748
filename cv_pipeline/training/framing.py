"""How each image is brought into the model's input, and boxes with it, there and back.

An image is cropped, scaled to fit, flipped and padded at the right and bottom; all in whole pixels
that are decided here, so that every loader and every box agrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MIN_VISIBLE = 0.3
"""Least share of a box's area that must remain in the crop for it to stay a target."""

MIN_SIDE = 1.0
"""Least side in pixels of the input that a target has."""


@dataclass(frozen=True)
class Frames:
    """The framing of n images, and the colour factors that go with it.

    Attributes:
        crop: (n, 4) int64: x, y, width and height of the crop, pixels of the stored image.
        size: (n, 2) int64: height and width of the content in the input.
        flip: (n,) bool: the content is flipped left to right.
        colour: (n, 3) float32: factors of brightness, contrast and saturation.
        input_size: height and width of the input.
    """

    crop: NDArray[np.int64]
    size: NDArray[np.int64]
    flip: NDArray[np.bool_]
    colour: NDArray[np.float32]
    input_size: tuple[int, int]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.crop)

    def to_input(
        self, boxes: NDArray[np.float64], image: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Bring boxes of stored images into the input.

        Args:
            boxes: (m, 4) xyxy, pixels of the stored image.
            image: (m,) row of each box's image.

        Returns:
            (m, 4) xyxy in pixels of the input, clipped to the content; and (m,) whether enough of
            the box is left to be a target (:data:`MIN_VISIBLE`, :data:`MIN_SIDE`).
        """
        offset, scale = self._affine(image)
        whole = (boxes - offset) * scale
        height, width = self.size[image, 0], self.size[image, 1]
        limit = np.stack([width, height, width, height], axis=1).astype(np.float64)
        seen = np.clip(whole, 0, limit)
        side = seen[:, 2:] - seen[:, :2]
        visible = side.prod(axis=1) / (whole[:, 2:] - whole[:, :2]).prod(axis=1)
        keep = (side >= MIN_SIDE).all(axis=1) & (visible >= MIN_VISIBLE)
        return self._flipped(seen, image), keep

    def to_image(self, boxes: NDArray[np.float64], image: NDArray[np.int64]) -> NDArray[np.float64]:
        """Bring boxes of the input back to pixels of the stored image, clipped to the crop.

        Args:
            boxes: (m, 4) xyxy, pixels of the input.
            image: (m,) row of each box's image.
        """
        offset, scale = self._affine(image)
        end = offset + np.tile(self.crop[image, 2:], 2)
        back: NDArray[np.float64] = self._flipped(boxes, image) / scale + offset
        return np.clip(back, offset, end)

    def _affine(self, image: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(m, 4) offset in the stored image and (m, 4) scale to the input, before the flip."""
        offset = np.tile(self.crop[image, :2], 2).astype(np.float64)
        scale = np.tile(self.size[image, ::-1] / self.crop[image, 2:], 2)
        return offset, scale

    def _flipped(self, boxes: NDArray[np.float64], image: NDArray[np.int64]) -> NDArray[np.float64]:
        width = self.size[image, 1][:, None].astype(np.float64)
        mirrored = np.concatenate(
            [width - boxes[:, 2:3], boxes[:, 1:2], width - boxes[:, 0:1], boxes[:, 3:4]], axis=1
        )
        return np.where(self.flip[image][:, None], mirrored, boxes)


def whole_frames(sizes: NDArray[np.int64], *, input_size: tuple[int, int]) -> Frames:
    """Frame whole images, unchanged but for scale: for validation and prediction.

    Args:
        sizes: (n, 2) height and width of the stored images.
        input_size: height and width of the input.
    """
    n = len(sizes)
    crop = np.concatenate([np.zeros((n, 2), np.int64), sizes[:, ::-1]], axis=1)
    return Frames(
        crop=crop,
        size=_fit(crop, input_size),
        flip=np.zeros(n, dtype=bool),
        colour=np.ones((n, 3), dtype=np.float32),
        input_size=input_size,
    )


def augmented_frames(
    sizes: NDArray[np.int64], parameters: pa.Table, *, input_size: tuple[int, int]
) -> Frames:
    """Frame images by drawn parameters.

    Args:
        sizes: (n, 2) height and width of the stored images.
        parameters: schema AUGMENTATIONS, a row for each image in the same order.
        input_size: height and width of the input.
    """
    drawn = {
        name: parameters[name].to_numpy() for name in parameters.schema.names if name != "image_id"
    }
    full = sizes[:, ::-1]
    share = np.stack([drawn["crop_width"], drawn["crop_height"]], axis=1)
    origin = np.stack([drawn["crop_x"], drawn["crop_y"]], axis=1)
    extent = np.clip(np.rint(share * full), 1, full).astype(np.int64)
    start = np.clip(np.floor(origin * full), 0, full - extent).astype(np.int64)
    crop = np.concatenate([start, extent], axis=1)
    return Frames(
        crop=crop,
        size=_fit(crop, input_size),
        flip=drawn["flip"].astype(bool),
        colour=np.stack(
            [drawn["brightness"], drawn["contrast"], drawn["saturation"]], axis=1
        ).astype(np.float32),
        input_size=input_size,
    )


def _fit(crop: NDArray[np.int64], input_size: tuple[int, int]) -> NDArray[np.int64]:
    """(n, 2) height and width of the largest content of the crop's shape that fits the input."""
    extent = crop[:, :1:-1]
    limit = np.array(input_size)
    scale = (limit / extent).min(axis=1, keepdims=True)
    size: NDArray[np.int64] = np.clip(np.rint(extent * scale), 1, limit).astype(np.int64)
    return size
