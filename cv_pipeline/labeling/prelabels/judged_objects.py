"""Objects that annotators left on images that began with pre-labels, as a table.

Most annotations have upright boxes and classes alone, and are read by SQL. Those with other shapes
are read as an import reads them, some thousand at a time; what an import would refuse is no object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from cv_pipeline.annotations.formats.label_studio import FIELDS
from cv_pipeline.annotations.formats.label_studio_names import CONTROLS
from cv_pipeline.annotations.formats.label_studio_regions import Annotation, Regions
from cv_pipeline.annotations.geometry.settle import settle
from cv_pipeline.annotations.raw import ExportBuilder, raw_table
from cv_pipeline.catalog.sql import run_sql

OBJECTS = pa.schema(
    [
        # id of the tool's project
        pa.field("tool_project", pa.int64(), nullable=False),
        # id of the annotation
        pa.field("annotation", pa.int64(), nullable=False),
        # class that it has
        pa.field("label", pa.string(), nullable=False),
        # geometry kind, as in ``ANNOTATIONS``
        pa.field("kind", pa.string(), nullable=False),
        # edges of its bounds, pixels; null for class
        pa.field("x0", pa.float64()),
        pa.field("y0", pa.float64()),
        pa.field("x1", pa.float64()),
        pa.field("y1", pa.float64()),
        # canonical JSON of the shape; null for bbox and class
        pa.field("geometry", pa.string()),
        # whether the tool says that a suggestion was changed into it
        pa.field("changed", pa.bool_(), nullable=False),
    ]
)

_CHANGED = "prediction-changed"
_CLASS = CONTROLS["class"][0]
_AT_ONCE = 2_000
_REGION = """[{"type":"VARCHAR","origin":"VARCHAR","from_name":"VARCHAR",
"original_width":"DOUBLE","original_height":"DOUBLE",
"value":{"x":"DOUBLE","y":"DOUBLE","width":"DOUBLE","height":"DOUBLE","rotation":"DOUBLE",
"rectanglelabels":["VARCHAR"],"choices":["VARCHAR"]}}]"""

_PARTS = f"""
WITH regions AS (
    SELECT tool_project, annotation, unnest(from_json(result, '{_REGION}')) AS r FROM judged
)
SELECT tool_project, annotation, bool_or(
    r.type NOT IN ('rectanglelabels', 'choices') AND (
        r.type LIKE '%labels' OR r.type IN ('rectangle', 'polygon', 'brush', 'keypoint')
    ) OR r.type = 'rectanglelabels' AND coalesce(r.value.rotation, 0) <> 0
) AS shaped
FROM regions
GROUP BY ALL
"""  # noqa: S608  # a constant of this module

_PLAIN = f"""
SELECT tool_project, annotation, label, kind, x0, y0, x1, y1, NULL::VARCHAR AS geometry, changed
FROM (
    SELECT tool_project, annotation, coalesce(r.origin, '') = '{_CHANGED}' AS changed,
        CASE WHEN r.type = 'choices' THEN 'class' ELSE 'bbox' END AS kind,
        CASE WHEN r.type = 'choices' THEN r.value.choices[1]
            ELSE r.value.rectanglelabels[1] END AS label,
        r.value.x * r.original_width / 100 AS x0,
        r.value.y * r.original_height / 100 AS y0,
        (r.value.x + r.value.width) * r.original_width / 100 AS x1,
        (r.value.y + r.value.height) * r.original_height / 100 AS y1
    FROM (
        SELECT tool_project, annotation, unnest(from_json(result, '{_REGION}')) AS r
        FROM judged ANTI JOIN shaped USING (tool_project, annotation)
    )
    -- choices of another control are answers about a region, or tags
    WHERE r.type = 'rectanglelabels'
        OR r.type = 'choices' AND coalesce(r.from_name, '{_CLASS}') = '{_CLASS}'
)
WHERE label IS NOT NULL
"""  # noqa: S608  # constants

_SHAPED = """
SELECT j.tool_project, j.annotation, j.result, coalesce(i.width, 0) AS width,
    coalesce(i.height, 0) AS height -- of an image that is gone no shape can be checked
FROM judged AS j SEMI JOIN shaped USING (tool_project, annotation)
    LEFT JOIN images AS i ON i.image_id = j.image_id
ORDER BY j.tool_project, j.annotation
"""


def judged_objects(judged: pa.Table, images: Any) -> pa.Table:
    """The objects of annotations: schema OBJECTS.

    Args:
        judged: columns ``tool_project``, ``annotation``, ``image_id`` and ``result``.
        images: relation of the table ``images``, for the sizes that images really have.
    """
    parts = run_sql(_PARTS, relations={"judged": judged})
    shaped = parts.filter(parts["shaped"]).select(["tool_project", "annotation"])
    relations = {"judged": judged, "shaped": shaped}
    found = [run_sql(_PLAIN, relations=relations).cast(OBJECTS)]
    if len(shaped):
        rows = run_sql(_SHAPED, relations={**relations, "images": images})
        found += [_read(rows.slice(at, _AT_ONCE)) for at in range(0, len(rows), _AT_ONCE)]
    return pa.concat_tables(found)


def _read(annotations: pa.Table) -> pa.Table:
    """The objects of annotations that have shapes, as an import reads them."""
    export = ExportBuilder("label_studio", FIELDS)
    told = annotations.to_pylist()
    changed: set[tuple[int, str]] = set()
    for number, one in enumerate(told):
        results = json.loads(one["result"])
        changed.update((number, key) for key in _changed(results))
        reader = Regions(export, is_ours=False)  # a class of the image is of its own annotation
        reader.read(_annotation(number, tuple(results)))
        reader.finish()
    every = pa.concat_tables([*export.tables, raw_table(export.rows)]).to_pylist()
    rows = [row for row in every if row["kind"] != "tag" and not row["normalized"]]
    numbers = np.array([int(row["image_path"]) for row in rows], np.int64)
    sizes = np.array([(one["width"], one["height"]) for one in told], np.float64)
    shaped = [k for k, row in enumerate(rows) if row["geometry"] is not None]
    settled = settle(
        [rows[k]["kind"] for k in shaped],
        [rows[k]["geometry"] for k in shaped],
        sizes=sizes[numbers[shaped]].reshape(-1, 2),
        scaled=np.zeros(len(shaped), bool),
    )
    place_of = {k: place for place, k in enumerate(shaped)}
    made: list[dict[str, Any]] = []
    for k, row in enumerate(rows):
        place = place_of.get(k)
        if place in settled.refused:
            continue
        own = _edges(row) if place is None else _bounds(row, settled.bounds[place].tolist())
        number = int(numbers[k])
        made.append(
            {
                "tool_project": told[number]["tool_project"],
                "annotation": told[number]["annotation"],
                "label": row["label"],
                "kind": row["kind"] if place is None else settled.kinds[place],
                **dict(zip(("x0", "y0", "x1", "y1"), own, strict=True)),
                "geometry": None if place is None else settled.texts[place],
                "changed": (number, row["original_id"].partition("/")[2]) in changed,
            }
        )
    return pa.Table.from_pylist(made, schema=OBJECTS)


def _annotation(number: int, results: tuple[Any, ...]) -> Annotation:
    """An annotation by its number; who made it and when is known already."""
    return Annotation(
        source="",
        where="",
        image=str(number),
        identifier=str(number),
        annotator="",
        lead_time=None,
        created_at=None,
        updated_at=None,
        results=results,
    )


def _changed(results: list[Any]) -> Iterator[str]:
    """Ids of the regions that the tool calls changed, those of changed key points among them."""
    for result in results:
        if isinstance(result, dict) and result.get("origin") == _CHANGED:
            yield str(result.get("id"))
            if result.get("parentID") is not None:
                yield str(result["parentID"])


def _edges(row: dict[str, Any]) -> list[float | None]:
    return [row["x_min"], row["y_min"], row["x_max"], row["y_max"]]


def _bounds(row: dict[str, Any], settled: list[float]) -> list[float | None]:
    """Bounds of a shape; of key points those of their object, where it was drawn."""
    own = _edges(row)
    return own if None not in own else [*settled]
