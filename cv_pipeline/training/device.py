"""Makes torch ready: the device, the threads, and the same bits for the same specification."""

from __future__ import annotations

import torch

from cv_pipeline.training.hardware import threads


def prepare(*, seed: int) -> torch.device:
    """Seed torch, fix its threads, ask for deterministic operators and choose the device.

    On a GPU, operators without a deterministic form warn; on the CPU there is none that is used.

    Args:
        seed: of torch's global generator: initial weights and dropout.
    """
    cuda = torch.cuda.is_available()
    torch.set_num_threads(threads())
    torch.use_deterministic_algorithms(True, warn_only=cuda)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
    return torch.device("cuda" if cuda else "cpu")
