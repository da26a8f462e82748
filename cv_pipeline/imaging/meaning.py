"""What the numbers of a picture mean: names and units of its bands, and how it wants to be seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Band:
    """One band of a picture.

    Attributes:
        name: what the file calls it, or what it must be by the rest of what the file says.
        kind: what it measures, where that is known: ``red``, ``nir``, ``thermal``, …
        unit: unit of its values, such as ``HU`` or ``°C``; empty for numbers without one.
        scale: value = stored number × scale + offset.
        offset: see ``scale``.
        nodata: stored number that stands for no measurement; None when there is none.
    """

    name: str
    kind: str = ""
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None

    def value(self, stored: float) -> float:
        """What a stored number means; NaN for no measurement."""
        if self.nodata is not None and stored == self.nodata:
            return math.nan
        return stored * self.scale + self.offset


@dataclass(frozen=True)
class Window:
    """A range of values that a file wants to be seen between black and white.

    Attributes:
        name: what the file calls it.
        low: value that is black, in the band's own unit.
        high: value that is white.
    """

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Meaning:
    """What a picture's numbers mean.

    Attributes:
        bands: its bands, in order.
        windows: windows that the file asks for; the first is what it is shown with.
        modality: ``CT``, ``MR``, …, as DICOM writes it; ``thermal``, ``multispectral`` or empty.
        frames: pictures in the file, of which one at a time is read.
        inverted: whether the file's low numbers are bright, and were turned round when read.
    """

    bands: tuple[Band, ...]
    windows: tuple[Window, ...] = field(default=())
    modality: str = ""
    frames: int = 1
    inverted: bool = False

    def of_kind(self, kind: str) -> int | None:
        """Number of the first band of a kind; None when there is none."""
        return next((n for n, band in enumerate(self.bands) if band.kind == kind), None)


def plain_meaning(bands: int) -> Meaning:
    """What a picture means that says nothing of itself: grey or RGB, and transparency last."""
    grey = [Band("Grey", "grey"), Band("Alpha", "alpha")]
    color = [Band("Red", "red"), Band("Green", "green"), Band("Blue", "blue")]
    known = grey if bands <= 2 else [*color, Band("Alpha", "alpha")]
    more = [Band(f"Band {n + 1}") for n in range(bands)]
    return Meaning(tuple((known if bands <= 4 else more)[:bands]))
