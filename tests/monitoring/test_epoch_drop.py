from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.monitoring.epoch_drop import EpochDrop, epoch_drops, summarize_drops
from cv_pipeline.project import MetricDrift

DRIFT = MetricDrift(relative_drop=0.08)


def drops(*values: float | None) -> list[EpochDrop]:
    return epoch_drops(range(1, len(values) + 1), values, drift=DRIFT)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((0.2, 0.4, 0.6), []),
        ((0.5, 0.46), [(2, "last", 1, 0.08)]),  # exactly the threshold
        ((0.5, 0.47), []),
        ((0.50, 0.48, 0.45), [(3, "best", 1, 0.10)]),  # in two steps, each within it
        ((0.5, 0.4, 0.4, 0.5), [(2, "last", 1, 0.2), (3, "best", 1, 0.2)]),  # it stays low
        ((0.5, None, 0.4), [(3, "last", 1, 0.2)]),  # an epoch without a metric is passed over
        ((0.5, math.nan, 0.4), [(3, "last", 1, 0.2)]),
        ((0.0, 0.0), []),  # nothing to fall from
        ((), []),
    ],
)
def test_drops(values, found):
    told = [(d.epoch, d.against, d.reference_epoch, pytest.approx(d.drop)) for d in drops(*values)]
    assert told == found


def test_mean_average_precision_fell_eight_percent_at_epoch_23():
    curve = [0.025 * epoch for epoch in range(1, 23)]
    [drop] = drops(*curve, curve[-1] * 0.92, curve[-1])
    assert (drop.epoch, drop.against, drop.reference_epoch) == (23, "last", 22)
    told = summarize_drops("AP", [drop], epochs=24)
    assert told == (
        "AP fell 8.0% at epoch 23, from 0.550 at epoch 22 to 0.506. It had recovered by epoch 24."
    )


def test_a_drop_that_lasts_is_said_to():
    told = summarize_drops("accuracy", drops(0.5, 0.8, 0.6, 0.6), epochs=4)
    assert told.startswith("accuracy fell 25.0% at epoch 3, from 0.800 at epoch 2 to 0.600.")
    assert told.endswith("The last epoch is 25.0% below epoch 2.")
    assert summarize_drops("AP50", [], epochs=4) == "AP50 never fell by more than is allowed."


@given(st.lists(st.floats(0, 1), max_size=12))
def test_a_drop_is_below_something_earlier_by_the_threshold_or_more(values):
    for drop in drops(*values):
        assert drop.reference == values[drop.reference_epoch - 1]
        assert drop.reference_epoch < drop.epoch
        assert drop.value <= drop.reference * (1 - 0.08) + 1e-9
        if drop.against == "best":
            assert drop.reference == max(values[: drop.epoch - 1])
    rising = sorted(values)
    assert drops(*rising) == []
