"""What annotators say now, as exports of Label Studio: made from the history, not by the tool.

An export holds one batch under one version of the ontology and the guideline. What was deleted,
and what the quarantine holds, is left out. The same history gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats import ExportFiles
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.findings import refused_places
from cv_pipeline.labeling.exchange.history import current_annotations

URL = "label-studio"
_LIVE = """
WITH paths AS (SELECT image_id, min(path) AS path FROM files GROUP BY image_id)
SELECT t.batch, t.ontology_version, t.guideline_version, c.tool_project, c.task, c.annotation,
    -- an image whose file is another by now is named by its id, which the import does not know
    coalesce(p.path, c.image_id) AS path, c.completed_by,
    c.created_at, c.updated_at, c.lead_time, c.ground_truth, c.result
FROM current AS c
JOIN labeling_tasks AS t USING (tool_project, task)
LEFT JOIN paths AS p ON p.image_id = c.image_id
WHERE NOT c.deleted AND NOT c.cancelled
    AND NOT EXISTS (
        FROM refused AS r
        WHERE r.tool_project = c.tool_project AND r.task = c.task
            AND (r.annotation IS NULL OR r.annotation = c.annotation)
    )
-- of several batches with the same image, what somebody said last
QUALIFY 1 = row_number() OVER (
    PARTITION BY c.image_id, c.completed_by ORDER BY c.updated_at DESC, c.annotation DESC
)
ORDER BY ALL
"""


@dataclass(frozen=True)
class PulledExport:
    """What was labelled of one batch under one version.

    Attributes:
        ontology_version: of the ontology that it was labelled under.
        guideline_version: of the guideline.
        files: one file of Label Studio's JSON.
    """

    ontology_version: str
    guideline_version: str
    files: ExportFiles


def pulled_exports(
    catalog: Catalog, *, version: int | None = None, files: int | None = None
) -> list[PulledExport]:
    """What annotators say now, by batch and version.

    Args:
        catalog: the project's tables.
        version: version of ``tool_annotations`` to look at; the latest by default.
        files: version of ``files`` to look at; the latest by default.
    """
    current = current_annotations(catalog, version=version)
    if not len(current):
        return []
    rows = run_sql(
        _LIVE,
        relations={
            "current": current,
            "labeling_tasks": catalog.table("labeling_tasks").relation(),
            "files": catalog.table("files").relation(version=files),
            "refused": refused_places(catalog),
        },
    )
    keys = ["batch", "ontology_version", "guideline_version"]
    found = []
    for group in rows.select(keys).group_by(keys, use_threads=False).aggregate([]).to_pylist():
        name = f"{group['batch']}.ontology-{group['ontology_version']}.guideline-"
        name += f"{group['guideline_version']}.json"
        found.append(
            PulledExport(
                ontology_version=group["ontology_version"],
                guideline_version=group["guideline_version"],
                files=_files(name, _json(rows.filter(_of(rows, group)))),
            )
        )
    return found


def _files(name: str, data: bytes) -> ExportFiles:
    fingerprint = hashlib.sha256(data).hexdigest()
    return ExportFiles(URL, {name: data}, {name: fingerprint}, (), {".json": 1})


def _of(rows: pa.Table, group: dict[str, Any]) -> pa.Array:
    mask = pc.equal(rows["batch"], group["batch"])
    for name in ("ontology_version", "guideline_version"):
        mask = pc.and_(mask, pc.equal(rows[name], group[name]))
    return mask


def _json(rows: pa.Table) -> bytes:
    """The rows as tasks with annotations."""
    tasks: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows.to_pylist():
        key = (row["tool_project"], row["task"])
        task = tasks.setdefault(
            key, {"id": row["task"], "data": {"image": row["path"]}, "annotations": []}
        )
        task["annotations"].append(
            {
                "id": row["annotation"],
                "completed_by": row["completed_by"] or None,
                "created_at": row["created_at"].isoformat(),
                "updated_at": row["updated_at"].isoformat(),
                "lead_time": row["lead_time"],
                "was_cancelled": False,
                "ground_truth": row["ground_truth"],
                "result": json.loads(row["result"]),
            }
        )
    return json.dumps(list(tasks.values()), ensure_ascii=False, separators=(",", ":")).encode()
