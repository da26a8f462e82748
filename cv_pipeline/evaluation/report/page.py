"""The report of an evaluation as one HTML page that needs nothing beside itself.

Pictures are inlined, there is no script, and every text that comes from data is escaped: labels,
tags and file names may hold anything.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cv_pipeline.evaluation.report.pictures import Picture
from cv_pipeline.evaluation.verdict.verdict import Verdict

_TEMPLATE = "page.html"


@dataclass(frozen=True)
class Gallery:
    """Some pictures with a sentence above them, and the command that leads to all of them."""

    title: str
    pictures: Sequence[Picture]
    command: str
    text: str = ""


@dataclass(frozen=True)
class Number:
    """A number, with its 95 % interval where one is known; leading ones are shown large."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    leading: bool = False


@dataclass(frozen=True)
class Chart:
    """A picture that was drawn from numbers, with what it shows in words; wide ones stand alone."""

    title: str
    png: bytes
    alt: str
    wide: bool = False

    @property
    def uri(self) -> str:
        """The PNG as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class Grid:
    """A table: heads, and rows of texts; the columns from ``numbers`` on are right-aligned."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 1


@dataclass(frozen=True)
class Page:
    """All that a report tells.

    Attributes:
        project: name of the project.
        problem: what it is for.
        task: detection or classification.
        split: the split that the numbers are of.
        images: images of it.
        objects: objects on them.
        made: when the evaluation was made, in words.
        numbers: headline numbers, the optimizing metric first.
        verdict: on the requirements.
        costs: cost in words to its value in words.
        worst: galleries of the worst slices, each a sentence.
        slices: declared slices.
        classes: numbers by class.
        errors: kinds of error.
        charts: charts, in order.
        hardest: the hardest images.
        confident: the most confident mistakes.
        label_errors: labels that are likely to be wrong.
        activation: where the model looks, by slice.
        gap: sentences on train, val and test.
        gap_table: the errors of the splits.
        suspicions: what is too good to be true.
        comparison: sentences on the champion.
        notes: sentences on what is unusual.
        conventions: what the numbers mean.
        provenance: what it was made from.
        commands: how to make it again and go on.
    """

    project: str
    problem: str
    task: str
    split: str
    images: int
    objects: int
    made: str
    numbers: Sequence[Number]
    verdict: Verdict
    costs: Mapping[str, str]
    worst: Sequence[Gallery]
    slices: Grid
    classes: Grid
    errors: Grid
    charts: Sequence[Chart]
    hardest: Gallery
    confident: Gallery
    label_errors: Gallery
    activation: Grid
    gap: Sequence[str]
    gap_table: Grid
    suspicions: Sequence[Mapping[str, Any]]
    comparison: Sequence[str]
    notes: Sequence[str]
    conventions: Mapping[str, str]
    provenance: Mapping[str, str]
    commands: Sequence[str] = field(default_factory=tuple)


def render(page: Page) -> str:
    """The page as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(page=page)
