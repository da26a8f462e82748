from __future__ import annotations

import json
import subprocess
import sys

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
    assert str(environment["torch"])[0].isdigit()


def test_hidden_gpus_do_not_count(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert execution_environment()["gpu"] == "none"


def test_hardware_is_told_in_bytes():
    assert hardware(device="cpu")["memory_bytes"] > 10**8
    assert 10**7 < peak_memory_bytes() < 10**12
