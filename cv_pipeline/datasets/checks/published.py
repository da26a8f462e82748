"""What a check found, as an immutable folder: all its rows, and the verdict on them.

The folder is named by its content, so that a check that is run again on the same candidate adds
nothing, and one that finds otherwise does not touch what was found before.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.errors import DatasetError

ROWS_FILE = "rows.parquet"
MARKER = "check.json"


class CheckRecord(BaseModel):
    """What ``check.json`` says.

    Attributes:
        check: name of the check.
        passed: whether it found nothing beyond its threshold.
        severity: ``error`` blocks the dataset version, ``warn`` only tells.
        summary: one sentence with the numbers.
        metrics: numbers that can be plotted over time.
        rows: rows in ``rows.parquet``.
        rows_sha256: SHA-256 of that file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    passed: bool
    severity: Literal["error", "warn"]
    summary: str
    metrics: dict[str, float]
    rows: int
    rows_sha256: str


def write_finding(verdict: Verdict, finding: Finding, folder: Path) -> str:
    """Write a verdict and the rows that it rests on.

    Args:
        verdict: the verdict.
        finding: what the check found.
        folder: an existing, empty folder.

    Returns:
        A name for the folder: the check, and the beginning of a hash of its content.
    """
    pq.write_table(finding.rows.combine_chunks(), folder / ROWS_FILE, compression="zstd")
    record = CheckRecord(
        check=verdict.check,
        passed=verdict.passed,
        severity=verdict.severity,
        summary=verdict.summary,
        metrics=dict(finding.metrics),
        rows=len(finding.rows),
        rows_sha256=hashlib.sha256((folder / ROWS_FILE).read_bytes()).hexdigest(),
    )
    text = json.dumps(record.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")
    return finding_name(folder)


def finding_name(folder: Path) -> str:
    """The name that a folder of what a check found goes by.

    Raises:
        DatasetError: it cannot be read.
    """
    record, text = _read_record(folder)
    digest = hashlib.sha256(text.removesuffix(b"\n")).hexdigest()
    return f"{record.check}-{digest[:16]}"


def read_finding(folder: Path) -> tuple[CheckRecord, pa.Table]:
    """Read what a check found.

    Raises:
        DatasetError: a file is missing or damaged.
    """
    record, _ = _read_record(folder)
    try:
        data = (folder / ROWS_FILE).read_bytes()
    except OSError as error:
        raise _unreadable(folder, error) from error
    if hashlib.sha256(data).hexdigest() != record.rows_sha256:
        raise DatasetError(f"{folder / ROWS_FILE} was changed.", do="Run the check again.")
    return record, pq.read_table(pa.BufferReader(data))


def _read_record(folder: Path) -> tuple[CheckRecord, bytes]:
    """What ``check.json`` says, and its text."""
    try:
        text = (folder / MARKER).read_bytes()
        return CheckRecord.model_validate_json(text), text
    except (OSError, ValidationError) as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{folder} does not hold what a check found: {error}.", do="Run the check again."
    )
