"""What TIFF files say of their bands: GDAL's metadata, page names, and what the sensor implies."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from typing import Any

import tifffile

from cv_pipeline.imaging.band_names import (
    NAIP,
    TITLES,
    band_number,
    is_naip,
    kind_of_band,
    sensor_of,
)
from cv_pipeline.imaging.meaning import Band, Meaning
from cv_pipeline.imaging.thermal_tags import thermal_meaning
from cv_pipeline.imaging.tiff import stacked_pages

_GDAL_METADATA, _GDAL_NODATA, _GEO_KEYS, _PAGE_NAME = 42112, 42113, 34735, 285
_LONGEST = 200

# An item is written on one line; a parser of whole XML would follow entities.
_ITEM = re.compile(r"<Item\b([^>]*)>([^<]*)</Item>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')

_COLORS = {"red", "green", "blue", "alpha", "grey", "gray"}
_ALPHA = {1, 2}
"""ExtraSamples of a TIFF that is transparency, associated or not."""


def tiff_meaning(data: bytes, *, bands: int, name: str = "") -> Meaning:
    """What the numbers of a TIFF mean.

    Args:
        data: the file.
        bands: bands that the decoded picture has.
        name: name of the file.

    Raises:
        ValueError, and what else tifffile raises of damaged directories.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = stacked_pages(file)
        if len(pages) > 1:
            return _stacked_meaning(pages, name)
        thermal = thermal_meaning(pages[0])
        return thermal or geographic_meaning(pages[0], bands=bands, name=name)


def _stacked_meaning(pages: Sequence[tifffile.TiffPage], name: str) -> Meaning:
    """Of pages that are one band each: each is named by its own page."""
    sensor = sensor_of(f"{_text(pages[0], 270)} {name}")
    found = []
    for n, page in enumerate(pages):
        title = (_text(page, _PAGE_NAME) or _text(page, 270)).strip()[:_LONGEST]
        if title.startswith(("{", "<", "ImageJ")):  # what programs write there of the whole
            title = ""
        kind = kind_of_band(title, sensor=sensor) if title else ""
        if kind and band_number(f" {title}") == title.upper():
            title = f"{title} {TITLES.get(kind, '')}".strip()
        found.append(Band(title or f"Band {n + 1}", kind, nodata=_nodata(page)))
    return Meaning(tuple(found), modality="multispectral" if len(found) > 3 else "")


def geographic_meaning(page: tifffile.TiffPage, *, bands: int, name: str = "") -> Meaning:
    """What the bands of a TIFF mean.

    In this order: what GDAL's metadata says of each band; the sensor that the description or the
    file's name tells of; and for a georeferenced RGB picture a fourth band that is not
    transparency, which is near infrared.

    Args:
        page: the first page.
        bands: bands that the decoded picture has.
        name: name of the file, which of single bands tells which one it is.
    """
    described = _described(page)
    text = f"{_text(page, 270)} {_text(page, 269)} {name}"
    sensor = sensor_of(text)
    found = []
    for n, band in enumerate(_by_color(page, bands, text).bands):
        own = described.get(n, {})
        title = own.get("description", "")[:_LONGEST] or band.name
        kind = kind_of_band(title, sensor=sensor) or own.get("colorinterp", "") or band.kind
        if bands == 1 and not own.get("description"):
            number = band_number(name)
            kind = kind_of_band(name, sensor=sensor) or kind
            told = TITLES.get(kind, title)
            title = f"{number} {told}" if number and sensor else told
        elif own.get("description") and sensor and kind in TITLES:
            title = f"{title} {TITLES[kind]}" if band_number(f" {title}") else title
        scale, offset = own.get("scale", "1"), own.get("offset", "0")
        found.append(
            replace(
                band,
                name=title,
                kind=kind,
                unit=own.get("unittype", "")[:16],
                scale=_number(scale, 1.0) or 1.0,
                offset=_number(offset, 0.0),
                nodata=_nodata(page),
            )
        )
    kinds = {band.kind for band in found}
    several = bool(kinds & {"nir", "swir1", "swir2", "rededge"}) and bands > 3
    thermal = kinds == {"thermal"}
    return Meaning(
        tuple(found), modality="multispectral" if several else "thermal" if thermal else ""
    )


def _by_color(page: tifffile.TiffPage, bands: int, text: str) -> Meaning:
    """Names by the colours that the file declares."""
    if bands == 4 and is_naip(text):
        return Meaning(tuple(Band(TITLES[kind], kind) for kind in NAIP))
    extra = page.tags.get(338)
    kinds = extra.value if extra is not None else ()
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    photometric = int(page.photometric)
    if photometric in (2, 3, 5, 6) and bands >= 3:
        named = [Band("Red", "red"), Band("Green", "green"), Band("Blue", "blue")]
    elif photometric in (0, 1) and bands <= 2:
        named = [Band("Grey", "grey")]
    else:
        named = []
    if bands == len(named) + 1 and len(kinds) == 1 and int(kinds[0]) in _ALPHA:
        named.append(Band("Alpha", "alpha"))
    elif bands == 4 and len(named) == 3 and _GEO_KEYS in page.tags:
        named.append(Band(TITLES["nir"], "nir"))
    return Meaning((*named, *(Band(f"Band {n + 1}") for n in range(len(named), bands))))


def _described(page: tifffile.TiffPage) -> dict[int, dict[str, str]]:
    """What GDAL says of each band: role of an item, or its name, to its text."""
    found: dict[int, dict[str, str]] = {}
    for attributes, value in _ITEM.findall(_text(page, _GDAL_METADATA)):
        own = {k.lower(): v for k, v in _ATTRIBUTE.findall(attributes)}
        if "sample" in own and own["sample"].isdecimal() and len(own["sample"]) < 6:
            role = (own.get("role") or own.get("name", "")).lower()
            text = unescape(value).strip()
            if role == "colorinterp":
                text = text.lower() if text.lower() in _COLORS else ""
            found.setdefault(int(own["sample"]), {})[role] = text
    return found


def _nodata(page: tifffile.TiffPage) -> float | None:
    text = _text(page, _GDAL_NODATA).strip("\0 ")
    number = _number(text, math.nan) if text else math.nan
    return None if math.isnan(number) else number


def _number(text: str, otherwise: float) -> float:
    with contextlib.suppress(ValueError):
        number = float(text)
        return number if math.isfinite(number) else otherwise
    return otherwise


def _text(page: tifffile.TiffPage, code: int) -> str:
    tag = page.tags.get(code)
    value: Any = tag.value if tag is not None else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
