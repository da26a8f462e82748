"""Charts as small models of where everything is drawn, for templates to write as SVG.

Pure functions of numbers. Every point says in words what it shows and where it leads, so that a
chart can be read and used without seeing it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from pydantic import BaseModel

WIDTH, HEIGHT = 720.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 16.0, 14.0, 26.0
_TICKS = 4
_MOST_X_TICKS = 7


@dataclass(frozen=True)
class Sample:
    """One number to be drawn.

    Attributes:
        x: where; ascending within a line.
        value: the number; None leaves a gap.
        words: what it is, as a sentence.
        tick: what stands below it.
        low: lower end of its interval.
        high: upper end.
        href: where it leads; empty for nowhere.
        alert: whether it stands out as wrong.
        marked: whether it is the one that is being looked at.
    """

    x: float
    value: float | None
    words: str
    tick: str = ""
    low: float | None = None
    high: float | None = None
    href: str = ""
    alert: bool = False
    marked: bool = False


class Point(BaseModel):
    """One number where it is drawn."""

    x: float
    y: float
    value: float
    words: str
    href: str = ""
    alert: bool = False
    marked: bool = False


class Tick(BaseModel):
    """A mark of an axis."""

    at: float
    text: str


class Rule(BaseModel):
    """A line across the chart: a threshold."""

    at: float
    text: str
    words: str


class Line(BaseModel):
    """A line with its points, its band and its name; ``series`` picks its colour, from 1.

    A ``guide`` is no measurement: what others are compared with, drawn faint.
    """

    name: str
    series: int
    guide: bool = False
    path: str
    band: str
    points: list[Point]


class Chart(BaseModel):
    """A chart, in the units of its own box."""

    title: str
    words: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    rules: list[Rule]


def line_chart(
    lines: Sequence[tuple[str, Sequence[Sample]]],
    *,
    title: str,
    words: str,
    threshold: tuple[float, str] | None = None,
    unit: tuple[float, float] | None = (0.0, 1.0),
    width: float = WIDTH,
    height: float = HEIGHT,
    axis: Sequence[Tick] | None = None,
    across: tuple[float, float] | None = None,
    dots: bool = True,
    zero: bool = False,
    guides: Collection[str] = (),
) -> Chart:
    """A chart of one or several lines.

    Args:
        lines: names with samples, ascending by x.
        title: what it shows.
        words: the same as a sentence, for those who do not see it.
        threshold: a number to be compared with, and what it is.
        unit: least and largest number that is possible; None where there is no bound.
        width: of the box.
        height: of the box.
        axis: marks below, at x of the samples; by default the ticks of the first line.
        across: least and largest x of the box; by default those of the samples.
        dots: whether the points are drawn, beside the lines.
        zero: whether the upright axis begins at 0.
        guides: names of the lines that others are compared with.
    """
    samples = [s for _, line in lines for s in line if _known(s.value)]
    numbers = [n for s in samples for n in (s.value, s.low, s.high) if n is not None]
    if threshold is not None:
        numbers.append(threshold[0])
    if zero:
        numbers.append(0.0)
    low, high, step = _scale([n for n in numbers if math.isfinite(n)], unit)
    places = [s.x for s in samples] or [0.0, 1.0]
    first, last = across or (min(places), max(places))
    margin = 0.0 if across else 12.0

    def along(x: float) -> float:
        inner = width - _LEFT - _RIGHT
        if last == first:
            return round(_LEFT + inner / 2, 2)
        return round(_LEFT + margin + (inner - 2 * margin) * (x - first) / (last - first), 2)

    def down(value: float) -> float:
        return round(_TOP + (height - _TOP - _BOTTOM) * (high - value) / (high - low), 2)

    drawn = [
        Line(
            name=name,
            series=number,
            guide=name in guides,
            path=_path([(along(s.x), down(s.value)) for s in line if _known(s.value)]),
            band=_band(
                [
                    (along(s.x), down(s.low), down(s.high))
                    for s in line
                    if _known(s.value) and _known(s.low) and _known(s.high)
                ]
            ),
            points=[
                Point(
                    x=along(s.x),
                    y=down(s.value),
                    value=s.value,
                    words=s.words,
                    href=s.href,
                    alert=s.alert,
                    marked=s.marked,
                )
                for s in line
                if dots and name not in guides and _known(s.value)
            ],
        )
        for number, (name, line) in enumerate(lines, start=1)
    ]
    marks = axis if axis is not None else _x_ticks(lines[0][1] if lines else ())
    return Chart(
        title=title,
        words=words,
        width=width,
        height=height,
        left=_LEFT,
        right=width - _RIGHT,
        top=_TOP,
        bottom=height - _BOTTOM,
        x_ticks=[Tick(at=along(t.at), text=t.text) for t in marks],
        y_ticks=[Tick(at=down(n), text=_number(n, step)) for n in _steps(low, high, step)],
        lines=drawn,
        rules=[]
        if threshold is None
        else [Rule(at=down(threshold[0]), text=_short(threshold[0]), words=threshold[1])],
    )


def _scale(
    numbers: Sequence[float], unit: tuple[float, float] | None
) -> tuple[float, float, float]:
    """Lower and upper end and step of an axis that holds all numbers, at round ones."""
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    if high - low < 1e-9:
        margin = 0.1 if unit else max(abs(high) * 0.1, 0.1)
        low, high = low - margin, high + margin
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= raw * 0.999)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if unit is not None:
        low, high = max(low, unit[0]), min(high, unit[1])
    return low, high, step


def _steps(low: float, high: float, step: float) -> list[float]:
    count = math.floor((high - low) / step + 1e-6)
    return [low + n * step for n in range(count + 1)]


def _x_ticks(samples: Sequence[Sample]) -> list[Tick]:
    """As many ticks as fit, evenly spread, the first and the last among them."""
    named = [s for s in samples if s.tick]
    if len(named) <= _MOST_X_TICKS:
        return [Tick(at=s.x, text=s.tick) for s in named]
    kept = {round(n * (len(named) - 1) / (_MOST_X_TICKS - 1)) for n in range(_MOST_X_TICKS)}
    return [Tick(at=named[n].x, text=named[n].tick) for n in sorted(kept)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{'L' if n else 'M'}{x:g} {y:g}" for n, (x, y) in enumerate(points))


def _band(ends: Sequence[tuple[float, float, float]]) -> str:
    """The area between the ends of intervals; a single one is drawn as a bar."""
    if len(ends) == 1:
        x, low, high = ends[0]
        return f"M{x - 4:g} {low:g} L{x + 4:g} {low:g} L{x + 4:g} {high:g} L{x - 4:g} {high:g} Z"
    if not ends:
        return ""
    there = [(x, low) for x, low, _ in ends]
    back = [(x, high) for x, _, high in reversed(ends)]
    return _path([*there, *back]) + " Z"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _number(value: float, step: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if step >= size / 10 and abs(value) >= size:  # as short as the room beside the axis
            return f"{value / size:.{0 if step >= size else 1}f}{letter}"
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
    if 0 < step < 1 and abs(step * 10**digits - round(step * 10**digits)) > 1e-9:
        digits += 1  # steps of 0.25 or 2.5
    return f"{value + 0.0:,.{digits}f}"


def _short(value: float) -> str:
    return f"{value:.3g}"
