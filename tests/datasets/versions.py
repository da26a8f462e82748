"""Dataset versions written directly, without a catalogue or a gate: what exports are made of."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.datasets.manifest import MANIFEST, SCHEMA_ID, dataset_digest
from cv_pipeline.datasets.record import (
    ANNOTATIONS_FILE,
    DATASET_FILE,
    MANIFEST_FILE,
    DatasetRecord,
    summarize,
    write_record,
    write_table,
)
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.project import Ontology, Split, Task

NOON = datetime(2025, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
LABELS = ("pear", "apple", "kiwi & co")


def picture(number: int, *, width: int = 40, height: int = 30) -> bytes:
    """A PNG file that no other number gives."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def image_row(image_id: str, **changes: Any) -> dict[str, Any]:
    """A row of a manifest."""
    row = {
        "image_id": image_id,
        "split": "train",
        "path": f"{image_id[:8]}.png",
        "format": "PNG",
        "width": 40,
        "height": 30,
        "bands": 3,
        "dtype": "uint8",
        "captured_at": NOON,
        "batch": "first",
        "cluster": image_id,
        "unit": image_id,
        "objects": 0,
        "labels_state": "empty",
    }
    return {**row, **changes}


def label_row(image_id: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of annotations: a box, unless the kind is changed."""
    row = {
        "annotation_id": sha(f"{image_id} {number}".encode())[:32],
        "image_id": image_id,
        "label": "pear",
        "kind": "bbox",
        "x_min": 2.0 + number,
        "y_min": 3.0,
        "x_max": 12.5 + number,
        "y_max": 20.25,
        "attributes": "{}",
        "annotator": "ann",
        "role": "annotator",
        "ontology_version": "1",
        "guideline_version": "1",
        "source": "labels.json",
        "original_id": str(number),
    }
    if changes.get("kind") == "class":
        row |= dict.fromkeys(("x_min", "y_min", "x_max", "y_max"))
    return {**row, **changes}


def write_version(
    folder: Path,
    images: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, Any]],
    *,
    task: Task = "detection",
    classes: Sequence[str] = LABELS,
    rule: Split | None = None,
    **record: Any,
) -> DatasetVersion:
    """Write a dataset version of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {row["image_id"]: 0 for row in images}
    for row in labels:
        counts[row["image_id"]] += 1
    rows = [
        {
            **row,
            "objects": counts[row["image_id"]],
            "labels_state": "labelled" if counts[row["image_id"]] else "empty",
        }
        for row in images
    ]
    manifest = pa.Table.from_pylist(rows, schema=MANIFEST).sort_by("image_id")
    annotations = pa.Table.from_pylist([*labels], schema=ANNOTATIONS).sort_by(
        [("image_id", "ascending"), ("annotation_id", "ascending")]
    )
    rule = rule or Split()
    made: dict[str, Any] = {
        "schema_id": SCHEMA_ID,
        "digest": dataset_digest(manifest, annotations, split=rule),
        "project": "fruit",
        "task": task,
        "ontology": Ontology(labels=tuple(classes)),
        "rule": rule,
        "aggregation": "latest",
        "query": "labelled",
        "sql": "SELECT 1",
        "parameters": {},
        "table_versions": {"annotations": 0, "image_metadata": 0, "images": 0},
        "contents": summarize(manifest, annotations),
        "near_duplicates": {},
        "shortfalls": (),
        "left_out": 0,
        "verdicts": (Verdict(check="integrity", passed=True, severity="error", summary="fine"),),
        "code_version": "1",
    }
    written = DatasetRecord(**{**made, **record})
    write_table(manifest, folder / MANIFEST_FILE)
    write_table(annotations, folder / ANNOTATIONS_FILE)
    write_record(written, folder / DATASET_FILE)
    return DatasetVersion(folder, written)
