"""Renders bands of any type as 8-bit RGB, by settings: a pure function of numbers and settings.

A view is planned once for a picture, from what its numbers mean and how they are spread, and then
rendered for any part of it, so that tiles fit each other and the whole. Whatever the numbers are,
a picture comes out: what is no number, or no measurement, is black.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import ImageError, nearest
from cv_pipeline.imaging.color_maps import GREY, color_table
from cv_pipeline.imaging.meaning import Band, Meaning
from cv_pipeline.imaging.presets import Preset, presets_of
from cv_pipeline.imaging.view_settings import ViewSettings, spread

RENDERER = "2"
"""Changes when the same settings come to look different."""

PERCENTILES = (1.0, 99.0)
"""Between which the values of a picture are seen when nothing else says so."""

OF_EACH = (2.0, 98.0)
"""The same for bands that are combined, each by itself: roofs and clouds would leave them dark."""

_SAMPLED_SIDE = 1024
_TABLE_BITS = 16


@dataclass(frozen=True)
class Spread:
    """How the values of a band are spread, in its own unit.

    Attributes:
        least: least value; NaN when there is none.
        greatest: greatest value.
        low: 1st percentile.
        high: 99th percentile.
    """

    least: float = math.nan
    greatest: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Plan:
    """A view of one picture, with everything decided.

    Attributes:
        bands: numbers of the bands that are read: one, three, or the two of an index.
        meanings: of each of them.
        index: whether the normalised difference of the two is seen.
        low: value that is black, for each that is seen, in its unit.
        high: value that is white.
        gamma: as in the settings.
        map: colour map.
        invert: whether bright and dark are exchanged.
    """

    bands: tuple[int, ...]
    meanings: tuple[Band, ...]
    index: bool
    low: tuple[float, ...]
    high: tuple[float, ...]
    gamma: float = 1.0
    map: str = GREY
    invert: bool = False
    unit: str = field(default="")


def spread_of(band: NDArray[Any], meaning: Band) -> Spread:
    """How the values of a band are spread.

    Taken of at most about a million numbers on a regular grid.

    Args:
        band: (H, W) stored numbers.
        meaning: what they mean.
    """
    sample = _sampled(band, meaning)
    if not sample.size:
        return Spread()
    low, high = np.percentile(sample, PERCENTILES)
    return Spread(float(sample.min()), float(sample.max()), float(low), float(high))


def plan_view(settings: ViewSettings, *, meaning: Meaning, bands: Sequence[NDArray[Any]]) -> Plan:
    """Decide everything that settings leave open.

    The preset named, or else the picture's first, gives what the settings do not. Where neither
    gives a window: 8-bit numbers that mean nothing but themselves are seen as they are; all others
    from the 1st to the 99th percentile of the whole picture, of the three bands of a colour picture
    together, which keeps its hues; or, where bands are combined, from the 2nd to the 98th of each
    by itself.

    Args:
        settings: what is wanted.
        meaning: what the numbers mean.
        bands: the whole picture band by band, or a smaller copy of it.

    Raises:
        ImageError: ``bad_view``: the picture has no such preset or band.
    """
    preset = _preset(settings, meaning)
    chosen = settings.bands or preset.bands
    index = preset.index and not settings.bands
    for band in chosen:
        if band >= len(bands):
            raise ImageError(
                f"The image has {len(bands)} bands and none of number {band}.",
                reason="bad_view",
                do=f"Bands are numbered from 0 to {len(bands) - 1}.",
            )
    meanings = tuple(meaning.bands[n] for n in chosen)
    seen = 1 if index else len(chosen)
    same = not settings.bands or settings.bands == preset.bands
    window = preset.window if same else None
    if window is not None:
        low, high = (window[0],) * seen, (window[1],) * seen
    else:
        each = preset.each or not same
        low, high = _automatic([bands[n] for n in chosen], meanings, index=index, each=each)
    low = spread(settings.low, seen)[:seen] if settings.low else low
    high = spread(settings.high, seen)[:seen] if settings.high else high
    return Plan(
        bands=chosen,
        meanings=meanings,
        index=index,
        low=low,
        high=high,
        gamma=settings.gamma,
        map=(settings.map or preset.map) if seen == 1 else GREY,
        invert=settings.invert != (meaning.inverted and not index),
        unit="" if index else meanings[0].unit,
    )


def render(planes: Sequence[NDArray[Any]], plan: Plan) -> NDArray[np.uint8]:
    """Render a picture, or any part of one.

    Args:
        planes: (H, W) stored numbers of each band of the plan, in its order.
        plan: the view.

    Returns:
        (H, W, 3) uint8, C-contiguous.
    """
    if plan.index:
        values = _difference(planes, plan.meanings)
        return _seen_values(values, plan, 0, color_table(plan.map))
    if len(planes) == 1:
        table = color_table(plan.map)
        return _seen(planes[0], plan, 0, table)
    grey = color_table(GREY)
    shown = [_seen(plane, plan, n, grey)[..., 0] for n, plane in enumerate(planes)]
    return np.ascontiguousarray(np.stack(shown, axis=2))


def _seen(plane: NDArray[Any], plan: Plan, n: int, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours (H, W, 3) of one band."""
    meaning = plan.meanings[n]
    if plane.dtype.kind == "u" and plane.dtype.itemsize * 8 <= _TABLE_BITS:
        # as many colours as the type has numbers, looked up
        every = np.arange(1 << (8 * plane.dtype.itemsize), dtype=plane.dtype)
        if plane.size > every.size or plane.dtype.itemsize == 1:
            colors = _seen_values(_values(every, meaning), plan, n, table)
            looked_up: NDArray[np.uint8] = np.take(colors, plane, axis=0)
            return looked_up
    return _seen_values(_values(plane, meaning), plan, n, table)


def _seen_values(
    values: NDArray[np.floating], plan: Plan, n: int, table: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    colors: NDArray[np.uint8] = table[_levels(values, plan, n)] * _known(values)
    return colors


def _levels(values: NDArray[np.floating], plan: Plan, n: int) -> NDArray[np.uint8]:
    """Place of each value among 256."""
    low, high = plan.low[n], plan.high[n]
    width = high - low
    with np.errstate(all="ignore"):  # extremes of wide types: they are clipped
        if math.isfinite(width) and width > 0:
            share = (values - low) / width
        else:
            share = np.where(values >= high, 1.0, 0.0)
        share = np.clip(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        if plan.gamma != 1.0:
            share = share ** (1.0 / plan.gamma)
        if plan.invert:
            share = 1.0 - share
        levels: NDArray[np.uint8] = np.rint(share * 255.0).astype(np.uint8)
    return levels


def _known(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(…, 1): 1 where there is a value and 0 where there is none."""
    return np.asarray(~np.isnan(values), np.uint8)[..., None]


def _values(numbers: NDArray[Any], meaning: Band) -> NDArray[np.floating]:
    """What stored numbers mean; NaN for no measurement."""
    small = numbers.dtype.kind in "bui" and numbers.dtype.itemsize <= 2
    values: NDArray[np.floating] = numbers.astype(np.float32 if small else np.float64)
    with np.errstate(all="ignore"):
        if meaning.scale != 1.0 or meaning.offset != 0.0:
            values = values * values.dtype.type(meaning.scale) + values.dtype.type(meaning.offset)
        if meaning.nodata is not None:
            values[numbers == meaning.nodata] = np.nan
    return values


def _difference(planes: Sequence[NDArray[Any]], meanings: Sequence[Band]) -> NDArray[np.floating]:
    """Normalised difference of two bands; NaN where they add up to nothing."""
    a, b = (
        _values(plane, meaning).astype(np.float64)
        for plane, meaning in zip(planes, meanings, strict=True)
    )
    with np.errstate(all="ignore"):
        total = a + b
        return np.asarray(np.where(total != 0, (a - b) / total, np.nan), np.float64)


def _automatic(
    bands: Sequence[NDArray[Any]], meanings: Sequence[Band], *, index: bool, each: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Ends for each band that is seen."""
    if index:
        return (-1.0,), (1.0,)
    if all(
        band.dtype == np.uint8 and meaning.scale == 1.0 and meaning.offset == 0.0
        for band, meaning in zip(bands, meanings, strict=True)
    ):
        return (0.0,) * len(bands), (255.0,) * len(bands)
    samples = [_sampled(b, m) for b, m in zip(bands, meanings, strict=True)]
    shares = OF_EACH if each and len(bands) == 3 else PERCENTILES
    if not each:
        samples = [np.concatenate(samples)] * len(samples)
    ends = [np.percentile(s, shares) if s.size else (0.0, 1.0) for s in samples]
    return tuple(float(low) for low, _ in ends), tuple(float(high) for _, high in ends)


def _sampled(band: NDArray[Any], meaning: Band) -> NDArray[np.floating]:
    """Values of a band on a regular grid, those that are finite."""
    rows, columns = (max(1, math.ceil(side / _SAMPLED_SIDE)) for side in band.shape)
    values = _values(band[::rows, ::columns], meaning)
    return np.asarray(values[np.isfinite(values)], np.float64)


def _preset(settings: ViewSettings, meaning: Meaning) -> Preset:
    offered = {preset.name: preset for preset in presets_of(meaning)}
    if not settings.preset:
        return next(iter(offered.values()))
    if settings.preset not in offered:
        raise ImageError(
            f"The image has no preset {settings.preset!r}.",
            reason="bad_view",
            do=nearest(settings.preset, offered),
        )
    return offered[settings.preset]
