"""What the finder is asked about a scored split, whatever the task."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.evaluation.scoring import ScoredSplit
from cv_pipeline.evaluation.slicing.clusters import look_fact
from cv_pipeline.evaluation.slicing.facts import Fact, Known, declared_facts, image_facts
from cv_pipeline.evaluation.slicing.finder import Setting, find_slices
from cv_pipeline.project import Project


def split_facts(
    scored: ScoredSplit, *, project: Project, images: pa.Table, metadata: pa.Table, known: Known
) -> tuple[list[Fact], list[str]]:
    """All that is known of the images of a split, looks and declared queries included.

    Args:
        scored: the split.
        project: task, and the least size of a slice.
        images: the manifest.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        known: what else is known.

    Returns:
        The facts, and a sentence for each thing known that makes no slices.
    """
    rows = images.take(pc.index_in(scored.image_ids, value_set=images["image_id"].combine_chunks()))
    least = project.evaluation.min_slice
    is_detection = project.task == "detection"
    objects = scored.scorer.per_image()["objects"].to_numpy() if is_detection else None
    facts, left_out = image_facts(rows, metadata, known, objects=objects, least=least)
    look = look_fact(scored.image_ids, known.descriptors, facts, least=least)
    declared = declared_facts(scored.image_ids, known.declared)
    return [*facts, *declared, *([look] if look else [])], left_out


def find_worst_slices(scored: ScoredSplit, facts: Sequence[Fact], *, project: Project) -> pa.Table:
    """The worst slices of a split by what is known of its images: schema WORST_SLICES."""
    setting = Setting(
        split=scored.name,
        image_ids=scored.image_ids,
        counts=scored.scorer.counts(),
        labels=project.ontology.labels,
        overall="recall" if project.task == "detection" else "accuracy",
        least=project.evaluation.min_slice,
        matches=scored.scorer.matches(),
    )
    return find_slices(setting, facts)
