"""What an evaluation finds by itself: the worst slices, the reading of the gap, suspicions."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.evaluation.gap.gap import Gap
from cv_pipeline.evaluation.gap.splits import RIGHT, gap_of, split_sums
from cv_pipeline.evaluation.predicted import Predicted
from cv_pipeline.evaluation.scoring import Scoring
from cv_pipeline.evaluation.slicing.facts import Known
from cv_pipeline.evaluation.slicing.slices import WHOLE
from cv_pipeline.evaluation.slicing.worst import find_worst_slices, split_facts
from cv_pipeline.evaluation.suspicion import (
    Suspicion,
    better_than_train,
    near_perfect,
    property_alone,
)
from cv_pipeline.project import Project


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found.

    Attributes:
        worst_slices: schema WORST_SLICES, of the headline split.
        left_out: a sentence for each thing known of the images that makes no slices.
        gap: the errors of all splits, read together.
        suspicions: what is too good to be true.
    """

    worst_slices: pa.Table
    left_out: tuple[str, ...]
    gap: Gap
    suspicions: tuple[Suspicion, ...]


def look_into(
    scoring: Scoring,
    split: str,
    *,
    project: Project,
    source: Predicted,
    metadata: pa.Table,
    known: Known,
    slices: pa.Table,
) -> Findings:
    """Look for bad slices, read the gap between the splits, and suspect what is too good.

    Args:
        scoring: the scored splits.
        split: the headline split; slices of no other are looked for.
        project: what the evaluation is for.
        source: what it reads.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        known: what else is known of the images.
        slices: schema SLICES of all splits.
    """
    scored = next(s for s in scoring.splits if s.name == split)
    facts, left_out = split_facts(
        scored, project=project, images=source.images, metadata=metadata, known=known
    )
    gap = gap_of(
        scoring.splits, project=project, images=source.images, metadata=metadata, known=known
    )
    verdicts = source.verdicts
    suspicions = [
        *near_perfect(
            metric=project.metric,
            value=_headline(slices, split, project.metric),
            split=split,
            images=len(scored.image_ids),
            verdicts=verdicts,
        ),
        *better_than_train(
            split_sums(scoring.splits, project),
            split=split,
            what=RIGHT[project.task],
            verdicts=verdicts,
        ),
        *property_alone(
            scored.scorer.counts(),
            facts,
            images=len(scored.image_ids),
            labels=project.ontology.labels,
            verdicts=verdicts,
        ),
    ]
    return Findings(
        worst_slices=find_worst_slices(scored, facts, project=project),
        left_out=tuple(left_out),
        gap=gap,
        suspicions=tuple(suspicions),
    )


def _headline(slices: pa.Table, split: str, metric: str) -> float | None:
    """The metric on a whole split, for all classes."""
    rows = slices.filter(
        (pc.field("slice_key") == WHOLE)
        & (pc.field("split") == split)
        & (pc.field("metric") == metric)
        & pc.field("label").is_null()
    )
    value: float | None = rows["value"][0].as_py() if len(rows) else None
    return value
