"""The audit log in forms that other programs read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from cv_pipeline.inspector.audit.entry import Line

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""
_COLUMNS = (
    "n",
    "at",
    "user",
    "means",
    "credential",
    "address",
    "action",
    "target",
    "project",
    "why",
    "details",
    "before",
    "seal",
)


def as_json(line: Line) -> dict[str, Any]:
    """A line as plain values."""
    said = asdict(line.entry) | {"n": line.n, "before": line.before, "seal": line.seal}
    return said | {"at": line.entry.at.isoformat()}


def json_text(line: Line) -> str:
    """A line as JSON in one line."""
    return json.dumps(as_json(line), sort_keys=True, ensure_ascii=False, default=str)


def csv_rows(lines: Iterable[Line]) -> Iterator[list[str]]:
    """Lines as rows of cells, their names first; no cell is a formula to a spreadsheet."""
    yield list(_COLUMNS)
    for line in lines:
        said = as_json(line)
        said["details"] = json.dumps(said["details"], sort_keys=True, ensure_ascii=False)
        yield [_cell(str(said[name])) for name in _COLUMNS]


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
