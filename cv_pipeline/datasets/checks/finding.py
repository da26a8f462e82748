"""What a check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Finding:
    """The outcome of a check, before the project's severity is applied.

    Attributes:
        passed: whether what was found is within the threshold.
        summary: one plain sentence with the numbers.
        metrics: numbers that can be plotted over time.
        rows: what was found, a row each; the check's module names the schema.
    """

    passed: bool
    summary: str
    metrics: Mapping[str, float]
    rows: pa.Table


DIVIDE_ANEW = (
    " Splits that the source declares are kept, and so are those that earlier versions gave, unless"
    " another dataset.split.seed divides anew."
)
"""What to do about images that a kept split parts."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, such as ``1 image`` or ``1,200 images``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
