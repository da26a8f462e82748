from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.weights import load_weights, save_weights, tensors_digest


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_weights_come_back(tmp_path):
    model, other = network(), nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    digest = save_weights(model, tmp_path / "w")
    load_weights(other, tmp_path / "w", digest=digest)
    assert tensors_digest(other.state_dict()) == digest == tensors_digest(model.state_dict())


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=8))
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
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x7f"), "are damaged: they hash"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "cannot be loaded"),
        (lambda path: path.unlink(), "cannot be loaded"),
    ],
    ids=["changed", "truncated", "missing"],
)
def test_damaged_weights_are_refused(tmp_path, damage, message):
    digest = save_weights(network(), tmp_path / "w")
    damage(tmp_path / "w")
    with pytest.raises(TrainingError, match=message):
        load_weights(network(), tmp_path / "w", digest=digest)


def test_weights_of_another_architecture_are_refused(tmp_path):
    digest = save_weights(network(), tmp_path / "w")
    with pytest.raises(TrainingError, match="size mismatch"):
        load_weights(nn.Sequential(nn.Conv2d(3, 5, 3)), tmp_path / "w", digest=digest)
