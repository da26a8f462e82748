"""The table of docs/versions.md says what the code says."""

from __future__ import annotations

from pathlib import Path

from cv_pipeline.annotations.content import FIELDS
from cv_pipeline.annotations.formats import FORMATS
from cv_pipeline.project import Task

PAGE = Path(__file__).resolve().parents[2] / "docs" / "versions.md"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_what_each_format_holds() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    header = next(n for n, line in enumerate(lines) if line.startswith("| | coco"))
    columns = cells(lines[header])[1:]
    rows = {}
    for line in lines[header + 2 :]:
        if not line.startswith("|"):
            break
        name, *marks = cells(line)
        rows[name] = {c for c, mark in zip(columns, marks, strict=True) if mark == "yes"}
    assert set(rows) == FIELDS
    for column in columns:
        name, _, classes = column.partition(", ")
        tasks: list[Task] = ["classification"] if classes else ["detection"]
        held = {field for field, formats in rows.items() if column in formats}
        assert held == FORMATS[name].holds[tasks[0]], column


def test_every_written_format_has_a_row() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for known in FORMATS.values():
        assert (f"\n| `{known.name}` |" in page) == bool(known.holds)
