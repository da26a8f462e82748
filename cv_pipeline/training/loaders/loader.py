"""What a loader is, and which one is used.

Every loader decodes, crops, scales, flips, colours, normalises and pads, in that order and by
parameters that it is given, so that the choice of loader changes speed and not the data:

    luma     = 0.299 red + 0.587 green + 0.114 blue
    coloured = brightness · (contrast · (luma + saturation · (value − luma) − 128) + 128)
    input    = (coloured − mean) / std, padded at the right and bottom with 0, the mean

Coloured values are not clipped. Scaling is bilinear with antialiasing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cv_pipeline.errors import TrainingError
from cv_pipeline.project import Training
from cv_pipeline.training.framing import Frames
from cv_pipeline.training.hardware import threads
from cv_pipeline.training.model_folder import Normalisation
from cv_pipeline.training.staging import StagedImages


class Loader(Protocol):
    """Makes input tensors of staged images."""

    def batches(self, frames: Frames, rows: Sequence[NDArray[np.int64]]) -> Iterator[torch.Tensor]:
        """Yield one tensor (batch, 3, height, width), float32, for each entry of ``rows``.

        Args:
            frames: how each staged image is brought into the input.
            rows: rows of the staged images in each batch, not empty.
        """
        ...


def open_loader(
    images: StagedImages,
    *,
    training: Training,
    normalisation: Normalisation,
    device: torch.device,
) -> Loader:
    """Open a loader.

    Args:
        images: what it loads.
        training: names the loader (``auto`` is DALI where it is installed, else torchvision), the
            input size and the largest batch.
        normalisation: mean and standard deviation of the input.
        device: where its tensors are; DALI decodes on the GPU if it is one.

    Raises:
        TrainingError: DALI is asked for and not installed.
    """
    installed = find_spec("nvidia") is not None and find_spec("nvidia.dali") is not None
    if training.loader == "torchvision" or (training.loader == "auto" and not installed):
        from cv_pipeline.training.loaders.torchvision import TorchvisionLoader

        return TorchvisionLoader(
            images, normalisation=normalisation, device=device, threads=threads()
        )
    if not installed:
        raise TrainingError(
            "training.loader is dali, and DALI is not installed here.",
            do="Set training.loader to auto, or install nvidia-dali-cuda130 (Linux only).",
        )
    from cv_pipeline.training.loaders.dali import DaliLoader

    return DaliLoader(
        images,
        normalisation=normalisation,
        input_size=training.input_size,
        batch_size=training.batch_size,
        device=device,
        threads=threads(),
    )
