from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.monitoring import EvaluationPoint, RetrainDecision, decide
from cv_pipeline.project import MetricDrift, Retraining

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DRIFT = MetricDrift(relative_drop=0.08)
RETRAINING = Retraining(cooldown_minutes=60, daily_limit=2)

numbers = st.floats(allow_nan=True, allow_infinity=True)
metrics = st.floats(0, 1)


def history(*values: float, metric: str = "AP50") -> list[EvaluationPoint]:
    return [
        EvaluationPoint(n, metric, value, NOW - timedelta(hours=len(values) - n))
        for n, value in enumerate(values)
    ]


def decided(
    points: list[EvaluationPoint],
    *,
    recent: tuple[timedelta, ...] = (),
    retraining: Retraining = RETRAINING,
) -> RetrainDecision:
    return decide(
        points,
        drift=DRIFT,
        retraining=retraining,
        now=NOW,
        recent_retrainings=[NOW - ago for ago in recent],
    )


@pytest.mark.parametrize(
    ("values", "against", "drop"),
    [
        ((0.8, 0.7), "last", 0.125),  # in one step
        ((0.80, 0.76, 0.72), "best", 0.1),  # in two, of 5 % each
        ((0.8, 0.4, 0.4), "best", 0.5),  # no further, but still far below the best
        ((0.5, 0.8, 0.46), "last", 0.425),  # the best is the last
        ((1.0, 0.92), "last", 0.08),  # exactly the threshold, but for the last binary digit
        ((0.8, 0.75), None, None),  # within it
        ((0.8, 0.9), None, None),  # better
        ((0.8, 0.0), "last", 1.0),  # down to nothing
        ((0.0, 0.0), None, None),  # nothing to fall from
        ((0.0, 0.5), None, None),
        ((-0.5, -0.9), None, None),  # no relative drop from a negative reference
        ((0.5, -0.5), "last", 2.0),
        ((0.8, math.nan, 0.7), "last", 0.125),  # what is not a number is no reference
        ((math.inf, 0.7), None, None),
    ],
)
def test_compares_with_the_last_and_the_best(values, against, drop):
    made = decided(history(*values))
    assert made.retrain is (against is not None)
    assert made.against == against
    assert made.drop == (None if drop is None else pytest.approx(drop))


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "there is no evaluation yet."),
        (history(0.7), "AP50 0.7 is the first evaluation to compare."),
        (history(math.nan, 0.7), "AP50 0.7 is the first evaluation to compare."),
        (history(0.7, math.nan), "AP50 of the newest evaluation is not a number: look at it."),
        (history(0.7, math.inf), "AP50 of the newest evaluation is not a number: look at it."),
        (history(0.8, 0.79), "AP50 0.79 is within 0.08 of the best 0.8 and of the last 0.8."),
        (
            history(0.8, 0.6),
            "AP50 fell 25.0% from the evaluation before, 0.8 to 0.6 (allowed: 8.0%).",
        ),
        (
            history(0.8, 0.75, 0.7),
            "AP50 fell 12.5% from the best so far, 0.8 to 0.7 (allowed: 8.0%).",
        ),
    ],
)
def test_says_why(points, reason):
    assert decided(points).reason == reason


def test_order_of_the_history_does_not_matter():
    points = history(0.6, 0.8, 0.7)
    assert decided(points[::-1]) == decided(points)


def test_other_metrics_are_no_reference():
    old = [EvaluationPoint(0, "AP", 0.9, NOW)]
    new = [EvaluationPoint(1, "AP50", 0.5, NOW)]
    assert decided(old + new).reason == "AP50 0.5 is the first evaluation to compare."


@pytest.mark.parametrize(
    ("recent", "retraining", "held_back"),
    [
        ((), RETRAINING, None),
        ((timedelta(minutes=61),), RETRAINING, None),
        ((timedelta(minutes=60),), RETRAINING, None),
        ((timedelta(minutes=59),), RETRAINING, "cooldown lasts until 2026-03-01 12:01 UTC"),
        ((timedelta(minutes=-5),), RETRAINING, "cooldown lasts until 2026-03-01 13:05 UTC"),
        ((timedelta(hours=2), timedelta(hours=23)), RETRAINING, "2 retrainings in 24 hours"),
        ((timedelta(hours=2), timedelta(hours=24)), RETRAINING, None),
        ((), Retraining(daily_limit=0), "switched off (daily_limit: 0)"),
        ((timedelta(0),), Retraining(cooldown_minutes=0), None),
    ],
)
def test_is_held_back(recent, retraining, held_back):
    made = decided(history(0.8, 0.6), recent=recent, retraining=retraining)
    assert made.retrain is (held_back is None)
    assert made.against == "last"  # there is drift either way
    if held_back:
        assert held_back in made.reason


@given(st.lists(numbers, max_size=20))
def test_is_defined_for_any_numbers(values):
    made = decided(history(*values))
    assert made.retrain is (made.against is not None)
    assert (made.drop is None) is (made.against is None)
    assert made.drop is None or made.drop >= 0.08 - 1e-9
    assert made.reason.endswith(".")


@given(st.lists(metrics, min_size=2, max_size=20))
def test_retrains_when_and_only_when_far_below_the_best(values):
    *earlier, newest = values
    best = max(earlier)
    far_below = best > 0 and (best - newest) / best >= 0.08 - 1e-9
    assert decided(history(*values)).retrain is far_below


@given(st.lists(metrics, min_size=1, max_size=20), st.lists(st.integers(0, 3000), max_size=5))
def test_never_exceeds_the_limits(values, minutes):
    recent = tuple(timedelta(minutes=m) for m in minutes)
    if decided(history(*values), recent=recent).retrain:
        assert sum(m < 24 * 60 for m in minutes) < 2
        assert all(m >= 60 for m in minutes)
