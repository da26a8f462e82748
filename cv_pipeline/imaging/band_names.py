"""What a band measures, from what it is called and from the sensor that took it.

Band orders are those that the operators publish: USGS for Landsat 4 to 9, ESA for Sentinel-2 and
USDA for NAIP.
"""

from __future__ import annotations

import re

LANDSAT_8 = {
    "B1": "coastal",
    "B2": "blue",
    "B3": "green",
    "B4": "red",
    "B5": "nir",
    "B6": "swir1",
    "B7": "swir2",
    "B8": "pan",
    "B9": "cirrus",
    "B10": "thermal",
    "B11": "thermal",
}
"""Landsat 8 and 9 (OLI and TIRS)."""

LANDSAT_4 = {
    "B1": "blue",
    "B2": "green",
    "B3": "red",
    "B4": "nir",
    "B5": "swir1",
    "B6": "thermal",
    "B7": "swir2",
    "B8": "pan",
}
"""Landsat 4, 5 and 7 (TM and ETM+)."""

SENTINEL_2 = {
    "B1": "coastal",
    "B2": "blue",
    "B3": "green",
    "B4": "red",
    "B5": "rededge",
    "B6": "rededge",
    "B7": "rededge",
    "B8": "nir",
    "B8A": "nir",
    "B9": "vapour",
    "B10": "cirrus",
    "B11": "swir1",
    "B12": "swir2",
}

NAIP = ("red", "green", "blue", "nir")

TITLES = {
    "coastal": "Coastal",
    "blue": "Blue",
    "green": "Green",
    "red": "Red",
    "rededge": "Red edge",
    "nir": "Near infrared",
    "swir1": "Short-wave infrared 1",
    "swir2": "Short-wave infrared 2",
    "pan": "Panchromatic",
    "cirrus": "Cirrus",
    "vapour": "Water vapour",
    "thermal": "Thermal",
    "grey": "Grey",
    "alpha": "Alpha",
}
"""Kind of a band to what people call it."""

_SENSORS = (
    (r"l8|l9|lc0?[89]|lo0?[89]|landsat[ _-]?[89]", LANDSAT_8),
    (r"l[457]|l[te]0?[457]|landsat[ _-]?[457]", LANDSAT_4),
    (r"s2[abc]?|sentinel[ _-]?2[abc]?", SENTINEL_2),
)
_NUMBER = re.compile(r"(?i)(?:^|[^a-z0-9])(?:s?r_|st_)?b(?:and[ _-]?)?0?(\d{1,2}a?)(?![a-z0-9])")
_WORDS = (
    (re.compile(r"(?i)^(red[ _-]?edge|re)( ?\d)?$"), "rededge"),
    (re.compile(r"(?i)^(near[ _-]?infra[ _-]?red|nir)( ?\d)?$"), "nir"),
    (re.compile(r"(?i)^(short[ _-]?wave[ _-]?infra[ _-]?red|swir)[ _-]?1?$"), "swir1"),
    (re.compile(r"(?i)^(short[ _-]?wave[ _-]?infra[ _-]?red|swir)[ _-]?2$"), "swir2"),
    (re.compile(r"(?i)^(thermal|lwir|tir|temperature)([ _-].*)?$"), "thermal"),
    (re.compile(r"(?i)^(coastal|ultra ?blue)([ _-].*)?$"), "coastal"),
    (re.compile(r"(?i)^(pan|panchromatic)$"), "pan"),
    (re.compile(r"(?i)^cirrus$"), "cirrus"),
    (re.compile(r"(?i)^(red|r)$"), "red"),
    (re.compile(r"(?i)^(green|g)$"), "green"),
    (re.compile(r"(?i)^(blue|b)$"), "blue"),
    (re.compile(r"(?i)^(gr[ae]y|luminance)$"), "grey"),
    (re.compile(r"(?i)^(alpha|mask|transparency)$"), "alpha"),
)


def kind_of_band(name: str, *, sensor: dict[str, str] | None = None) -> str:
    """What a band measures by its name; empty when that says nothing.

    Args:
        name: such as ``NIR``, ``Band 5`` or ``LC08_…_B5``.
        sensor: band numbers of the sensor; found in the name when None.
    """
    for pattern, kind in _WORDS:
        if pattern.match(name.strip()):
            return kind
    sensor = sensor or sensor_of(name)
    numbers = _NUMBER.findall(name)
    return sensor.get(f"B{numbers[-1].upper()}", "") if sensor and numbers else ""


def sensor_of(text: str) -> dict[str, str] | None:
    """Band numbers of the sensor that a file's name or description tells of."""
    return next(
        (b for p, b in _SENSORS if re.search(rf"(?i)(?<![a-z0-9])(?:{p})(?![0-9])", text)), None
    )


def band_number(name: str) -> str:
    """Number of a band as its name writes it, such as ``B5``; empty when there is none."""
    numbers = _NUMBER.findall(name)
    return f"B{numbers[-1].upper()}" if numbers else ""


def is_naip(text: str) -> bool:
    """Whether a description or a file's name is one of the National Agriculture Imagery Program."""
    named = re.search(r"(?i)(?<![a-z0-9])m_\d{7}_[ns][ew]_", text)
    return named is not None or "national agriculture imagery program" in text.lower()
