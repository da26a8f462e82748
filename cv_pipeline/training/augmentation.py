"""Augmentation parameters: drawn explicitly, so that what was really applied is on record.

The parameters of an epoch depend on the seed, the epoch and the position of an image, and on
nothing else: not on the loader, the batches or what other epochs drew.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.project import Augmentation

AUGMENTATIONS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # epoch, from 1
        pa.field("epoch", pa.int32(), nullable=False),
        # flipped left to right, after the crop
        pa.field("flip", pa.bool_(), nullable=False),
        # left edge of the crop, share of the image's width
        pa.field("crop_x", pa.float32(), nullable=False),
        # top edge of the crop, share of the image's height
        pa.field("crop_y", pa.float32(), nullable=False),
        # width of the crop, share of the image's width
        pa.field("crop_width", pa.float32(), nullable=False),
        # height of the crop, share of the image's height
        pa.field("crop_height", pa.float32(), nullable=False),
        # factor on all values
        pa.field("brightness", pa.float32(), nullable=False),
        # factor on the distance from mid-grey (128)
        pa.field("contrast", pa.float32(), nullable=False),
        # factor on the distance from the pixel's own luma
        pa.field("saturation", pa.float32(), nullable=False),
    ]
)

_ORDER_STREAM, _PARAMETER_STREAM = 0, 1


def draw_parameters(
    image_ids: pa.Array, *, augmentation: Augmentation, seed: int, epoch: int
) -> pa.Table:
    """Draw the parameters of one epoch.

    Args:
        image_ids: (n,) the images, in a fixed order.
        augmentation: ranges to draw from.
        seed: seed of the training.
        epoch: from 1.

    Returns:
        Schema AUGMENTATIONS, a row for each image in the order given.
    """
    n = len(image_ids)
    uniform = np.random.default_rng([seed, epoch, _PARAMETER_STREAM]).random((8, n))
    flip, x, y, width, height, brightness, contrast, saturation = uniform
    crop_width, crop_height = 1 - augmentation.crop * width, 1 - augmentation.crop * height
    columns = {
        "image_id": image_ids,
        "epoch": np.full(n, epoch, dtype=np.int32),
        "flip": flip < augmentation.flip,
        "crop_x": x * (1 - crop_width),
        "crop_y": y * (1 - crop_height),
        "crop_width": crop_width,
        "crop_height": crop_height,
        "brightness": _factor(brightness, augmentation.brightness),
        "contrast": _factor(contrast, augmentation.contrast),
        "saturation": _factor(saturation, augmentation.saturation),
    }
    arrays = [pa.array(columns[field.name]).cast(field.type, safe=False) for field in AUGMENTATIONS]
    return pa.Table.from_arrays(arrays, schema=AUGMENTATIONS)


def draw_batches(n: int, *, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Shuffle ``n`` images into batches for one epoch.

    The batches are as equal as can be (and no larger than ``batch_size``), for a last batch of one
    or two images would upset batch normalisation.
    """
    order = np.random.default_rng([seed, epoch, _ORDER_STREAM]).permutation(n)
    return split_batches(order, batch_size=batch_size)


def split_batches(rows: NDArray[np.int64], *, batch_size: int) -> list[NDArray[np.int64]]:
    """Divide rows, in their order, into nearly equal batches of at most ``batch_size``."""
    return np.array_split(rows, -(-len(rows) // batch_size)) if len(rows) else []


def _factor(uniform: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    return 1 + spread * (2 * uniform - 1)
