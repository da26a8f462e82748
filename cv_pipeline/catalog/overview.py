"""Every image and label of a lake on one page: what is there, what is missing, when it is done.

All numbers are of one snapshot. Rates are measured on the labels themselves, never planned ones,
and say on how many days they rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.project import Ontology

PACE_DAYS = 28
"""Most days, up to that of the last label, over which the pace of labelling is measured."""
_Z = 1.96

_IMAGES = """
SELECT
    count(*) AS total,
    coalesce(sum(bytes), 0)::BIGINT AS bytes,
    count(*) FILTER (taken_out) AS taken_out,
    count(*) FILTER (annotations_count > 0 AND NOT taken_out) AS labelled,
    count(*) FILTER (annotations_count = 0 AND NOT taken_out) AS unlabelled,
    count(*) FILTER (tags_count = 0 AND NOT taken_out) AS untouched,
    count(*) FILTER (disagreement > 0 AND NOT taken_out) AS contested,
    count(*) FILTER (annotators_count > 1 AND NOT taken_out) AS labelled_twice,
    count(*) FILTER (NOT taken_out AND n IN (
        SELECT n FROM annotations
        WHERE ontology_version <> $ontology OR guideline_version <> $guideline
    )) AS stale
FROM images
"""
_CLASSES = """
SELECT label, count(*) AS labels, count(DISTINCT n) AS images
FROM annotations WHERE n NOT IN (SELECT n FROM images WHERE taken_out)
GROUP BY label ORDER BY labels DESC, label
"""
_ANNOTATORS = """
SELECT annotator, count(*) AS labels, count(DISTINCT n) AS images, max(created_at) AS last_label_at
FROM annotations WHERE n NOT IN (SELECT n FROM images WHERE taken_out)
GROUP BY annotator ORDER BY labels DESC, annotator
"""
_FIRST_LABEL = """
SELECT n, min(created_at) AS first_at FROM annotations
WHERE created_at IS NOT NULL AND annotator <> $gold GROUP BY n
"""
_GROWTH = """
WITH ingested AS (
    SELECT strftime(ingested_at, '%Y-%m') AS month, count(*) AS images FROM images GROUP BY month
), labelled AS (
    SELECT strftime(first_at, '%Y-%m') AS month, count(*) AS images FROM first_label GROUP BY month
)
SELECT month, coalesce(i.images, 0) AS images, coalesce(l.images, 0) AS labelled
FROM ingested AS i FULL JOIN labelled AS l USING (month) ORDER BY month
"""
_PACE = """
WITH days AS (
    SELECT
        max(first_at) OVER () AS last_at,
        min(first_at) OVER () AS first_at,
        first_at::DATE AS day
    FROM first_label
)
SELECT
    last_at,
    least(last_at::DATE - first_at::DATE + 1, $most::INTEGER) AS window_days,
    count(*) AS images
FROM days WHERE day > last_at::DATE - $most::INTEGER GROUP BY last_at, first_at, day
"""


@dataclass(frozen=True)
class ImagesOverview:
    """How many images there are, and in which state; one may be in several.

    Attributes:
        total: every image that was ever ingested.
        bytes: of their files.
        taken_out: those whose pixels were taken out; the other numbers leave them aside.
        labelled: with an annotation.
        unlabelled: without one.
        untouched: with neither a tag nor a label that a person put.
        contested: on which annotators disagree.
        labelled_twice: by two annotators or more: contested images are among these.
        stale: with labels made under another ontology or guideline than the project's.
    """

    total: int
    bytes: int
    taken_out: int
    labelled: int
    unlabelled: int
    untouched: int
    contested: int
    labelled_twice: int
    stale: int


@dataclass(frozen=True)
class LabellingQueue:
    """What waits for a label, and when none will.

    Attributes:
        waiting: unlabelled images.
        images_per_day: images labelled for the first time a day, over the :data:`PACE_DAYS` days
            that end with the last label, or since the very first label where that is later; None
            when no label says when it was made.
        low: lower end of the 95 % interval of that mean, from the spread of the days.
        high: upper end.
        last_label_at: when the last of them was made.
        days: days of labelling that are left at that pace; None without one.
        estimated_end: when the queue is empty if labelling goes on from now at that pace.
        earliest: the same at ``high``.
        latest: the same at ``low``; None when that is 0.
    """

    waiting: int
    images_per_day: float | None
    low: float | None
    high: float | None
    last_label_at: datetime | None
    days: float | None
    estimated_end: datetime | None
    earliest: datetime | None
    latest: datetime | None


@dataclass(frozen=True)
class LakeOverview:
    """A lake on one page.

    Attributes:
        images: numbers of images by state.
        classes: a row a class: label, labels, images; the commonest first.
        annotators: a row an annotator: annotator, labels, images, last_label_at.
        growth: a row a month: month, images ingested, images labelled for the first time.
        quarantined: refused things by stage.
        queue: what waits for a label.
    """

    images: ImagesOverview
    classes: list[dict[str, Any]]
    annotators: list[dict[str, Any]]
    growth: list[dict[str, Any]]
    quarantined: dict[str, int]
    queue: LabellingQueue

    def to_json(self) -> dict[str, Any]:
        """The overview as plain values."""
        return asdict(self)


def lake_overview(
    relations: Mapping[str, Any], *, ontology: Ontology, quarantine: pa.Table, now: datetime
) -> LakeOverview:
    """Count what a snapshot holds.

    Args:
        relations: ``images`` and ``annotations`` of a snapshot.
        ontology: the project's: labels made under other versions are stale.
        quarantine: ``stage`` of each thing that was refused.
        now: from when on the end of labelling is estimated.
    """

    def rows(sql: str, **parameters: str | int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run_sql(
            sql, relations=relations, parameters=parameters
        ).to_pylist()
        return found

    first_label = run_sql(_FIRST_LABEL, relations=relations, parameters={"gold": GOLD_ANNOTATOR})
    relations = {**relations, "first_label": first_label}
    versions = {"ontology": ontology.version, "guideline": ontology.guideline_version}
    images = ImagesOverview(**rows(_IMAGES, **versions)[0])
    counts = quarantine["stage"].value_counts().to_pylist()
    return LakeOverview(
        images=images,
        classes=rows(_CLASSES),
        annotators=rows(_ANNOTATORS),
        growth=rows(_GROWTH),
        quarantined={c["values"]: c["counts"] for c in sorted(counts, key=lambda c: c["values"])},
        queue=_queue(images.unlabelled, rows(_PACE, most=PACE_DAYS), now),
    )


def _queue(waiting: int, days: list[dict[str, Any]], now: datetime) -> LabellingQueue:
    """The queue at the pace of some days, of which those without a label are left out."""
    if not days:
        return LabellingQueue(waiting, *[None] * 8)
    labelled, count = [d["images"] for d in days], days[0]["window_days"]
    mean = sum(labelled) / count
    variance = sum(n * n for n in labelled) / count - mean**2
    margin = _Z * math.sqrt(max(variance, 0.0) / count)
    low, high = max(mean - margin, 0.0), mean + margin
    return LabellingQueue(
        waiting=waiting,
        images_per_day=mean,
        low=low,
        high=high,
        last_label_at=days[0]["last_at"],
        days=waiting / mean,
        estimated_end=_after(now, waiting, mean),
        earliest=_after(now, waiting, high),
        latest=_after(now, waiting, low),
    )


def _after(now: datetime, waiting: int, pace: float) -> datetime | None:
    """When ``waiting`` images are labelled; None where that is beyond all calendars."""
    try:
        return now + timedelta(days=waiting / pace)
    except (ZeroDivisionError, OverflowError):
        return None
