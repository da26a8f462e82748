"""What the checks said of a candidate, and all the rows that they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from dagster import DagsterInstance
from pydantic import BaseModel

from cv_pipeline.datasets.checks.published import MARKER, read_finding
from cv_pipeline.datasets.checks.registry import CHECKS
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.datasets.waiver import Waiver
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.verdicts import CheckResult, results_on
from cv_pipeline.storage.folders import fetch

_IMAGE_COLUMNS = ("image_id", "image_a", "image_b")


class WaiverRow(BaseModel):
    """A waiver, as a page shows it."""

    digest: str
    checks: list[str]
    actor: str
    role: str
    reason: str
    at: datetime


class CheckRow(BaseModel):
    """What one check said; ``images`` are addresses of a grid with the images that it found."""

    name: str
    description: str
    passed: bool
    severity: str
    blocks: bool
    ran: bool
    summary: str
    at: datetime | None
    rows: int
    waived_by: str
    waived_because: str


class FindingPage(BaseModel):
    """Some rows of what a check found."""

    columns: list[str]
    image_columns: list[str]
    rows: list[dict[str, Any]]
    total: int
    offset: int
    limit: int
    images: int
    query: str

    @property
    def first_of(self) -> int:
        """How many there are, where the query names only the first of them; else 0."""
        return links.first_of(self.images)


def check_results(
    instance: DagsterInstance, candidate: Materialization, names: Sequence[str] = tuple(CHECKS)
) -> list[CheckResult]:
    """The newest result of each check on a candidate, in the order to be read in."""
    return results_on(instance, candidate, names)


def check_rows(results: Sequence[CheckResult], waivers: Sequence[Waiver] = ()) -> list[CheckRow]:
    """Results as a page shows them: what blocks first, then what warns."""
    waived = {name: waiver for waiver in waivers for name in waiver.checks}
    rows = []
    for result in results:
        verdict = result.verdict
        waiver = waived.get(verdict.check)
        rows.append(
            CheckRow(
                name=verdict.check,
                description=_description(verdict.check),
                passed=verdict.passed,
                severity=verdict.severity,
                blocks=verdict.blocks,
                ran=result.at is not None,
                summary=verdict.summary,
                at=result.at,
                rows=result.rows,
                waived_by=waiver.actor if waiver else "",
                waived_because=waiver.reason if waiver else "",
            )
        )
    return sorted(rows, key=lambda row: (row.passed, not row.blocks))


def rows_of_verdicts(verdicts: Sequence[Verdict]) -> list[CheckResult]:
    """Recorded verdicts as results without rows."""
    return [CheckResult(verdict) for verdict in verdicts]


def waiver_rows(waivers: Sequence[Waiver]) -> list[WaiverRow]:
    """Waivers as a page shows them."""
    return [
        WaiverRow(
            digest=w.digest,
            checks=list(w.checks),
            actor=w.actor,
            role=w.role,
            reason=w.reason,
            at=w.at,
        )
        for w in waivers
    ]


def finding_page(
    workspace: Workspace, project: str, result: CheckResult, *, offset: int, limit: int
) -> FindingPage:
    """Some rows of what a check found.

    Raises:
        NotFound: its rows were not kept.
        DatasetError: they are damaged.
    """
    rows = _rows(workspace, project, result)
    shown = [name for name in _IMAGE_COLUMNS if name in rows.column_names]
    ids = _images(rows, shown)
    return FindingPage(
        columns=rows.column_names,
        image_columns=shown,
        rows=rows.slice(offset, limit).to_pylist(),
        total=len(rows),
        offset=offset,
        limit=limit,
        images=len(ids),
        query=links.of_images(ids) if ids else "",
    )


def images_found(workspace: Workspace, project: str, result: CheckResult) -> list[str]:
    """Images that a check names in what it found; none where it names none or they are gone."""
    try:
        rows = _rows(workspace, project, result)
    except CVPipelineError:
        return []
    return _images(rows, [name for name in _IMAGE_COLUMNS if name in rows.column_names])


def _rows(workspace: Workspace, project: str, result: CheckResult) -> pa.Table:
    if result.folder is None:
        raise NotFound(
            f"Nothing but the verdict was kept of the check {result.verdict.check}.",
            do="Run it again on this candidate, from its page in Dagster.",
        )
    key = f"projects/{project}/checks/{result.folder}"

    def read() -> pa.Table:
        folder = fetch(workspace.store, key, marker=MARKER, cache=workspace.cache)
        return read_finding(folder)[1]

    rows: pa.Table = workspace.kept.get(("finding", key), read)
    return rows


def _images(rows: pa.Table, columns: Sequence[str]) -> list[str]:
    """Images of some columns, each once, in the order in which they are first named."""
    found: dict[str, None] = {}
    for name in columns:
        found |= dict.fromkeys(i for i in rows[name].unique().to_pylist() if i)
    return list(found)


def _description(check: str) -> str:
    known: Mapping[str, Any] = CHECKS
    return str(known[check].description) if check in known else ""
