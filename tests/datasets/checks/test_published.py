"""What a check found, kept: all rows, under a name of its content."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.published import read_finding, write_finding
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.errors import DatasetError

VERDICT = Verdict(check="leakage", passed=False, severity="error", summary="3 pairs cross")


def finding(rows: int = 3) -> Finding:
    table = pa.table({"image_a": [str(n) for n in range(rows)], "distance": list(range(rows))})
    return Finding(False, "3 pairs cross", {"pairs": 3}, table)


def test_it_can_be_read_again(tmp_path: Path) -> None:
    name = write_finding(VERDICT, finding(1000), tmp_path)
    assert name.startswith("leakage-")
    record, rows = read_finding(tmp_path)
    assert (record.check, record.passed, record.severity) == ("leakage", False, "error")
    assert (record.summary, record.metrics, record.rows) == ("3 pairs cross", {"pairs": 3}, 1000)
    assert rows == finding(1000).rows


def test_the_name_is_that_of_the_content(tmp_path: Path) -> None:
    names = []
    for number, (verdict, rows) in enumerate(
        [(VERDICT, 3), (VERDICT, 3), (VERDICT, 4), (Verdict("leakage", True, "error", "none"), 3)]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        names.append(write_finding(verdict, finding(rows), folder))
    assert names[0] == names[1]
    assert len(set(names)) == 3
    for file in ("rows.parquet", "check.json"):
        assert (tmp_path / "0" / file).read_bytes() == (tmp_path / "1" / file).read_bytes()


def test_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not hold what a check found"):
        read_finding(tmp_path)
    write_finding(VERDICT, finding(), tmp_path)
    (tmp_path / "rows.parquet").write_bytes(b"other")
    with pytest.raises(DatasetError, match=r"rows\.parquet was changed"):
        read_finding(tmp_path)
