"""The gap of scored splits: what is asked of each, whatever the task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.evaluation.gap.gap import ORDER, Gap, read_gap
from cv_pipeline.evaluation.gap.likeness import Images, looks_of
from cv_pipeline.evaluation.scoring import ScoredSplit
from cv_pipeline.evaluation.slicing.facts import MEASURES, Known, image_columns
from cv_pipeline.evaluation.slicing.ratios import Sums, ratio_terms
from cv_pipeline.project import Project

RIGHT = {"detection": "F1", "classification": "accuracy"}
"""What the error is the rest of to 1: a ratio of sums over images, which has an interval."""


def split_sums(splits: Sequence[ScoredSplit], project: Project) -> dict[str, Sums]:
    """Split to its sums of what is right and of all, for all classes together."""
    labels = len(project.ontology.labels)
    return {
        s.name: ratio_terms(
            s.scorer.counts(),
            RIGHT[project.task].lower(),
            images=len(s.image_ids),
            labels=labels,
        ).whole()[labels]
        for s in splits
    }


def gap_of(
    splits: Sequence[ScoredSplit],
    *,
    project: Project,
    images: pa.Table,
    metadata: pa.Table,
    known: Known,
) -> Gap:
    """Read the errors of the predicted splits together.

    Args:
        splits: the scored splits.
        project: task, classes, and the keys that the split keeps together, which differ by intent.
        images: the manifest.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        known: what else is known.
    """
    sums = split_sums(splits, project)
    some = [s for s in splits if s.name in ORDER and sums[s.name].y > 0]
    return read_gap(
        f"1 - {RIGHT[project.task]}",
        {s.name: sums[s.name] for s in some},
        {s.name: _images(s, project, images, metadata, known) for s in some},
    )


def _images(
    split: ScoredSplit, project: Project, images: pa.Table, metadata: pa.Table, known: Known
) -> Images:
    ids = split.image_ids
    at = pc.index_in(ids, value_set=images["image_id"].combine_chunks())
    rows = images.take(at)
    objects = split.scorer.per_image()["objects"].to_numpy()
    counted = objects if project.task == "detection" else None
    together = project.dataset.split.group_by
    columns = {
        name: column
        for name, column in image_columns(rows, metadata, known, counted)
        if name not in together
    }
    looks = looks_of(
        ids,
        [
            *((known.measures, name) for name in MEASURES),
            *([(known.descriptors, "descriptor")] if len(known.descriptors) else []),
        ],
    )
    return Images(columns=columns, looks=looks, unit=unit_numbers(images, at))


def unit_numbers(images: pa.Table, rows: pa.Array) -> NDArray[np.int64]:
    """Number of the unit of some images, the same in every split; its own without a column unit.

    Args:
        images: the manifest, of all splits.
        rows: which of its rows.
    """
    units = images["unit" if "unit" in images.column_names else "image_id"].combine_chunks()
    numbers: NDArray[np.int64] = units.dictionary_encode().indices.take(rows).to_numpy()
    return numbers.astype(np.int64)
