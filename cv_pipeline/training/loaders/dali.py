"""The loader on NVIDIA DALI: on the GPU where there is one, else with its CPU operators.

Every random parameter comes in from outside: what DALI draws inside its own random operators
cannot be read back, and could not be recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from nvidia.dali import Pipeline, fn, types

from cv_pipeline.training.framing import Frames
from cv_pipeline.training.model_folder import Normalisation
from cv_pipeline.training.staging import StagedImages

_INPUTS = 6


class DaliLoader:
    """Loads with DALI, a batch ahead of its consumer.

    Args:
        images: what it loads.
        normalisation: mean and standard deviation of the input.
        input_size: height and width of the input.
        batch_size: largest batch that will be asked for.
        device: where its tensors are.
        threads: threads of its CPU operators.
    """

    def __init__(
        self,
        images: StagedImages,
        *,
        normalisation: Normalisation,
        input_size: tuple[int, int],
        batch_size: int,
        device: torch.device,
        threads: int,
    ) -> None:
        self._images = images
        self._plan: Iterator[list[Any]] = iter(())
        gpu = device.type == "cuda"
        self._pipeline = Pipeline(
            batch_size=batch_size,
            num_threads=threads,
            device_id=(device.index or 0) if gpu else None,
        )
        with self._pipeline:
            out = _operators(self._next, normalisation, input_size, "mixed" if gpu else "cpu")
            self._pipeline.set_outputs(out)
        self._pipeline.build()

    def batches(self, frames: Frames, rows: Sequence[NDArray[np.int64]]) -> Iterator[torch.Tensor]:
        """See :class:`~cv_pipeline.training.loaders.loader.Loader`."""
        self._pipeline.reset()
        self._plan = self._inputs(frames, rows)
        for _ in rows:
            (out,) = self._pipeline.run()
            yield torch.from_dlpack(out.as_tensor()).clone()  # DALI takes its memory back

    def _next(self) -> list[Any]:
        return next(self._plan)

    def _inputs(self, frames: Frames, rows: Sequence[NDArray[np.int64]]) -> Iterator[list[Any]]:
        for batch in rows:
            crop = frames.crop[batch].astype(np.int32)
            yield [
                [self._images.encoded(int(row)) for row in batch],
                np.ascontiguousarray(crop[:, 1::-1]),
                np.ascontiguousarray(crop[:, :1:-1]),
                frames.size[batch].astype(np.float32),
                frames.flip[batch].astype(np.int32),
                frames.colour[batch],
            ]


def _operators(
    source: Any, normalisation: Normalisation, input_size: tuple[int, int], decoder: str
) -> Any:
    encoded, start, shape, size, flip, colour = fn.external_source(
        source=source, num_outputs=_INPUTS, batch=True
    )
    image = fn.decoders.image(
        encoded, device=decoder, output_type=types.RGB, jpeg_fancy_upsampling=True
    )
    image = fn.slice(image, start=start, shape=shape, axis_names="HW")
    image = fn.resize(image, size=size, interp_type=types.INTERP_LINEAR, antialias=True)
    image = fn.color_twist(
        image,
        brightness=colour[0],
        contrast=colour[1],
        saturation=colour[2],
        dtype=types.FLOAT,
    )
    image = fn.crop_mirror_normalize(
        image,
        mirror=flip,
        mean=list(normalisation.mean),
        std=list(normalisation.std),
        dtype=types.FLOAT,
        output_layout="CHW",
    )
    return fn.pad(image, axes=(1, 2), shape=input_size, fill_value=0)
