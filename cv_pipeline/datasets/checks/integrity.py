"""Whether a candidate fits together: every row leads somewhere and every box is a box."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas.annotations import KINDS_OF_TASK
from cv_pipeline.datasets.checks.context import CheckContext, numbered
from cv_pipeline.datasets.checks.finding import Finding, counted

PROBLEMS = pa.schema(
    [
        # kind: repeated_image, unknown_image, stray_label, repeated_annotation, bad_box, …
        pa.field("problem", pa.string(), nullable=False),
        # the image; null when the whole candidate is meant
        pa.field("image_id", pa.string()),
        # the label; null when the image is meant
        pa.field("annotation_id", pa.string()),
    ]
)
EDGES = ("x_min", "y_min", "x_max", "y_max")


def check_integrity(context: CheckContext, threshold: float) -> Finding:
    """Look for rows that lead nowhere, are there twice, or say what cannot be.

    Counted as problems: no images or no labels at all; an image named twice, or that the catalogue
    does not hold; a label named twice, or on an image that the candidate does not name; a box with
    an edge that is missing or not finite, that is inverted or empty, or that leaves the picture; a
    second class on a classified image. Only told: images left out because they could not be read,
    what the quarantine holds, and boxes that are there twice with one label.

    Args:
        context: the candidate.
        threshold: most problems that pass.

    Returns:
        Rows of schema :data:`PROBLEMS`.
    """
    manifest, annotations = context.manifest, context.annotations
    found = [
        _images("repeated_image", _repeated(manifest["image_id"])),
        _images("unknown_image", _not_in(manifest["image_id"], context.stored)),
        _labels("repeated_annotation", annotations, _is_repeated(annotations["annotation_id"])),
        _labels("stray_label", annotations, pa.array(context.image_of_label < 0)),
    ]
    if context.project.task == "detection":
        found.append(_labels("bad_box", annotations, _is_bad_box(context)))
    else:
        found.append(_images("second_class", _repeated(annotations["image_id"])))
    for name, table in (("no_images", manifest), ("no_labels", annotations)):
        if not len(table):
            found.append(pa.Table.from_pylist([{"problem": name}], schema=PROBLEMS))
    rows = pa.concat_tables(found)
    stages = Counter(context.quarantine["stage"].to_pylist())
    metrics = {
        "problems": len(rows),
        "images": len(manifest),
        "labels": len(annotations),
        "left_out": context.record.left_out,
        "repeated_boxes": _repeated_boxes(context),
        "quarantined_files": stages["raw_images"],
        "quarantined_annotations": stages["annotation_exports"],
    }
    return Finding(len(rows) <= threshold, _summary(rows, metrics), metrics, rows)


def _summary(rows: pa.Table, metrics: dict[str, int]) -> str:
    what = f"{counted(metrics['images'], 'image')} with {counted(metrics['labels'], 'label')}"
    if len(rows):
        kinds = Counter(rows["problem"].to_pylist())
        listed = ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items()))
        head = f"{what}: {counted(len(rows), 'problem')} ({listed})"
    else:
        head = f"{what} fit together"
    told = [
        f"{counted(metrics[key], noun)} {verb}"
        for key, noun, verb in (
            ("left_out", "selected image", "left out as unreadable"),
            ("repeated_boxes", "box", "drawn twice"),
            ("quarantined_files", "file", "in quarantine"),
            ("quarantined_annotations", "annotation", "in quarantine"),
        )
        if metrics[key]
    ]
    return f"{head}; besides, {', '.join(told)}." if told else f"{head}."


def _is_bad_box(context: CheckContext) -> pa.ChunkedArray:
    image = context.image_of_label
    row = pa.array(image, mask=image < 0)
    width, height = context.manifest["width"].take(row), context.manifest["height"].take(row)
    x_min, y_min, x_max, y_max = (context.annotations[edge] for edge in EDGES)
    good = pc.and_(pc.less(x_min, x_max), pc.less(y_min, y_max))
    good = pc.and_(good, pc.and_(pc.greater_equal(x_min, 0), pc.greater_equal(y_min, 0)))
    good = pc.and_(good, pc.and_(pc.less_equal(x_max, width), pc.less_equal(y_max, height)))
    # a missing edge compares to null, and not a number to false
    bad = pc.invert(good.fill_null(False))
    return pc.and_(bad, row.is_valid())


def _repeated_boxes(context: CheckContext) -> int:
    """Boxes of one class, on one image, with the edges of another."""
    annotations = context.annotations
    boxes = pa.table(
        {
            "image": context.image_of_label,
            "label": numbered(annotations["label"])[0],
            **{edge: annotations[edge] for edge in EDGES},
            "geometry": annotations["geometry"],
        }
    ).filter(pc.is_in(annotations["kind"], value_set=pa.array(KINDS_OF_TASK["detection"])))
    return len(boxes) - len(boxes.group_by(boxes.column_names).aggregate([]))


def _not_in(values: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    return values.filter(pc.invert(pc.is_in(values, value_set=known)))


def _repeated(values: pa.ChunkedArray) -> pa.Array:
    if len(pc.unique(values)) == len(values):
        return pa.array([], values.type)
    counts = values.value_counts()
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


def _is_repeated(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(values, value_set=_repeated(values))


def _images(problem: str, image_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
    size = len(image_ids)
    columns = [pa.repeat(problem, size), image_ids, pa.nulls(size, pa.string())]
    return pa.Table.from_arrays(columns, schema=PROBLEMS)


def _labels(problem: str, annotations: pa.Table, wrong: pa.Array | pa.ChunkedArray) -> pa.Table:
    rows = annotations.select(["image_id", "annotation_id"]).filter(wrong)
    columns = [pa.repeat(problem, len(rows)), rows["image_id"], rows["annotation_id"]]
    return pa.Table.from_arrays(columns, schema=PROBLEMS)
