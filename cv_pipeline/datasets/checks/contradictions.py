"""Whether one picture, or nearly the same, is labelled in two ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.annotations.ranking import place_of_text
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.datasets.checks.context import CheckContext, numbered, rows_of
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.distinct import distinct

CONTRADICTIONS = pa.schema(
    [
        # near_duplicates or annotators
        pa.field("kind", pa.string(), nullable=False),
        # the image
        pa.field("image_a", pa.string(), nullable=False),
        # its near-duplicate; the image itself for kind annotators
        pa.field("image_b", pa.string(), nullable=False),
        # how image_a is labelled, or what one annotator says: such as lemon 2, lime 1
        pa.field("labels_a", pa.string(), nullable=False),
        # how image_b is labelled, or what another annotator says
        pa.field("labels_b", pa.string(), nullable=False),
    ]
)
PAIRS_AT_ONCE = 1 << 20
"""Pairs of boxes that are compared at a time, which bounds the memory."""
SAME_BOX = 0.5
"""Intersection over union from which two annotators' boxes are on one object."""
EDGES = ("x_min", "y_min", "x_max", "y_max")


def check_contradictions(context: CheckContext, threshold: float) -> Finding:
    """Count images whose labels are contradicted, by a near-duplicate or by another annotator.

    - Two near-duplicates, both labelled, contradict each other where their numbers of labels of
      each class differ; a crop may have lost objects, so with it only where neither side's numbers
      contain the other's.
    - Two annotators of one image (gold labels are no annotator's) contradict each other where they
      chose different classes: for the image, or for boxes that overlap by an intersection over
      union of at least ``SAME_BOX``.

    Args:
        context: the candidate; annotators are compared before aggregation.
        threshold: largest share of the candidate's images that passes.

    Returns:
        Rows of schema :data:`CONTRADICTIONS`.
    """
    copies = _of_near_duplicates(context)
    compare = _of_boxes if context.project.task == "detection" else _of_classes
    people = compare(_disputable(context))
    rows = pa.concat_tables([copies, people])
    touched = len(pc.unique(pa.concat_arrays([*rows["image_a"].chunks, *rows["image_b"].chunks])))
    images = len(context.manifest)
    share = touched / images if images else 0.0
    disputed = len(pc.unique(people["image_a"]))
    metrics = {
        "contradictory_images": touched,
        "contradictory_share": share,
        "near_duplicate_pairs": len(copies),
        "disputed_images": disputed,
    }
    if touched:
        summary = (
            f"{touched:,} of {counted(images, 'image')} ({share:.1%}) with contradicted labels:"
            f" {counted(len(copies), 'near-duplicate pair')} labelled differently,"
            f" {counted(disputed, 'image')} on which annotators chose different classes."
        )
    else:
        summary = f"No label of {counted(images, 'image')} is contradicted."
    return Finding(share <= threshold, summary, metrics, rows)


def _of_near_duplicates(context: CheckContext) -> pa.Table:
    pairs = context.near_duplicates
    labels = context.shown.names
    a, b = (_counts(context, pairs[side]) for side in ("image_a", "image_b"))
    lost_a, lost_b = (a < b).any(axis=1), (b < a).any(axis=1)
    cropped = pc.starts_with(pairs["kind"], "cropped").to_numpy()
    differ = np.where(cropped, lost_a & lost_b, lost_a | lost_b)
    wrong = np.flatnonzero(differ & a.any(axis=1) & b.any(axis=1))
    pairs = pairs.take(pa.array(wrong))
    return _table(
        "near_duplicates",
        pairs["image_a"],
        pairs["image_b"],
        _named(a[wrong], labels),
        _named(b[wrong], labels),
    )


def _counts(context: CheckContext, image_ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """(N, C) labels of each class on each of some images, which may repeat."""
    shown = context.shown
    rows, at = np.unique(rows_of(image_ids, context.image_ids), return_inverse=True)
    place = np.searchsorted(rows, shown.image).clip(max=max(len(rows) - 1, 0))
    wanted = rows[place] == shown.image if len(rows) else np.zeros(len(place), bool)
    counts = np.zeros((len(rows), len(shown.names)), np.int64)
    counts[place[wanted], shown.label[wanted]] = shown.objects[wanted]
    return np.asarray(counts[at])


def _disputable(context: CheckContext) -> pa.Table:
    """What people, not the known truth, say of the images that several of them labelled."""
    votes = context.every_annotation
    annotator, names = numbered(votes["annotator"])
    image = context.image_of_vote
    counts = image >= 0
    if not counts.any():
        return votes.slice(0, 0)
    if GOLD_ANNOTATOR in names.to_pylist():
        counts &= annotator != names.to_pylist().index(GOLD_ANNOTATOR)
    people = distinct(image[counts] * max(len(names), 1) + annotator[counts]) // max(len(names), 1)
    several = np.bincount(people, minlength=len(context.image_ids)) > 1
    return votes.filter(pa.array(counts & several[image]))


def _named(counts: NDArray[np.int64], labels: pa.Array) -> pa.Array:
    """Counts as text, such as ``lemon 2, lime 1``."""
    names = labels.to_pylist()
    return pa.array(
        [", ".join(f"{names[c]} {row[c]}" for c in np.flatnonzero(row)) for row in counts],
        pa.string(),
    )


def _of_classes(annotations: pa.Table) -> pa.Table:
    """Images with several classes: the class of most annotators, and the others."""
    votes = annotations.group_by(["image_id", "label"]).aggregate([("annotator", "count_distinct")])
    classes = votes.group_by("image_id").aggregate([("label", "count")])
    disputed = classes["image_id"].filter(pc.greater(classes["label_count"], 1))
    votes = votes.filter(pc.is_in(votes["image_id"], value_set=disputed))
    order = [("image_id", "ascending"), ("annotator_count_distinct", "descending")]
    votes = votes.sort_by([*order, ("label", "ascending")])
    text = pc.binary_join_element_wise(
        votes["label"], votes["annotator_count_distinct"].cast(pa.string()), " "
    )
    votes = votes.append_column("text", text)
    lists = votes.group_by("image_id", use_threads=False).aggregate([("text", "list")])
    said = lists["text_list"].combine_chunks()
    first = pc.list_element(said, 0) if len(said) else pa.array([], pa.string())
    others = pc.binary_join(pc.list_slice(said, 1), ", ")
    return _table("annotators", lists["image_id"], lists["image_id"], first, others)


def _of_boxes(annotations: pa.Table) -> pa.Table:
    """Boxes of two annotators on one object, of different classes."""
    boxes = annotations.select(["image_id", "annotator", "label", *EDGES]).combine_chunks()
    image, annotator, label = (
        place_of_text(boxes[name]) for name in ("image_id", "annotator", "label")
    )
    edges = np.stack([boxes[edge].to_numpy() for edge in EDGES], axis=1)
    order = np.lexsort((label, annotator, image))
    found = [np.empty((0, 2), np.int64)]
    for pairs in _pairs_of_groups(image[order]):
        a, b = order[pairs].T
        a, b = (side[(annotator[a] != annotator[b]) & (label[a] != label[b])] for side in (a, b))
        found.append(np.stack([a, b], axis=1)[_overlap(edges[a], edges[b]) >= SAME_BOX])
    a, b = np.concatenate(found).T
    sides = [boxes.take(pa.array(side)) for side in (a, b)]
    said = [pc.binary_join_element_wise(s["annotator"], s["label"], ": ") for s in sides]
    rows = _table("annotators", sides[0]["image_id"], sides[0]["image_id"], *said)
    return rows.sort_by([(name, "ascending") for name in ("image_a", "labels_a", "labels_b")])


def _pairs_of_groups(group: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Every two rows of one group, (P, 2) in blocks of bounded size; the first is the earlier.

    Args:
        group: (N,) ascending.
    """
    ends = np.searchsorted(group, group, side="right")
    count = ends - np.arange(len(group)) - 1
    total = np.cumsum(count)
    starts = np.searchsorted(total, np.arange(0, total[-1] if len(total) else 0, PAIRS_AT_ONCE))
    for start, end in pairwise([*np.unique(starts).tolist(), len(group)]):
        first = np.repeat(np.arange(start, end), count[start:end])
        before = np.repeat(total[start:end] - count[start:end], count[start:end])
        second = first + 1 + np.arange(len(first)) + total[start] - count[start] - before
        yield np.stack([first, second], axis=1)


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) intersection over union of boxes (N, 4), xyxy."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    return np.asarray(shared / np.maximum(areas - shared, np.finfo(float).tiny))


def _table(
    kind: str,
    image_a: pa.ChunkedArray,
    image_b: pa.ChunkedArray,
    labels_a: pa.Array,
    labels_b: pa.Array,
) -> pa.Table:
    columns = [pa.repeat(kind, len(image_a)), image_a, image_b, labels_a, labels_b]
    return pa.Table.from_arrays(columns, schema=CONTRADICTIONS)
