"""Weights as safetensors, and the digest of a model: its identity.

The digest is over what the weights are and what they mean, not over files, so it says the same of
the same model whatever wrote it, and another thing of equal weights with other class names.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import nn

from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.model_folder import WEIGHTS_FILE, Meaning, read_model_card

SCHEMA_ID = "model/1"


def save_weights(model: nn.Module, path: Path, *, meaning: Meaning) -> str:
    """Write a model's weights and buffers to ``path`` and return the model's digest.

    Args:
        model: the network.
        path: safetensors file to write.
        meaning: what the weights mean.
    """
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
    save_file(tensors, path)
    return model_digest(tensors, meaning)


def load_weights(model: nn.Module, path: Path, *, meaning: Meaning, digest: str) -> None:
    """Load weights into a model.

    Args:
        model: of the same architecture.
        path: safetensors file.
        meaning: what the weights mean, by the card beside them.
        digest: of the model: what weights and meaning must hash to.

    Raises:
        TrainingError: the file is unreadable, damaged or of another architecture, or the card
            was changed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        found = model_digest(tensors, meaning)
        if found != digest:
            raise TrainingError(
                f"The weights in {path} or the card beside them are damaged: they hash to {found},"
                f" not to {digest}.",
                do="Restore the model folder from a backup, or train it anew.",
            )
        model.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"The weights in {path} cannot be loaded: {error}.", do="Train the model anew."
        ) from error


def verify_model(folder: Path) -> list[str]:
    """Hash the weights and the card of a model folder again.

    Returns:
        A sentence when they are not what the card's digest says; none when all is well.

    Raises:
        TrainingError: it cannot be read at all.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    card = read_model_card(folder)
    try:
        found = model_digest(load_file(folder / WEIGHTS_FILE), card.meaning)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"The weights in {folder} cannot be read: {error}.", do="Train the model anew."
        ) from error
    if found != card.digest:
        return [f"Its weights and card hash to {found}, not to {card.digest}."]
    return []


def model_digest(tensors: dict[str, torch.Tensor], meaning: Meaning) -> str:
    """SHA-256 of a model: :func:`combined_digest` of three texts.

    1. ``model/1``, the version of this definition;
    2. the meaning as canonical JSON: an object of ``architecture``, ``dataset_digest``,
       ``input_size`` (height, width), ``labels`` (in order of class index), ``normalisation``
       (an object of ``mean`` and ``std``, each red, green, blue) and ``task``; keys sorted, no
       blanks, ASCII, numbers in their shortest form;
    3. the digest of the tensors, :func:`tensors_digest`.
    """
    canonical = json.dumps(
        meaning.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return combined_digest(SCHEMA_ID, canonical, tensors_digest(tensors))


def tensors_digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over name, dtype, shape and values of tensors, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        head = f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0"
        digest.update(head.encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
