"""How fast a model is on this very machine: one image at a time, measured and not estimated.

The time of an image is from the framed input on the device to its rows of predictions in memory,
post-processing included and decoding left out, for that depends on where images come from.
"""

from __future__ import annotations

import time
from itertools import cycle

import numpy as np
import torch
from torch import nn

from cv_pipeline.training.framing import Frames
from cv_pipeline.training.hardware import device_name, threads
from cv_pipeline.training.loaders import Loader
from cv_pipeline.training.spec import Latency
from cv_pipeline.training.tasks import TaskLogic

WARM_UP = 5
"""Images before the measurement: first passes choose kernels and fill caches."""

MEASURED = 100
LONGEST_SECONDS = 10.0
_LEAST = 10
_DIFFERENT = 16


def measure_latency(
    model: nn.Module, logic: TaskLogic, loader: Loader, frames: Frames
) -> Latency | None:
    """Time single images through a model in evaluation mode; None where there are no images.

    A slow model is timed on fewer images, at least ten, so that it takes about ten seconds.

    Args:
        model: on its device.
        logic: makes the rows of a prediction.
        loader: of the framed images.
        frames: those images; the first few are timed in turn.
    """
    rows = [np.array([n]) for n in range(min(len(frames), _DIFFERENT))]
    if not rows:
        return None
    inputs = list(loader.batches(frames, rows))
    milliseconds: list[float] = []
    began = time.perf_counter()
    with torch.inference_mode():
        for n, (row, image) in enumerate(cycle(zip(rows, inputs, strict=True))):
            start = time.perf_counter()
            logic.predict(model, image, row, frames)  # the rows are on the CPU: it has finished
            if n >= WARM_UP:
                milliseconds.append((time.perf_counter() - start) * 1000)
            slow = time.perf_counter() - began > LONGEST_SECONDS and len(milliseconds) >= _LEAST
            if slow or len(milliseconds) == MEASURED:
                break
    return Latency(
        p50_ms=float(np.percentile(milliseconds, 50)),
        p95_ms=float(np.percentile(milliseconds, 95)),
        images=len(milliseconds),
        device=device_name(inputs[0].device.type),
        threads=threads(),
        input_size=frames.input_size,
    )
