"""How a picture is to be seen, as plain settings with one canonical text."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cv_pipeline.errors import ImageError, nearest
from cv_pipeline.imaging.color_maps import COLOR_MAPS

_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e30, le=1e30)]

_PRESET = re.compile(r"[a-z0-9_]{0,40}")


class ViewSettings(BaseModel):
    """What is seen of a picture; what is left out is chosen by the picture itself.

    Attributes:
        preset: name of a preset; the other settings go before its own.
        bands: numbers of one band, or of those seen as red, green and blue.
        low: value seen black, in the unit of the band: one for all, or one for each.
        high: value seen white.
        gamma: above 1 makes the middle brighter, below 1 darker.
        map: name of a colour map, for one band.
        invert: bright and dark are exchanged.
        frame: which picture of a file that has several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = ""
    bands: tuple[Annotated[int, Field(ge=0, le=100_000)], ...] = ()
    low: tuple[_Number, ...] = ()
    high: tuple[_Number, ...] = ()
    gamma: float = Field(1.0, ge=0.1, le=10.0)
    map: str = ""
    invert: bool = False
    frame: int = Field(0, ge=0, le=1_000_000)

    @field_validator("preset")
    @classmethod
    def _is_preset(cls, value: str) -> str:
        if not _PRESET.fullmatch(value):
            raise ValueError("a preset's name has lower-case letters, digits and _")
        return value

    @field_validator("bands")
    @classmethod
    def _are_bands(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) not in (0, 1, 3):
            raise ValueError("one band is seen, or three")
        return value

    @field_validator("low", "high")
    @classmethod
    def _are_ends(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) not in (0, 1, 3):
            raise ValueError("one value for all bands, or one for each of three")
        return tuple(v + 0.0 for v in value)  # -0.0 is 0.0

    @field_validator("map")
    @classmethod
    def _is_map(cls, value: str) -> str:
        if value and value not in COLOR_MAPS:
            raise ValueError(f"there is no colour map {value!r}. {nearest(value, COLOR_MAPS)}")
        return value

    @model_validator(mode="after")
    def _windows_are_open(self) -> ViewSettings:
        if self.low and self.high:
            count = max(len(self.low), len(self.high))
            pairs = zip(spread(self.low, count), spread(self.high, count), strict=True)
            if any(low >= high for low, high in pairs):
                raise ValueError("low must be less than high")
        return self

    @classmethod
    def parse(cls, text: str) -> ViewSettings:
        """Settings of their text, as an address has it.

        Raises:
            ImageError: ``bad_view``: the text cannot be understood.
        """
        given: dict[str, object] = {}
        try:
            for name, value in parse_qsl(text, max_num_fields=16, strict_parsing=bool(text)):
                listed = name in ("bands", "low", "high")
                given[name] = value.split(",") if listed else value
        except ValueError as error:
            raise ImageError(
                f"The view {text[:100]!r} is no query: {error}.", reason="bad_view"
            ) from error
        return cls.of(given)

    @classmethod
    def of(cls, given: dict[str, object]) -> ViewSettings:
        """Settings of values as an address has them.

        Raises:
            ImageError: ``bad_view``: a value is not allowed.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "view"
            told = first["msg"].removeprefix("Value error, ")
            raise ImageError(
                f"The view is not understood: {where}: {told}.",
                reason="bad_view",
                do="Leave it out, or choose from what the image's pixels say.",
            ) from error

    def text(self) -> str:
        """Canonical text: what differs from the default, in a fixed order, as in an address."""
        parts = []
        for name in ("preset", "bands", "low", "high", "gamma", "map", "invert", "frame"):
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                parts.append(f"{name}={_written(value)}")
        return "&".join(parts)

    def digest(self) -> str:
        """SHA-256 of the canonical text, 32 hexadecimal digits."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:32]


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, tuple):
        return ",".join(_written(v) for v in value)
    return str(value)


def spread(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    """One value for each of ``count``: the same for all where there is only one."""
    return values * count if len(values) == 1 else values
