from __future__ import annotations

import hashlib
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.model_folder import Meaning, Normalisation
from cv_pipeline.training.weights import (
    load_weights,
    model_digest,
    save_weights,
    tensors_digest,
)

NORMALISATION = Normalisation(mean=(120.0, 110.5, 99.0), std=(60.0, 61.0, 62.25))
MEANING = Meaning(
    architecture="resnet18_small",
    task="classification",
    labels=("blue", "red"),
    input_size=(48, 64),
    normalisation=NORMALISATION,
    dataset_digest="d" * 64,
)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_weights_come_back(tmp_path):
    model, other = network(), nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    digest = save_weights(model, tmp_path / "w", meaning=MEANING)
    load_weights(other, tmp_path / "w", meaning=MEANING, digest=digest)
    assert model_digest(other.state_dict(), MEANING) == digest
    assert model_digest(model.state_dict(), MEANING) == digest


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "resnet18"},
        {"task": "detection"},
        {"labels": ("blue", "crimson")},
        {"labels": ("red", "blue")},
        {"input_size": (64, 48)},
        {"normalisation": NORMALISATION.model_copy(update={"std": (60.0, 61.0, 62.5)})},
        {"dataset_digest": "e" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_weights_with_another_meaning_are_another_model(tmp_path, change):
    other = MEANING.model_copy(update=change)
    digest = save_weights(network(), tmp_path / "w", meaning=MEANING)
    assert save_weights(network(), tmp_path / "w", meaning=MEANING) == digest
    assert save_weights(network(), tmp_path / "w", meaning=other) != digest
    with pytest.raises(TrainingError, match="or the card beside them are damaged"):
        load_weights(network(), tmp_path / "w", meaning=other, digest=digest)


def test_the_digest_is_as_documented():
    """Recorded digests must stay valid: a change here needs another SCHEMA_ID."""
    tensors = {"a": torch.arange(3, dtype=torch.float32)}
    head = b"a\0torch.float32\0(3,)\0"
    weights = hashlib.sha256(head + struct.pack("<3f", 0, 1, 2)).hexdigest()
    meaning = (
        '{"architecture":"resnet18_small","dataset_digest":"' + "d" * 64 + '",'
        '"input_size":[48,64],"labels":["blue","red"],"normalisation":'
        '{"mean":[120.0,110.5,99.0],"std":[60.0,61.0,62.25]},"task":"classification"}'
    )
    text = "".join(f"{len(part)}:{part}" for part in ("model/1", meaning, weights))
    assert model_digest(tensors, MEANING) == hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=8
    )
)
def test_the_digest_is_of_names_and_values(values):
    tensor = torch.tensor(values)
    digest = tensors_digest({"a": tensor, "b": tensor})
    assert tensors_digest({"b": tensor.clone(), "a": tensor.clone()}) == digest
    assert tensors_digest({"a": tensor, "c": tensor}) != digest
    assert tensors_digest({"a": tensor[None], "b": tensor}) != digest
    assert tensors_digest({"a": tensor.double(), "b": tensor}) != digest
    changed = tensor.clone()
    changed[0] += 1 + changed[0].abs()
    assert tensors_digest({"a": changed, "b": tensor}) != digest


def test_a_layout_in_memory_does_not_count():
    tensor = torch.randn(2, 3, 4, 4)
    assert tensors_digest({"a": tensor.to(memory_format=torch.channels_last)}) == tensors_digest(
        {"a": tensor}
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x7f"),
            "are damaged: they hash",
        ),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "cannot be loaded"),
        (lambda path: path.unlink(), "cannot be loaded"),
    ],
    ids=["changed", "truncated", "missing"],
)
def test_damaged_weights_are_refused(tmp_path, damage, message):
    digest = save_weights(network(), tmp_path / "w", meaning=MEANING)
    damage(tmp_path / "w")
    with pytest.raises(TrainingError, match=message):
        load_weights(network(), tmp_path / "w", meaning=MEANING, digest=digest)


def test_weights_of_another_architecture_are_refused(tmp_path):
    digest = save_weights(network(), tmp_path / "w", meaning=MEANING)
    other = nn.Sequential(nn.Conv2d(3, 5, 3))
    with pytest.raises(TrainingError, match="size mismatch"):
        load_weights(other, tmp_path / "w", meaning=MEANING, digest=digest)
