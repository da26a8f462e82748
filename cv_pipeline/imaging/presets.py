"""Presets: views that people in a field expect, offered where a picture has what they need.

Windows of CT are the widths and centres in common use, as Radiopaedia lists them (*Windowing
(CT)*, rID 52108). Indices are normalised differences (a − b) / (a + b): NDVI of near infrared and
red (Rouse et al., 1974), NDWI of green and near infrared (McFeeters, 1996).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cv_pipeline.imaging.color_maps import GREY
from cv_pipeline.imaging.meaning import Meaning

AUTO = "auto"


@dataclass(frozen=True)
class Preset:
    """A view of a picture.

    Attributes:
        name: what addresses call it.
        title: what people call it.
        bands: bands that are seen, or the two that an index is of; empty for the picture's own.
        index: whether the two bands are seen as their normalised difference.
        window: ends of what is seen, in the unit of the band; None for percentiles.
        map: colour map.
        each: whether percentiles are taken of each band by itself.
    """

    name: str
    title: str
    bands: tuple[int, ...] = ()
    index: bool = False
    window: tuple[float, float] | None = None
    map: str = GREY
    each: bool = False


_CT = (
    # name, title, centre and width in Hounsfield units
    ("ct_lung", "Lung", -600, 1500),
    ("ct_soft_tissue", "Soft tissue", 50, 400),
    ("ct_mediastinum", "Mediastinum", 50, 350),
    ("ct_bone", "Bone", 400, 1800),
    ("ct_brain", "Brain", 40, 80),
    ("ct_stroke", "Stroke", 40, 40),
    ("ct_subdural", "Subdural", 75, 215),
    ("ct_liver", "Liver", 30, 150),
)
_COMPOSITES = (
    # name, title, kinds seen as red, green and blue
    ("natural", "Natural colour", ("red", "green", "blue")),
    ("near_infrared", "Near-infrared false colour", ("nir", "red", "green")),
    ("short_wave", "Short-wave infrared", ("swir2", "nir", "red")),
    ("agriculture", "Agriculture", ("swir1", "nir", "blue")),
)
_INDICES = (
    # name, title, kinds of the difference, ends, colour map
    ("ndvi", "Vegetation (NDVI)", ("nir", "red"), (-0.2, 0.9), "vegetation"),
    ("ndwi", "Water (NDWI)", ("green", "nir"), (-0.8, 0.8), "water"),
)
_X_RAY = {"CR", "DX", "MG", "RF", "XA", "PX", "IO"}


def presets_of(meaning: Meaning) -> tuple[Preset, ...]:
    """The presets that a picture has what they need for; the first is what it is seen with."""
    found = [_automatic(meaning)]
    for n, window in enumerate(meaning.windows):
        name = re.sub(r"[^a-z0-9]+", "_", window.name.lower()).strip("_")[:24] or "window"
        found.append(
            Preset(f"file_{n + 1}_{name}"[:40], window.name, (0,), window=(window.low, window.high))
        )
    if meaning.windows:  # the file knows best how it wants to be seen
        found[0], found[1] = found[1], found[0]
    if meaning.modality == "CT" and meaning.bands[0].unit == "HU":
        found += [
            Preset(name, title, (0,), window=(center - width / 2, center + width / 2))
            for name, title, center, width in _CT
        ]
    if meaning.modality in _X_RAY and len(meaning.bands) == 1:
        found.append(Preset("x_ray", "X-ray", (0,)))
    for name, title, kinds in _COMPOSITES:
        bands = _numbers(meaning, kinds)
        if bands is not None and (name != "natural" or len(meaning.bands) > 3):
            found.append(Preset(name, title, bands, each=True))
    for name, title, pair, ends, colors in _INDICES:
        bands = _numbers(meaning, pair)
        if bands is not None:
            found.append(Preset(name, title, bands, index=True, window=ends, map=colors))
    for n in _thermal(meaning)[:1]:
        found += [
            Preset("thermal", "Thermal", (n,), map="inferno"),
            Preset("thermal_iron", "Thermal, iron", (n,), map="iron"),
            Preset("thermal_grey", "Thermal, white hot", (n,)),
        ]
        if meaning.modality == "thermal" and len(meaning.bands) == 1:
            thermal = next(p for p in found if p.name == "thermal")
            found = [thermal, *(p for p in found if p is not thermal)]
    return tuple(found)


def _automatic(meaning: Meaning) -> Preset:
    """Natural colour where there is any, else the first three bands or the first."""
    count = len(meaning.bands)
    natural = _numbers(meaning, ("red", "green", "blue"))
    if count > 4 and natural is not None:
        return Preset(AUTO, "Automatic", natural, each=True)
    if natural is not None:
        return Preset(AUTO, "Automatic", natural)
    colored = count >= 3 and meaning.bands[0].kind != "grey"
    return Preset(AUTO, "Automatic", (0, 1, 2) if colored else (0,), each=count > 3)


def _numbers(meaning: Meaning, kinds: tuple[str, ...]) -> tuple[int, ...] | None:
    found = [meaning.of_kind(kind) for kind in kinds]
    numbers = tuple(n for n in found if n is not None)
    return numbers if len(numbers) == len(kinds) else None


def _thermal(meaning: Meaning) -> list[int]:
    return [n for n, band in enumerate(meaning.bands) if band.kind == "thermal"]
