"""Charts: whatever the numbers, everything lies within the box and nothing is left out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.inspector.charts import HEIGHT, WIDTH, Sample, Tick, line_chart

share = st.floats(0, 1, allow_nan=False)
value = st.one_of(st.none(), share, st.just(math.nan))


@given(values=st.lists(value, max_size=40), threshold=st.one_of(st.none(), share))
def test_every_known_number_is_a_point_within_the_box(values, threshold):
    samples = [
        Sample(
            x=float(n), value=v, words=f"number {n}", tick=str(n), href=f"/{n}", alert=n % 3 == 0
        )
        for n, v in enumerate(values)
    ]
    chart = line_chart(
        [("m", samples)],
        title="m",
        words="m",
        threshold=None if threshold is None else (threshold, "required"),
    )
    [line] = chart.lines
    known = [s for s in samples if s.value is not None and math.isfinite(s.value)]
    assert [(p.words, p.href, p.alert, p.value) for p in line.points] == [
        (s.words, s.href, s.alert, s.value) for s in known
    ]
    assert all(0 <= p.x <= WIDTH and 0 <= p.y <= HEIGHT for p in line.points)
    assert all(chart.top - 0.01 <= t.at <= chart.bottom + 0.01 for t in chart.y_ticks)
    assert all(chart.top - 0.01 <= r.at <= chart.bottom + 0.01 for r in chart.rules)
    assert len(chart.x_ticks) <= 7


@given(first=share, second=share)
def test_a_larger_number_is_drawn_higher(first, second):
    chart = line_chart(
        [("m", [Sample(x=0, value=first, words=""), Sample(x=1, value=second, words="")])],
        title="m",
        words="m",
    )
    a, b = chart.lines[0].points
    if abs(first - second) > 1e-3:
        assert (a.y > b.y) == (first < second)
    assert a.x < b.x


def test_an_interval_is_a_band_and_a_single_one_a_bar():
    one = Sample(x=0, value=0.5, words="", low=0.4, high=0.6)
    two = Sample(x=1, value=0.6, words="", low=0.5, high=0.7)
    bar = line_chart([("m", [one])], title="m", words="m").lines[0].band
    band = line_chart([("m", [one, two])], title="m", words="m").lines[0].band
    assert bar.startswith("M")
    assert bar.endswith("Z")
    assert band.count("L") == 3
    assert band.endswith("Z")
    none = line_chart([("m", [Sample(x=0, value=0.5, words="")])], title="m", words="m")
    assert none.lines[0].band == ""


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.6, 0.9, ["0.6", "0.7", "0.8", "0.9"]),
        (0.81, 0.84, ["0.81", "0.82", "0.83", "0.84"]),
        (0.0, 1.0, ["0.00", "0.25", "0.50", "0.75", "1.00"]),
    ],
)
def test_ticks_stand_at_round_numbers(low, high, expected):
    samples = [Sample(x=0, value=low, words=""), Sample(x=1, value=high, words="")]
    chart = line_chart([("m", samples)], title="m", words="m")
    assert [t.text for t in chart.y_ticks] == expected


def test_an_axis_of_its_own_has_its_marks_where_they_belong():
    chart = line_chart(
        [("m", [Sample(x=0.5, value=0.5, words="")])],
        title="m",
        words="m",
        axis=[Tick(at=0, text="0"), Tick(at=0.5, text="half"), Tick(at=1, text="1")],
        across=(0.0, 1.0),
    )
    left, middle, right = chart.x_ticks
    assert left.at == chart.left
    assert right.at == chart.right
    assert middle.at == chart.lines[0].points[0].x


def test_nothing_to_draw_is_an_empty_chart():
    chart = line_chart([("m", [])], title="m", words="m")
    assert chart.lines[0].points == []
    assert chart.lines[0].path == ""
