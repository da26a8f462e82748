"""Candidates of dataset versions: what stops one, and what was waived of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, computed_field

from cv_pipeline.datasets.checks import CHECKS
from cv_pipeline.datasets.waiver import Waiver, unwaived
from cv_pipeline.errors import nearest
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.data.findings import (
    CheckRow,
    WaiverRow,
    check_results,
    check_rows,
    images_found,
    waiver_rows,
)
from cv_pipeline.inspector.data.versions import CandidateRow, candidate_row
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.verdicts import CheckResult
from cv_pipeline.provenance.waivers import waivers_on

State = Literal["promoted", "ready", "waived", "refused", "unchecked"]

SAMPLE = 6
"""Images of a failed check that are shown at once."""


class CheckFailure(BaseModel):
    """A check that stops a candidate, with the images that it found."""

    check: CheckRow
    images: int
    query: str
    sample: list[str]
    waived: bool

    @property
    def first_of(self) -> int:
        """How many there are, where the query names only the first of them; else 0."""
        return links.first_of(self.images)


class Refused(BaseModel):
    """A candidate, and all that stops it.

    Attributes:
        row: the candidate.
        state: ``promoted``, ``ready`` (all passed, or all failures are waived: ``waived``),
            ``refused``, or ``unchecked`` where a check was not run yet.
        failures: checks that stop it, or would without a waiver.
        warnings: checks that only warn.
        missing: checks that were never run on it.
        waivers: what was waived.
        roles: roles that may waive more.
        command: makes a version of it, when nothing stops it.
    """

    row: CandidateRow
    state: State
    failures: list[CheckFailure]
    warnings: list[CheckRow]
    missing: list[str]
    waivers: list[WaiverRow]
    roles: list[str]
    command: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def open(self) -> list[str]:
        """Names of the checks that stop it still."""
        return [f.check.name for f in self.failures if not f.waived]


def find_candidate(
    workspace: Workspace, project: str, storage_id: int
) -> tuple[Materialization, CandidateRow]:
    """The candidate of an event.

    Raises:
        NotFound: the event is none of a candidate of this project.
    """
    workspace.project(project)
    with workspace.log() as log:
        event = log.event(f"{project}/dataset_candidate", storage_id)
        if event is None:
            raise NotFound(
                f"Project {project} has no candidate with the event {storage_id}.",
                do="The list of datasets has the newest ones.",
            )
        version = next(
            (
                made.version
                for made in log.newest_first(f"{project}/dataset_version")
                for read in [made.input(event.key)]
                if read and read.storage_id == storage_id
            ),
            "",
        )
    return event, candidate_row(event, version)


def find_check(workspace: Workspace, candidate: Materialization, name: str) -> CheckResult:
    """What a check said of a candidate.

    Raises:
        NotFound: there is no such check.
    """
    if name not in CHECKS:
        raise NotFound(f"There is no check {name!r}.", do=nearest(name, CHECKS))
    return check_results(workspace.instance, candidate, [name])[0]


def refused_candidate(
    workspace: Workspace, project: str, event: Materialization, row: CandidateRow
) -> Refused:
    """All that stops a candidate, and what was waived of it."""
    roles = workspace.project(project).access.waiver_roles
    results = check_results(workspace.instance, event)
    waivers = waivers_on(workspace.instance, event, roles=roles, home=workspace.home)
    checks = check_rows(results, waivers)
    by_name = {result.verdict.check: result for result in results}
    stops = {v.check for v in unwaived((r.verdict for r in results), waivers)}
    failed = [c for c in checks if c.blocks and c.ran]
    missing = [c.name for c in checks if not c.ran]
    return Refused(
        row=row,
        state=_state(row, failed, missing, stops, waivers),
        failures=[
            _failure(workspace, project, check, by_name[check.name], check.name not in stops)
            for check in failed
        ],
        warnings=[c for c in checks if not c.passed and not c.blocks],
        missing=missing,
        waivers=waiver_rows(waivers),
        roles=list(roles),
        command=f"cvp run {project} --select dataset_version",
    )


def _state(
    row: CandidateRow,
    failed: Sequence[CheckRow],
    missing: Sequence[str],
    stops: set[str],
    waivers: Sequence[Waiver],
) -> State:
    if row.version:
        return "promoted"
    if stops.intersection(c.name for c in failed):
        return "refused"
    if missing:
        return "unchecked"
    return "waived" if failed and waivers else "ready"


def _failure(
    workspace: Workspace, project: str, check: CheckRow, result: CheckResult, waived: bool
) -> CheckFailure:
    ids = images_found(workspace, project, result)
    return CheckFailure(
        check=check,
        images=len(ids),
        query=links.of_images(ids) if ids else "",
        sample=ids[:SAMPLE],
        waived=waived,
    )
