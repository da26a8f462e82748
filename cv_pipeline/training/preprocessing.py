"""Normalisation fitted on the training split alone, so that nothing leaks from held-out images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cv_pipeline.training.augmentation import split_batches
from cv_pipeline.training.fitted_on import MAX_IMAGES, evenly_spaced
from cv_pipeline.training.framing import Frames
from cv_pipeline.training.loaders import Loader
from cv_pipeline.training.model_folder import Normalisation

_LEAST_STD = 1.0
_RAW = Normalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def fit_normalisation(
    open_raw: Callable[[Normalisation], Loader], frames: Frames, *, batch_size: int
) -> Normalisation:
    """Mean and standard deviation of the pixels that the model will see, before augmentation.

    Args:
        open_raw: opens a loader of the training images with a given normalisation.
        frames: their framing without augmentation.
        batch_size: images to load at once.

    Returns:
        Per channel, on the scale 0 to 255; padding is not counted.
    """
    rows = evenly_spaced(len(frames), MAX_IMAGES)
    total, squares = np.zeros(3), np.zeros(3)
    loader = open_raw(_RAW)
    for batch in loader.batches(frames, split_batches(rows, batch_size=batch_size)):
        values = batch.double()  # padding is 0 here and adds nothing
        total += values.sum(dim=(0, 2, 3)).cpu().numpy()
        squares += values.square().sum(dim=(0, 2, 3)).cpu().numpy()
    count = int(frames.size[rows].prod(axis=1).sum())
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, _LEAST_STD**2))
    return Normalisation(mean=_rounded(mean), std=_rounded(std))


def _rounded(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    red, green, blue = (round(float(v), 4) for v in values)
    return red, green, blue
