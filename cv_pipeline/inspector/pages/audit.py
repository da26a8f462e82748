"""The audit log: who did what, when, from where and why; searched, exported and checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import AuditLog, CurrentAudit, Line, Wanted, verify
from cv_pipeline.inspector.audit.export import csv_rows, json_text
from cv_pipeline.inspector.routes import API, Routes

routes = Routes("Audit log")

SHOWN = 100
"""Lines on a page."""

Short = Annotated[str, Query(max_length=200)]


class AuditLine(BaseModel):
    """A line of the audit log."""

    n: int
    at: datetime
    user: str
    means: str
    credential: str
    address: str
    action: str
    target: str
    project: str
    why: str
    details: dict[str, Any]
    before: str
    seal: str


class Filters(BaseModel):
    """What was asked for."""

    user: str
    action: str
    project: str
    target: str
    since: date | None
    until: date | None


class AuditPage(BaseModel):
    """Lines of the audit log, the newest first.

    Attributes:
        lines: those of this page.
        total: how many fit the filters.
        older: number of the line before which the next page begins; null on the last one.
        filters: what was asked for.
        actions: every action there is, to choose from.
    """

    lines: list[AuditLine]
    total: int
    older: int | None
    filters: Filters
    actions: list[str]


class FaultShown(BaseModel):
    """What is wrong with some lines."""

    kind: str
    first: int
    last: int
    told: str


class ChainChecked(BaseModel):
    """What came of checking the audit log.

    Attributes:
        whole: whether nothing is wrong.
        lines: how many genuine lines there are.
        head: number and seal of the last one, to be noted elsewhere.
        faults: what is wrong.
        remarks: what is no fault, and still should be known.
    """

    whole: bool
    lines: int
    head: str
    faults: list[FaultShown]
    remarks: list[str]


def asked_filters(
    user: Short = "",
    action: Short = "",
    project: Short = "",
    target: Short = "",
    since: date | None = None,
    until: date | None = None,
) -> Filters:
    """Which lines are wanted; both days count."""
    return Filters(
        user=user, action=action, project=project, target=target, since=since, until=until
    )


AskedFilters = Annotated[Filters, Depends(asked_filters)]


def current_log(request: Request) -> AuditLog:
    """The audit log of the application that answers."""
    found: AuditLog = request.app.state.audit_log
    return found


CurrentLog = Annotated[AuditLog, Depends(current_log)]


@routes.page("/audit", template="pages/audit.html", permission=Permission.ADMINISTER)
def audit_page(
    filters: AskedFilters,
    log: CurrentLog,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = SHOWN,
) -> AuditPage:
    """Lines of the audit log, the newest first."""
    wanted = _wanted(filters)
    lines = log.read(wanted, before=before, limit=limit + 1)
    return AuditPage(
        lines=[_line(line) for line in lines[:limit]],
        total=log.count(wanted),
        older=lines[limit - 1].n if len(lines) > limit else None,
        filters=filters,
        actions=log.actions(),
    )


@routes.raw("GET", f"{API}/audit/export", permission=Permission.ADMINISTER)
def export_audit(
    filters: AskedFilters,
    log: CurrentLog,
    audit: CurrentAudit,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Lines of the audit log as a file, the oldest first: JSON, a line each, or CSV."""
    given = filters.model_dump(mode="json", exclude_defaults=True)
    audit("audit.export", "audit", form=form, filters={k: v for k, v in given.items() if v})
    lines = log.export(_wanted(filters))
    name = f"audit-{datetime.now(UTC):%Y-%m-%d}.{'jsonl' if form == 'json' else 'csv'}"
    kind = "application/x-ndjson" if form == "json" else "text/csv; charset=utf-8"
    text = _json_lines(lines) if form == "json" else _csv_lines(lines)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(text, media_type=kind, headers=headers)


@routes.api("POST", "/audit/verify", permission=Permission.ADMINISTER)
def verify_audit(log: CurrentLog, audit: CurrentAudit) -> ChainChecked:
    """Check every line of the audit log; about 12 seconds for a million."""
    found = verify(log)
    audit("audit.verify", "audit", whole=found.whole, faults=len(found.faults))
    return ChainChecked(
        whole=found.whole,
        lines=found.lines,
        head=f"{found.head.n}:{found.head.seal}",
        faults=[FaultShown(**vars(fault)) for fault in found.faults[:1000]],
        remarks=list(found.remarks[:100]),
    )


def _wanted(filters: Filters) -> Wanted:
    def begin(day: date) -> datetime:
        return datetime.combine(day, time(), UTC)

    after = timedelta(days=1)
    until = None
    if filters.until is not None and filters.until < date.max:
        until = begin(filters.until + after)
    return Wanted(
        user=filters.user.strip(),
        action=filters.action.strip(),
        project=filters.project.strip(),
        target=filters.target.strip(),
        since=begin(filters.since) if filters.since else None,
        until=until,
    )


def _json_lines(lines: Iterator[Line]) -> Iterator[str]:
    for line in lines:
        yield json_text(line) + "\n"


def _csv_lines(lines: Iterator[Line]) -> Iterator[str]:
    for row in csv_rows(lines):
        part = io.StringIO()
        csv.writer(part).writerow(row)
        yield part.getvalue()


def _line(line: Line) -> AuditLine:
    entry = line.entry
    return AuditLine(
        n=line.n,
        at=entry.at,
        user=entry.user,
        means=entry.means,
        credential=entry.credential,
        address=entry.address,
        action=entry.action,
        target=entry.target,
        project=entry.project,
        why=entry.why,
        details=dict(entry.details),
        before=line.before,
        seal=line.seal,
    )
