"""The images and labels in which two dataset versions differ, found in bounded memory.

Manifests and annotations are sorted by image, so both versions are read and compared a range of
images at a time. A label is the same when its id or, failing that, its content is: an import that
gives every label a new id changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.datasets.differences.sorted_rows import SortedRows
from cv_pipeline.datasets.manifest import MANIFEST
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE

RANGE = 100_000
"""Images that are compared at once."""

COMPARED = (
    "label",
    "kind",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "geometry",
    "attributes",
    "annotator",
    "ontology_version",
    "guideline_version",
)
"""What of a label can change; its times, ids and file are no part of a dataset's content."""

_OF_IMAGE = ("image_id", "path", "split", "fold", "batch", "unit")
_OF_LABEL = ("annotation_id", "image_id", *COMPARED, "created_at", "updated_at")
_REPEATED = ("label", "kind", "annotator", "ontology_version", "guideline_version")

IMAGE_CHANGES = pa.schema(
    [
        # the image; rows are sorted by it
        pa.field("image_id", pa.string(), nullable=False),
        # path in the source
        pa.field("path", pa.string(), nullable=False),
        # added, removed, moved (to another split) or refolded (to another fold of the same split)
        pa.field("change", pa.string(), nullable=False),
        # split in the earlier version; null where the image is not in it
        pa.field("split_before", pa.string()),
        # split in the later version
        pa.field("split_after", pa.string()),
        # fold in the earlier version; null where there is none
        pa.field("fold_before", pa.int32()),
        # fold in the later version
        pa.field("fold_after", pa.int32()),
        # ingest batch that brought it
        pa.field("batch", pa.string(), nullable=False),
        # image that its unit goes by in the earlier version: what the split keeps together
        pa.field("unit_before", pa.string()),
        # likewise in the later version
        pa.field("unit_after", pa.string()),
        # why, in words
        pa.field("reason", pa.string(), nullable=False),
    ]
)


def _both(names: Sequence[str]) -> list[pa.Field]:
    """A column of each version for each of some columns of a label."""
    return [
        pa.field(f"{name}_{when}", ANNOTATIONS.field(name).type)
        for name in names
        for when in ("before", "after")
    ]


LABEL_CHANGES = pa.schema(
    [
        # the image; rows are sorted by it
        pa.field("image_id", pa.string(), nullable=False),
        # id of the label, in the later version where it has it
        pa.field("annotation_id", pa.string(), nullable=False),
        # added, removed or changed
        pa.field("change", pa.string(), nullable=False),
        # whether its image came or went with it: added, removed, or null
        pa.field("with_image", pa.string()),
        # columns that differ, comma-separated; empty for a label that was added or removed
        pa.field("fields", pa.string(), nullable=False),
        # label_before, label_after and so on: the columns of ``COMPARED`` in either version, then
        # created_at and updated_at
        *_both([*COMPARED, "created_at", "updated_at"]),
        # why, in words
        pa.field("reason", pa.string(), nullable=False),
    ]
)

_IMAGES = """
SELECT coalesce(a.image_id, b.image_id) AS image_id, coalesce(a.path, b.path) AS path,
    CASE WHEN b.image_id IS NULL THEN 'added' WHEN a.image_id IS NULL THEN 'removed'
        WHEN a.split != b.split THEN 'moved' ELSE 'refolded' END AS change,
    b.split AS split_before, a.split AS split_after, b.fold AS fold_before, a.fold AS fold_after,
    coalesce(a.batch, b.batch) AS batch,
    b.unit AS unit_before, a.unit AS unit_after, '' AS reason
FROM images_before AS b FULL JOIN images_after AS a ON a.image_id = b.image_id
WHERE a.split IS DISTINCT FROM b.split OR a.fold IS DISTINCT FROM b.fold
ORDER BY image_id
"""


def _label_sql() -> str:
    """The statement that compares labels, over ``before``, ``after`` and ``images``."""
    pairs = [*COMPARED, "created_at", "updated_at"]
    columns = ", ".join(f"b.{n} AS {n}_before, a.{n} AS {n}_after" for n in pairs)
    differ = " OR ".join(f"b.{n} IS DISTINCT FROM a.{n}" for n in COMPARED)
    named = ", ".join(
        f"CASE WHEN {n}_before IS DISTINCT FROM {n}_after THEN '{n}' END" for n in COMPARED
    )
    same = " AND ".join(f"g.{n}_before IS NOT DISTINCT FROM c.{n}_after" for n in COMPARED)
    old, new = (", ".join(f"{n}_{when}" for n in COMPARED) for when in ("before", "after"))
    return f"""
WITH pairs AS (
    SELECT coalesce(a.image_id, b.image_id) AS image_id,
        b.annotation_id AS id_before, a.annotation_id AS id_after, {columns}
    FROM before AS b FULL JOIN after AS a
        ON a.annotation_id = b.annotation_id AND a.image_id = b.image_id
    WHERE a.annotation_id IS NULL OR b.annotation_id IS NULL OR {differ}
), gone AS (
    SELECT *, row_number() OVER (PARTITION BY image_id, {old} ORDER BY id_before) AS nth
    FROM pairs WHERE id_after IS NULL
), come AS (
    SELECT *, row_number() OVER (PARTITION BY image_id, {new} ORDER BY id_after) AS nth
    FROM pairs WHERE id_before IS NULL
), rows AS (
    SELECT 'changed' AS change, * FROM pairs WHERE id_before IS NOT NULL AND id_after IS NOT NULL
    UNION ALL
    SELECT 'removed', * EXCLUDE (nth) FROM gone AS g WHERE NOT EXISTS (
        FROM come AS c WHERE c.image_id = g.image_id AND c.nth = g.nth AND {same})
    UNION ALL
    SELECT 'added', * EXCLUDE (nth) FROM come AS c WHERE NOT EXISTS (
        FROM gone AS g WHERE g.image_id = c.image_id AND g.nth = c.nth AND {same})
)
SELECT rows.*, coalesce(id_after, id_before) AS annotation_id,
    CASE WHEN rows.change = images.change THEN images.change END AS with_image,
    CASE WHEN rows.change = 'changed' THEN concat_ws(',', {named}) ELSE '' END AS fields,
    '' AS reason
FROM rows LEFT JOIN images ON images.image_id = rows.image_id
ORDER BY rows.image_id, annotation_id, rows.change
"""  # noqa: S608 - nothing but names of columns is put into it


_LABELS = _label_sql()


def changed_images(before: pa.Table, after: pa.Table) -> pa.Table:
    """The images that one version has and the other has not, or has in another split or fold.

    Args:
        before: columns image_id, path, split, fold, batch and unit of a manifest.
        after: likewise.

    Returns:
        ``IMAGE_CHANGES``, each reason empty.
    """
    rows = run_sql(_IMAGES, relations={"images_before": before, "images_after": after})
    return rows.select(IMAGE_CHANGES.names).cast(IMAGE_CHANGES)


def changed_labels(before: pa.Table, after: pa.Table, *, images: pa.Table) -> pa.Table:
    """The labels that one version has and the other has not, or has otherwise.

    Args:
        before: columns of ``ANNOTATIONS`` that are compared, the ids and the times.
        after: likewise.
        images: ``IMAGE_CHANGES`` of the images that they are on.

    Returns:
        ``LABEL_CHANGES``, each reason empty.
    """
    named = images.select(["image_id", "change"])
    rows = run_sql(_LABELS, relations={"before": before, "after": after, "images": named})
    return rows.select(LABEL_CHANGES.names).cast(LABEL_CHANGES)


def compare_versions(
    before: Path, after: Path, *, progress: Callable[[float], None] | None = None
) -> tuple[pa.Table, pa.Table]:
    """Compare two dataset folders.

    Args:
        before: folder of the earlier version.
        after: folder of the later version.
        progress: told how much is done, 0 to 1.

    Returns:
        ``IMAGE_CHANGES`` and ``LABEL_CHANGES``, each reason empty.

    Raises:
        DatasetError: a table of theirs cannot be read.
    """
    folders = (before, after)
    manifests = [SortedRows(f / MANIFEST_FILE, MANIFEST, columns=_OF_IMAGE) for f in folders]
    annotations = [
        SortedRows(f / ANNOTATIONS_FILE, ANNOTATIONS, columns=_OF_LABEL, repeated=_REPEATED)
        for f in folders
    ]
    images, labels = [IMAGE_CHANGES.empty_table()], [LABEL_CHANGES.empty_table()]
    ends = _ends(*folders)
    for number, end in enumerate(ends, start=1):
        images.append(changed_images(*(rows.until(end) for rows in manifests)))
        labels.append(changed_labels(*(rows.until(end) for rows in annotations), images=images[-1]))
        if progress is not None:
            progress(number / len(ends))
    return pa.concat_tables(images), pa.concat_tables(labels)


def _ends(*folders: Path) -> list[str | None]:
    """Image ids that cut the largest of some versions into ranges, and None for the end."""
    ids = max(
        (
            SortedRows(folder / MANIFEST_FILE, MANIFEST, columns=["image_id"]).until(None)
            for folder in folders
        ),
        key=len,
    )["image_id"]
    return [*(ids[n].as_py() for n in range(RANGE, len(ids), RANGE)), None]
