"""One candidate of a dataset version: what stops it, all that its checks found, and waivers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.datasets.record import CANDIDATE_FILE, CandidateRecord
from cv_pipeline.errors import CVPipelineError, WaiverRefused
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.data.candidates import (
    Refused,
    find_candidate,
    find_check,
    refused_candidate,
)
from cv_pipeline.inspector.data.findings import (
    CheckRow,
    WaiverRow,
    check_results,
    check_rows,
    finding_page,
    waiver_rows,
)
from cv_pipeline.inspector.data.versions import CandidateRow, in_order
from cv_pipeline.inspector.problems import RequestError
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.waivers import give_waiver, waivers_on

routes = Routes("Candidates")


class Candidate(BaseModel):
    """A candidate, all that was checked on it, and what stops it."""

    project: str
    refused: Refused
    checks: list[CheckRow]
    splits: dict[str, int]
    query: str
    may_waive: bool


class CheckedRows(BaseModel):
    """Some rows of what a check found on a candidate."""

    project: str
    candidate: CandidateRow
    check: CheckRow
    columns: list[str]
    image_columns: list[str]
    rows: list[dict[str, Any]]
    total: int
    offset: int
    limit: int
    images: int
    query: str


class WaiverRequest(BaseModel):
    """Failed checks of a candidate to waive, and why."""

    model_config = ConfigDict(extra="forbid")

    checks: list[str] = Field(min_length=1, max_length=50)
    reason: str = Field(max_length=2000)


class MayNotWaive(RequestError):
    """The role of the account is not among those that the project lets waive."""

    status = 403


@routes.page(
    "/p/{project}/datasets/candidates/{storage_id}",
    template="pages/candidate.html",
    permission=Permission.VIEW,
)
def candidate(
    project: str, storage_id: int, workspace: CurrentWorkspace, access: CurrentAccess
) -> Candidate:
    """A candidate: what stops it, all its checks, and what was waived."""
    event, row = find_candidate(workspace, project, storage_id)
    refused = refused_candidate(workspace, project, event, row)
    record = _record(workspace, project, event)
    roles = workspace.project(project).access.waiver_roles
    waivers = waivers_on(workspace.instance, event, roles=roles, home=workspace.home)
    return Candidate(
        project=project,
        refused=refused,
        checks=check_rows(check_results(workspace.instance, event), waivers),
        splits=in_order(record.splits) if record else {},
        query=record.query if record else "",
        may_waive=access.may(Permission.WAIVE, project) and access.role(project) in refused.roles,
    )


@routes.page(
    "/p/{project}/datasets/candidates/{storage_id}/checks/{check}",
    template="pages/check.html",
    permission=Permission.VIEW,
)
def candidate_check(
    project: str,
    storage_id: int,
    check: str,
    workspace: CurrentWorkspace,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> CheckedRows:
    """All that a check found on a candidate, a row each."""
    event, row = find_candidate(workspace, project, storage_id)
    result = find_check(workspace, event, check)
    found = finding_page(workspace, project, result, offset=offset, limit=limit)
    return CheckedRows(
        project=project, candidate=row, check=check_rows([result])[0], **found.model_dump()
    )


@routes.api(
    "POST",
    "/p/{project}/candidates/{storage_id}/waivers",
    permission=Permission.WAIVE,
    status=201,
)
def waive(
    project: str,
    storage_id: int,
    asked: WaiverRequest,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> WaiverRow:
    """Let failed checks of this very candidate pass, with a reason that is kept for ever."""
    event, row = find_candidate(workspace, project, storage_id)
    role, roles = str(access.role(project) or ""), workspace.project(project).access.waiver_roles
    if role not in roles:
        raise MayNotWaive(
            f"Your role, {role or 'none'}, may not waive failed checks in this project.",
            do=f"Ask {' or '.join(roles) or 'nobody: access.waiver_roles of project.yaml is empty'}"
            ".",
        )
    if row.version:
        raise WaiverRefused(
            f"The candidate {row.digest[:12]} is the dataset version {row.version[:12]} already.",
            do="There is nothing to waive.",
        )
    waiver = give_waiver(
        workspace.instance,
        event,
        check_results(workspace.instance, event),
        checks=asked.checks,
        reason=asked.reason,
        actor=access.user,
        role=role,
        roles=roles,
        home=workspace.home,
    )
    audit(
        "waiver.give",
        f"{row.digest} (event {storage_id})",
        project=project,
        why=waiver.reason,
        checks=list(waiver.checks),
        waiver=waiver.digest,
    )
    return waiver_rows([waiver])[0]


def _record(workspace: Workspace, project: str, event: Materialization) -> CandidateRecord | None:
    """What the candidate says of itself; None where its folder is gone."""
    folder = str(event.metadata.get("folder", ""))
    key = f"projects/{project}/candidates/{folder}/{CANDIDATE_FILE}"
    try:
        return CandidateRecord.model_validate_json(workspace.store.read(key))
    except (CVPipelineError, ValueError):
        return None
