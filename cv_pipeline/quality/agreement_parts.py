"""Where annotators disagree: by class, by pair of annotators, by edge case, the worst first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.quality.agreement import LOOKED, Agreement, box_agreement, label_agreement
from cv_pipeline.quality.krippendorff import Alpha

MOST_PEOPLE = 12
"""Annotators whose pairs are compared: those who labelled most."""
_RESAMPLES = 200

Kind = Literal["class", "pair", "edge case"]


@dataclass(frozen=True)
class Part:
    """How far annotators agree on a part of what they labelled.

    Attributes:
        kind: class, pair or edge case.
        name: the class, both annotators, or the edge case as it is declared.
        alpha: Krippendorff's α there.
        images: images that it is reckoned from; None for a class, whose α is over all of them.
        people: both annotators of a pair; empty for others.
    """

    kind: Kind
    name: str
    alpha: Alpha
    images: int | None = None
    people: tuple[str, ...] = ()

    def fails(self, least: float) -> bool:
        """Whether its α is known and below what is asked for."""
        return self.alpha.value is not None and self.alpha.value < least


def agreement_parts(
    found: Agreement,
    rows: pa.Table,
    *,
    looked: pa.Table | None,
    least_iou: float,
    cases: Mapping[str, pa.Array] | None = None,
    seed: int = 0,
) -> tuple[Part, ...]:
    """How far annotators agree on each class, edge case and pair of them, the worst first.

    Args:
        found: how far they agree in all.
        rows: what that is of, as :func:`box_agreement` or :func:`label_agreement` takes it.
        looked: who labelled which image, as ``LOOKED``; None for the classes of images.
        least_iou: overlap from which two boxes may be the same object.
        cases: edge case to the ids of its images.
        seed: of the bootstrap of the intervals.
    """
    plan = Resampling(resamples=_RESAMPLES, seed=seed)

    def agreed(chosen: pa.Table, seen: pa.Table | None) -> Agreement:
        if found.objects is None:
            return label_agreement(chosen, resampling=plan)
        return box_agreement(chosen, looked=seen, least_iou=least_iou, resampling=plan)

    def of(column: str, values: pa.Array) -> Agreement:
        seen = None if looked is None else looked.filter(pc.is_in(looked[column], values))
        return agreed(rows.filter(pc.is_in(rows[column], values)), seen)

    parts = [Part("class", label, alpha) for label, alpha in found.per_label.items()]
    for case, images in (cases or {}).items():
        told = of("image_id", images)
        parts.append(Part("edge case", case, told.alpha, told.images))
    for pair in combinations(_people(rows, looked), 2):
        told = of("annotator", pa.array(pair, pa.string()))
        if told.images:
            parts.append(Part("pair", " and ".join(pair), told.alpha, told.images, pair))
    return tuple(sorted(parts, key=_badness))


def _people(rows: pa.Table, looked: pa.Table | None) -> list[str]:
    """The annotators who labelled most images, by name."""
    pairs = rows.select(LOOKED.names) if looked is None else looked.select(LOOKED.names)
    counted = pairs.group_by("annotator").aggregate([("image_id", "count_distinct")])
    order = counted.sort_by([("image_id_count_distinct", "descending"), ("annotator", "ascending")])
    names = [name for name in order["annotator"].to_pylist() if name != GOLD_ANNOTATOR]
    return sorted(names[:MOST_PEOPLE])


def _badness(part: Part) -> tuple[float, str, str]:
    value = part.alpha.value
    return (math.inf if value is None else value, part.kind, part.name)
