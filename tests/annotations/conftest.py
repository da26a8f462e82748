"""Rows to build annotation tables from."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from cv_pipeline.annotations.raw import FieldNames, ParsedExport, RawRow, raw_table
from cv_pipeline.catalog.schemas import ANNOTATIONS

Parsed = Callable[..., ParsedExport]
Rows = Callable[..., pa.Table]


@pytest.fixture
def parsed_of() -> Parsed:
    """Makes the parsed export of some objects, each given by how it differs from a good box."""

    def make(*changes: dict[str, object]) -> ParsedExport:
        rows = [
            RawRow(
                **{
                    "image_path": "a.jpg",
                    "label": "pear",
                    "kind": "bbox",
                    "source": "export.json",
                    "object": f"annotations[{i}]",
                    "original_id": str(i),
                    "x_min": 10.0 + i,
                    "y_min": 20.0,
                    "x_max": 30.0 + i,
                    "y_max": 40.0,
                }
                | change
            )
            for i, change in enumerate(changes)
        ]
        fields = FieldNames("{object}.image_id", "{object}.category_id", "{object}.bbox")
        paths = tuple(sorted({row.image_path for row in rows}))
        return ParsedExport(
            "coco", ("export.json",), raw_table(rows), (), (), paths, (), {}, fields
        )

    return make


@pytest.fixture
def annotations() -> Rows:
    """Makes ``ANNOTATIONS``, each row given by how it differs from a class label."""

    def make(*changes: dict[str, object]) -> pa.Table:
        base = dict.fromkeys(ANNOTATIONS.names) | {
            "image_id": "1",
            "label": "pear",
            "kind": "class",
            "attributes": "{}",
            "annotator": "ann",
            "role": "annotator",
            "ontology_version": "1",
            "guideline_version": "1",
            "source": "export.json",
            "original_id": "",
        }
        rows = [base | {"annotation_id": f"{i:03}"} | change for i, change in enumerate(changes)]
        return pa.Table.from_pylist(rows, schema=ANNOTATIONS)

    return make
