"""What changed from one dataset version to another: images and labels, each with its reason."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.data.changes import Summary, What, ask_changes, image_ids
from cv_pipeline.inspector.data.models import model_rows
from cv_pipeline.inspector.data.versions import VersionRow, version_rows
from cv_pipeline.inspector.jobs import JobState
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace
from cv_pipeline.provenance.references import find_event

routes = Routes("Datasets")


class ChangesView(BaseModel):
    """The difference of two dataset versions, a page of it.

    Attributes:
        job: how far it is; the rest is empty until it is ``done``.
        summary: all of it in numbers.
        what: which rows are shown: ``images`` or ``labels``.
        change: the kind that they are limited to.
        reason: the reason that they are limited to.
        rows: the rows of this page.
        total: rows of all pages.
        query: the query for the images of these rows.
    """

    project: str
    before: VersionRow
    after: VersionRow
    versions: list[VersionRow]
    job: JobState
    summary: Summary | None
    what: What
    change: str
    reason: str
    rows: list[dict[str, Any]]
    total: int
    offset: int
    limit: int
    named: int
    query: str

    @property
    def first_of(self) -> int:
        """How many images these are, where the query names only the first of them; else 0."""
        return links.first_of(self.named)

    def images_query(self, change: str) -> str:
        """The query for all images that came, or that went."""
        old = links.of_dataset(self.project, self.before.digest)
        new = links.of_dataset(self.project, self.after.digest)
        kept = {"added": f"{new} and not {old}", "removed": f"{old} and not {new}"}
        return kept.get(change, "")


@routes.page(
    "/p/{project}/datasets/{before}/changes/{after}",
    template="pages/changes.html",
    permission=Permission.VIEW,
)
def changes(
    project: str,
    before: str,
    after: str,
    workspace: CurrentWorkspace,
    what: What = "images",
    change: Annotated[str, Query(max_length=40)] = "",
    reason: Annotated[str, Query(max_length=400)] = "",
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ChangesView:
    """Images and labels added, removed, changed or moved between two versions, with reasons."""
    settings = workspace.project(project)
    with workspace.log() as log:
        digests = [
            find_event(log, asset="dataset_version", ref=f"{project}@{ref}").version
            for ref in (before, after)
        ]
        versions = version_rows(log, project, model_rows(log, settings))
    by_digest = {row.digest: row for row in versions}
    job = ask_changes(workspace, project, *digests)
    rows: list[dict[str, Any]] = []
    total = 0
    if job.result is not None:
        rows, total = job.result.rows(
            what, change=change, reason=reason, offset=offset, limit=limit
        )
    ids = image_ids(rows)
    return ChangesView(
        project=project,
        before=by_digest[digests[0]],
        after=by_digest[digests[1]],
        versions=versions,
        job=JobState.of(job),
        summary=job.result.summary if job.result else None,
        what=what,
        change=change,
        reason=reason,
        rows=rows,
        total=total,
        offset=offset,
        limit=limit,
        named=len(ids),
        query=links.of_images(ids) if ids else "",
    )
