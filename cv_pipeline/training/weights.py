"""Weights as safetensors, and their digest: the identity of a model.

The digest is over the tensors by name, not over the file, so it says the same of the same weights
whatever wrote them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from cv_pipeline.errors import TrainingError


def save_weights(model: nn.Module, path: Path) -> str:
    """Write a model's weights and buffers to ``path`` and return their digest."""
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
    save_file(tensors, path)
    return tensors_digest(tensors)


def load_weights(model: nn.Module, path: Path, *, digest: str) -> None:
    """Load weights into a model.

    Args:
        model: of the same architecture.
        path: safetensors file.
        digest: what the weights must hash to.

    Raises:
        TrainingError: the file is unreadable, damaged or of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        found = tensors_digest(tensors)
        if found != digest:
            raise TrainingError(
                f"The weights in {path} are damaged: they hash to {found}, not to {digest}.",
                do="Restore the model folder from a backup, or train it anew.",
            )
        model.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"The weights in {path} cannot be loaded: {error}.", do="Train the model anew."
        ) from error


def tensors_digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over name, dtype, shape and values of tensors, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        head = f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0"
        digest.update(head.encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
