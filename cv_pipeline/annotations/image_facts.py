"""What an export says of its images themselves, as the metadata file of a project.

Exports of this project hold capture times and metadata; a new project that is made of one reads
them from this file, as it would read any other.
"""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa

from cv_pipeline.annotations.raw import ParsedExport
from cv_pipeline.catalog.ingest.path_matching import match_images
from cv_pipeline.catalog.ingest.sidecar import KNOWN_COLUMNS


def metadata_csv(parsed: ParsedExport, *, image_paths: pa.Array) -> str | None:
    """A CSV with a row for each image of which capture time or metadata are known.

    Args:
        parsed: what the export says.
        image_paths: paths in the source of the images.

    Returns:
        Columns ``path`` (in the source), ``captured_at`` where any is known, and each metadata
        key, sorted; None when nothing is known.
    """
    facts = parsed.facts.select(["image_path", "captured_at", "metadata"])
    matches = match_images(
        facts["image_path"], files=pa.table({"path": image_paths, "image_id": image_paths})
    )
    rows: dict[str, dict[str, str]] = {}
    for path, fact in zip(matches.image_ids.to_pylist(), facts.to_pylist(), strict=True):
        if path is None or path in rows:
            continue
        values = json.loads(fact["metadata"])
        known = {key: value for key, value in values.items() if key not in KNOWN_COLUMNS}
        if fact["captured_at"] is not None:
            known["captured_at"] = fact["captured_at"].isoformat()
        if known:
            rows[path] = {"path": path, **known}
    if not rows:
        return None
    keys = sorted({key for row in rows.values() for key in row} - {*KNOWN_COLUMNS})
    timed = any("captured_at" in row for row in rows.values())
    text = io.StringIO()
    columns = ["path", *(["captured_at"] if timed else []), *keys]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[path] for path in sorted(rows))
    return text.getvalue()
