"""Whether the tables of a candidate hold what their columns promise."""

from __future__ import annotations

import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import NEAR_DUPLICATES
from cv_pipeline.catalog.schemas.annotations import KINDS_OF_TASK
from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.declared import declared, with_metadata
from cv_pipeline.datasets.checks.expectation import (
    above,
    at_least,
    between,
    is_json,
    matches,
    one_of,
    present,
    unique,
    unique_together,
)
from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.validation import check_expectations
from cv_pipeline.datasets.splitting.splits import SPLITS
from cv_pipeline.datasets.statistics import MEASURES

SHA_256 = "^[0-9a-f]{64}$"
PAIR_KINDS = ("same", "mirrored", "cropped", "cropped_mirrored")
DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
RANGES = {"brightness": 1.0, "contrast": 0.5, "saturation": 1.0, "hue": 360.0}
"""Largest value of each measure that has one; the least is 0."""


def check_images_schema(context: CheckContext, threshold: float) -> Finding:
    """Check the manifest, with the images' measures, against what its columns promise.

    Ids are SHA-256 in hex, present and unique; sizes and bands are positive; splits, sample types
    and label states are known ones; measures are present and lie in their ranges.

    Args:
        context: the candidate.
        threshold: most unmet expectations that pass.

    Returns:
        Rows of schema ``validation.UNMET``.
    """
    at = pc.index_in(context.manifest["image_id"], context.measures["image_id"].combine_chunks())
    table = context.manifest
    for measure in MEASURES:
        table = table.append_column(measure, context.measures[measure].take(at))
    expectations = [
        matches("image_id", SHA_256, "a SHA-256 in hex"),
        unique("image_id"),
        *map(present, ("image_id", "split", "path", "format", "cluster", "unit", *MEASURES)),
        one_of("split", SPLITS),
        at_least("fold", 0),
        one_of("labels_state", ("labelled", "empty")),
        one_of("dtype", DTYPES),
        *[at_least(column, 1) for column in ("width", "height", "bands")],
        at_least("objects", 0),
        at_least("sharpness", 0),
        *[between(measure, 0, high) for measure, high in RANGES.items()],
    ]
    expectations += declared(context.project, "images")
    table = with_metadata(table, context.metadata, context.project)
    return check_expectations(table, expectations, key="image_id", threshold=threshold)


def check_annotations_schema(context: CheckContext, threshold: float) -> Finding:
    """Check the labels against the ontology and against what their columns promise.

    Ids are present and unique; classes are of the ontology; the kind is the task's; annotator and
    versions are named; attributes are JSON; for detection, edges are present and in order. Which
    images they are on is looked at by the check on integrity.

    Args:
        context: the candidate.
        threshold: most unmet expectations that pass.

    Returns:
        Rows of schema ``validation.UNMET``.
    """
    names = ("annotation_id", "image_id", "label", "annotator")
    expectations = [
        unique("annotation_id"),
        *map(present, (*names, "ontology_version", "guideline_version")),
        matches("annotator", r"\S", "a pseudonym"),
        one_of("label", context.record.ontology.labels),
        is_json("attributes"),
    ]
    expectations.append(one_of("kind", KINDS_OF_TASK[context.project.task]))
    if context.project.task == "detection":
        edges = ("x_min", "y_min", "x_max", "y_max")
        expectations += map(present, edges)
        expectations += [at_least("x_min", 0), at_least("y_min", 0)]
        expectations += [above("x_max", "x_min"), above("y_max", "y_min")]
    expectations += declared(context.project, "annotations")
    return check_expectations(
        context.annotations, expectations, key="annotation_id", threshold=threshold
    )


def check_metadata_schema(context: CheckContext, threshold: float) -> Finding:
    """Check the current metadata of the images; that there is none passes.

    Keys are names, they and their values are there, and no image has a key twice.

    Args:
        context: the candidate.
        threshold: most unmet expectations that pass.

    Returns:
        Rows of schema ``validation.UNMET``.
    """
    expectations = [
        matches("key", r"\S", "a name"),
        *map(present, ("image_id", "key", "value")),
        unique_together("image_id", "key"),
        *declared(context.project, "metadata"),
    ]
    return check_expectations(
        context.metadata, expectations, key="image_id", threshold=threshold, may_be_empty=True
    )


def check_near_duplicates_schema(context: CheckContext, threshold: float) -> Finding:
    """Check the near-duplicate pairs; that there are none passes.

    Ids are SHA-256 in hex, in order, no pair is there twice; kinds are known ones; distances are
    within the split rule's, and mismatches between 0 and 1.

    Args:
        context: the candidate.
        threshold: most unmet expectations that pass.

    Returns:
        Rows of schema ``validation.UNMET``.
    """
    expectations = [
        *[matches(side, SHA_256, "a SHA-256 in hex") for side in ("image_a", "image_b")],
        *map(present, NEAR_DUPLICATES.names),
        above("image_b", "image_a"),
        unique_together("image_a", "image_b"),
        one_of("kind", PAIR_KINDS),
        between("distance", 0, context.record.rule.near_duplicate_distance),
        between("mismatch", 0, 1),
        *declared(context.project, "near_duplicates"),
    ]
    return check_expectations(
        context.near_duplicates,
        expectations,
        key="image_a",
        threshold=threshold,
        may_be_empty=True,
    )
