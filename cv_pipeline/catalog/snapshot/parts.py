"""How the parts of a snapshot are made from the catalogue's tables.

Each part depends on the numbering of the images and on one more table, so that new tags lead to a
new part of tags and to nothing else. What is said of an image that is not in the lake is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.actor import is_person
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.catalog.lake import CURRENT_METADATA_SQL, CURRENT_TAGS_SQL
from cv_pipeline.catalog.snapshot.relations import (
    ANNOTATIONS,
    METADATA,
    OF_ANNOTATIONS,
    OF_FEATURES,
    OF_IMAGES,
    OF_TAGS,
    OF_TAKEOUTS,
    SET_ASIDE,
    TAGS,
)
from cv_pipeline.catalog.sql import RunSQL

Tables = Mapping[str, pa.Table]

_IMAGES = """
SELECT
    image_id, path, source, format, width, height, bands, dtype, bytes, captured_at, ingested_at,
    split, batch
FROM source
ORDER BY image_id
"""

_PATHS = "SELECT n FROM images ORDER BY path, n"

_FEATURES = """
SELECT brightness, contrast, sharpness, saturation, hue, phash
FROM ids LEFT JOIN source USING (image_id)
ORDER BY n
"""

_TAKEOUTS = """
SELECT "at" IS NOT NULL AS taken_out, "at" AS taken_out_at
FROM ids LEFT JOIN source USING (image_id)
ORDER BY n
"""

# Events with numbers in place of image ids: what is current is defined in one place, for both.
_METADATA_EVENTS = """
SELECT n AS image_id, key, value, actor, "at" FROM source JOIN ids USING (image_id)
"""

_TAG_EVENTS = """
SELECT n AS image_id, tag, present, actor, "at" FROM source JOIN ids USING (image_id)
"""

_SET_ASIDE = """
SELECT DISTINCT n, name FROM source JOIN ids USING (image_id) ORDER BY n, name
"""

_ANNOTATIONS = """
SELECT
    n, label, kind, x_min, y_min, x_max, y_max, attributes, annotator, ontology_version,
    guideline_version, lead_time, created_at, updated_at
FROM source JOIN ids USING (image_id)
ORDER BY n, annotation_id
"""

_OF_ANNOTATIONS = """
WITH counted AS (
    SELECT
        n,
        count(*) AS annotations_count,
        count(DISTINCT label) AS labels_count,
        count(DISTINCT label) FILTER (annotator IN (FROM people)) AS labels_by_people,
        count(DISTINCT annotator) FILTER (annotator NOT IN (FROM gold)) AS annotators_count
    FROM annotations
    GROUP BY n
), answers AS (
    SELECT n, annotator, list_sort(list(label)) AS labels
    FROM annotations JOIN counted USING (n)
    WHERE annotators_count > 1 AND annotator NOT IN (FROM gold)
    GROUP BY n, annotator
), alike AS (
    SELECT n, count(*) AS annotators FROM answers GROUP BY n, labels
), divided AS (
    SELECT n, 1 - max(annotators) / sum(annotators) AS disagreement FROM alike GROUP BY n
)
SELECT
    coalesce(annotations_count, 0) AS annotations_count,
    coalesce(labels_count, 0) AS labels_count,
    coalesce(labels_by_people, 0) AS labels_by_people,
    coalesce(annotators_count, 0) AS annotators_count,
    coalesce(disagreement, 0) AS disagreement
FROM ids LEFT JOIN counted USING (n) LEFT JOIN divided USING (n)
ORDER BY n
"""


@dataclass(frozen=True)
class Part:
    """One part of a snapshot.

    Attributes:
        name: its name, and that of its main table.
        table: table of the catalogue that it is made of.
        layout: raised whenever what is made changes, so that older files are not used.
        make: from the runner of statements, that table's rows and the ids (columns n, image_id)
            to the part's tables by name.
    """

    name: str
    table: str
    layout: int
    make: Callable[[RunSQL, Any, pa.Table], Tables]


def make_images(run: RunSQL, source: Any) -> Tables:
    """The images, numbered (schema ``OF_IMAGES``), and their numbers in the order of ``paths``."""
    rows = run(_IMAGES, source=source)
    numbers = pa.array(np.arange(len(rows), dtype=np.int32))
    rows = rows.add_column(0, "n", numbers).cast(OF_IMAGES)
    return {"images": rows, "paths": run(_PATHS, images=rows.select(["n", "path"]))}


def _features(run: RunSQL, source: Any, ids: pa.Table) -> Tables:
    return {"features": run(_FEATURES, source=source, ids=ids).cast(OF_FEATURES)}


def _takeouts(run: RunSQL, source: Any, ids: pa.Table) -> Tables:
    return {"takeouts": run(_TAKEOUTS, source=source, ids=ids).cast(OF_TAKEOUTS)}


def _metadata(run: RunSQL, source: Any, ids: pa.Table) -> Tables:
    events = run(_METADATA_EVENTS, source=source, ids=ids)
    rows = run(CURRENT_METADATA_SQL, image_metadata=events)
    return {"metadata": rows.rename_columns(METADATA.names).cast(METADATA)}


def _tags(run: RunSQL, source: Any, ids: pa.Table) -> Tables:
    events = run(_TAG_EVENTS, source=source, ids=ids)
    rows = run(CURRENT_TAGS_SQL, image_tags=events).rename_columns(["n", "tag", "actor"])
    by_people = rows["n"].filter(pc.is_in(rows["actor"], value_set=_people(rows["actor"])))
    counts = np.bincount(by_people.to_numpy(), minlength=len(ids)).astype(np.int32)
    return {
        "tags": rows.select(TAGS.names).cast(TAGS),
        "of_tags": pa.Table.from_arrays([pa.array(counts)], schema=OF_TAGS),
    }


def _set_aside(run: RunSQL, source: Any, ids: pa.Table) -> Tables:
    return {"set_aside": run(_SET_ASIDE, source=source, ids=ids).cast(SET_ASIDE)}


def _annotations(run: RunSQL, source: Any, ids: pa.Table) -> Tables:
    rows = run(_ANNOTATIONS, source=source, ids=ids).cast(ANNOTATIONS)
    counts = run(
        _OF_ANNOTATIONS,
        annotations=rows,
        people=pa.table({"annotator": _people(rows["annotator"])}),
        gold=pa.table({"annotator": [GOLD_ANNOTATOR]}),
        ids=ids,
    )
    return {"annotations": rows, "of_annotations": counts.cast(OF_ANNOTATIONS)}


def _people(actors: pa.ChunkedArray) -> pa.Array:
    """Those of some actors who are people."""
    return pa.array([a for a in pc.unique(actors).to_pylist() if is_person(a)], pa.string())


PARTS = (
    Part("features", "image_features", 1, _features),
    Part("takeouts", "takeouts", 1, _takeouts),
    Part("metadata", "image_metadata", 1, _metadata),
    Part("tags", "image_tags", 1, _tags),
    Part("set_aside", "image_batches", 1, _set_aside),
    Part("annotations", "annotations", 1, _annotations),
)
"""All parts but the images themselves."""

IMAGES_LAYOUT = 2
"""Layout of the part of images, as in :attr:`Part.layout`."""
