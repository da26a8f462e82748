from __future__ import annotations

import numpy as np
import pytest
import torch

from cv_pipeline.training import speed_facts
from cv_pipeline.training.framing import whole_frames
from cv_pipeline.training.spec import PredictionReport
from cv_pipeline.training.speed import MEASURED, WARM_UP, measure_latency


class Loader:
    def batches(self, frames, rows):
        for row in rows:
            yield torch.zeros(len(row), 3, *frames.input_size)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Only what the model does takes time, however busy the machine is."""
    clock = Clock()
    monkeypatch.setattr("cv_pipeline.training.speed.time", clock)
    return clock


class Slow:
    """Takes 2 ms an image, 10 ms for every tenth, and 50 ms for the warm-up."""

    def __init__(self, clock: Clock) -> None:
        self.seen: list[int] = []
        self._clock = clock

    def predict(self, model, images, rows, frames):
        assert images.shape == (1, 3, 8, 16)
        assert torch.is_inference_mode_enabled()
        self.seen += rows.tolist()
        n = len(self.seen)
        self._clock.now += 0.05 if n <= WARM_UP else 0.01 if n % 10 == 0 else 0.002


def frames(images: int):
    return whole_frames(np.tile([[8, 16]], (images, 1)), input_size=(8, 16))


def test_single_images_are_timed_after_a_warm_up(clock):
    logic = Slow(clock)
    found = measure_latency(torch.nn.Identity(), logic, Loader(), frames(3))
    assert found is not None
    assert found.images == MEASURED
    assert len(logic.seen) == MEASURED + WARM_UP
    assert set(logic.seen) == {0, 1, 2}
    assert (found.p50_ms, found.p95_ms) == (pytest.approx(2), pytest.approx(10))
    assert found.device
    assert found.input_size == (8, 16)


def test_a_slow_model_is_timed_on_fewer_images(monkeypatch, clock):
    monkeypatch.setattr("cv_pipeline.training.speed.LONGEST_SECONDS", 0.0)
    found = measure_latency(torch.nn.Identity(), Slow(clock), Loader(), frames(2))
    assert found is not None
    assert found.images == 10


def test_without_images_there_is_no_latency(clock):
    assert measure_latency(torch.nn.Identity(), Slow(clock), Loader(), frames(0)) is None
    report = PredictionReport(digest="a", rows=0, images=0, seconds=1.0)
    assert speed_facts(report) == {}


def test_the_facts_are_flat(monkeypatch, clock):
    monkeypatch.setattr("cv_pipeline.training.speed.MEASURED", 1)
    latency = measure_latency(torch.nn.Identity(), Slow(clock), Loader(), frames(1))
    report = PredictionReport(
        digest="a", rows=0, images=1, seconds=1.0, images_per_second=12.5, latency=latency
    )
    facts = speed_facts(report)
    assert facts["throughput_images_per_s"] == 12.5
    assert facts["latency_p95_ms"] == pytest.approx(facts["latency_p50_ms"])
    assert facts["latency_input"] == "8×16"
