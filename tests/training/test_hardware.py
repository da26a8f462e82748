from __future__ import annotations

import json
import subprocess
import sys

import pynvml
import pytest

from cv_pipeline.training.hardware import (
    execution_environment,
    hardware,
    peak_memory_bytes,
    threads,
)

HEAVY = ("torch", "torchvision", "lightning", "mlflow", "nvidia.dali", "pandas", "sklearn", "scipy")


def test_importing_the_package_costs_nothing_heavy():
    code = f"import sys, cv_pipeline.training; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(("value", "expected"), [("3", 3), ("2,4", 2)])
def test_threads_follow_the_environment(monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads() == expected
    assert execution_environment()["threads"] == expected


@pytest.mark.parametrize("value", ["", "0", "all"])
def test_without_a_usable_number_all_cores_count(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads() >= 1


def test_the_environment_is_json_and_repeats():
    environment = execution_environment()
    assert environment == execution_environment()
    assert json.loads(json.dumps(environment)) == environment
    for name in ("torch", "pillow", "simplejpeg", "tifffile", "imagecodecs"):
        assert str(environment[name])[0].isdigit(), name


def test_telling_the_environment_imports_no_torch():
    code = (
        "import sys; from cv_pipeline.training import execution_environment\n"
        f"execution_environment(); print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.fixture
def three_gpus(monkeypatch):
    """A driver with three GPUs, the first cut into parts."""
    names = {"GPU-a1": "A100", "GPU-a2": "H100", "GPU-b3": "L4"}
    parts = {"MIG-x": "A100 MIG 1g.5gb"}

    def by_uuid(identity):
        if identity not in parts:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return identity

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(names))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda i: list(names)[i])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", by_uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: handle)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: (names | parts)[handle])


@pytest.mark.parametrize(
    ("visible", "gpu"),
    [
        (None, "A100, H100, L4"),
        ("", "none"),
        ("-1", "none"),
        ("1", "H100"),
        ("2, 0", "L4, A100"),
        ("1,-1,0", "H100"),
        ("0,9,1", "A100"),
        ("1,1", "none"),
        ("GPU-b", "L4"),
        ("GPU-a", "none"),  # the beginning of two
        ("GPU-a2,GPU-gone,GPU-b3", "H100"),
        ("MIG-x", "A100 MIG 1g.5gb"),
        ("MIG-gone", "none"),
        ("NoDevFiles", "none"),
    ],
)
@pytest.mark.usefixtures("three_gpus")
def test_the_gpus_are_those_that_cuda_would_show(monkeypatch, visible, gpu):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert execution_environment()["gpu"] == gpu


def test_hardware_is_told_in_bytes():
    assert hardware(device="cpu")["memory_bytes"] > 10**8
    assert 10**7 < peak_memory_bytes() < 10**12
