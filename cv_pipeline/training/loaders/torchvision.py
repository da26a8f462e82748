"""The loader on torchvision's v2 functions, for machines without DALI."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as F  # noqa: N812  # torchvision's own custom

from cv_pipeline.imaging import decode, to_rgb8
from cv_pipeline.training.framing import Frames
from cv_pipeline.training.model_folder import Normalisation
from cv_pipeline.training.staging import StagedImages

_AHEAD = 2
_LUMA = (0.299, 0.587, 0.114)
_MID_GREY = 128.0


class TorchvisionLoader:
    """Loads with torchvision, on the CPU, some batches ahead.

    Args:
        images: what it loads.
        normalisation: mean and standard deviation of the input.
        device: where its tensors go.
        threads: threads that decode.
    """

    def __init__(
        self,
        images: StagedImages,
        *,
        normalisation: Normalisation,
        device: torch.device,
        threads: int,
    ) -> None:
        self._images = images
        self._mean, self._std = list(normalisation.mean), list(normalisation.std)
        self._device = device
        self._threads = threads
        self._luma = torch.tensor(_LUMA)[:, None, None]

    def batches(self, frames: Frames, rows: Sequence[NDArray[np.int64]]) -> Iterator[torch.Tensor]:
        """See :class:`~cv_pipeline.training.loaders.loader.Loader`."""
        with ThreadPoolExecutor(self._threads) as pool:
            pending: deque[list[Future[torch.Tensor]]] = deque()
            for batch in rows:
                pending.append([pool.submit(self._load, frames, int(row)) for row in batch])
                if len(pending) > _AHEAD:
                    yield self._collect(pending.popleft())
            while pending:
                yield self._collect(pending.popleft())

    def _collect(self, samples: list[Future[torch.Tensor]]) -> torch.Tensor:
        return torch.stack([sample.result() for sample in samples]).to(self._device)

    def _load(self, frames: Frames, row: int) -> torch.Tensor:
        stored = decode(self._images.encoded(row).tobytes(), max_pixels=sys.maxsize)
        image = torch.tensor(to_rgb8(stored)).permute(2, 0, 1)
        x, y, width, height = frames.crop[row].tolist()
        size = frames.size[row].tolist()
        image = F.resize(image[:, y : y + height, x : x + width], size, antialias=True)
        if frames.flip[row]:
            image = F.horizontal_flip(image)
        image = F.normalize(self._coloured(image.float(), frames, row), self._mean, self._std)
        down, right = frames.input_size[0] - size[0], frames.input_size[1] - size[1]
        return torch.nn.functional.pad(image, (0, right, 0, down))

    def _coloured(self, image: torch.Tensor, frames: Frames, row: int) -> torch.Tensor:
        brightness, contrast, saturation = frames.colour[row].tolist()
        luma = (image * self._luma).sum(dim=0, keepdim=True)
        saturated = luma + saturation * (image - luma)
        return brightness * (contrast * (saturated - _MID_GREY) + _MID_GREY)
