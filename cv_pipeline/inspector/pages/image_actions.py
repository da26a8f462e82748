"""What is done with images of the grid: tags are put on and taken off, queries get a name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Limited

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.image_events import put_tags
from cv_pipeline.catalog.datalake.query_log import QueryLog, SavedQuery
from cv_pipeline.catalog.snapshot import ids_digest
from cv_pipeline.errors import QueryError
from cv_pipeline.inspector.access.access import Access, CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.data.saved import SavedRow
from cv_pipeline.inspector.images.grid import GridState, open_grid
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace

routes = Routes("Images")

MOST_LISTED = 20_000
"""Images that a request may list; more are named by a query."""

ImageId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Short = Annotated[str, StringConstraints(max_length=500)]


class Meant(BaseModel):
    """Images that something is done with: some by their ids, or all of a state of the grid.

    Attributes:
        images: their ids; None for all of the state.
        q: the state's query, and so on as in the address of the grid.
    """

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[ImageId], Limited(max_length=MOST_LISTED)] | None = None
    q: Annotated[str, StringConstraints(max_length=65_536)] = ""
    evaluation: Short = ""
    label: Short = ""
    kind: Short = ""
    sort: Short = ""
    model: Short = ""
    epoch: Annotated[int, Limited(ge=0)] = 0
    like: Annotated[str, StringConstraints(max_length=7_000)] = ""
    as_of: Short = ""
    among: Annotated[str, StringConstraints(max_length=2_000)] = ""

    def ids(self, workspace: Workspace, access: Access, project: str) -> pa.Array:
        """Ids of the images, sorted and each once.

        Raises:
            QueryError: one of them is not in the project, or there is none.
        """
        if self.images is not None:
            snapshot = workspace.snapshot(project)
            listed = pa.array(sorted(set(self.images)), pa.string())
            unknown = snapshot.numbering.find(listed) < 0
            if unknown.any():
                raise QueryError(
                    f"{int(unknown.sum()):,} of the images are not in project {project}.",
                    do="Load the page again.",
                )
            found = listed
        else:
            grid = open_grid(
                workspace, access, project, GridState(**self.model_dump(include=_STATE))
            )
            found = grid.selection.snapshot.image_ids(grid.numbers).sort()
        if not len(found):
            raise QueryError("There is no image to do this with.", do="Select some.")
        return found


_STATE = set(GridState.__annotations__)


class TagChange(Meant):
    """Tags that are put on images, or taken off."""

    tags: Annotated[list[Short], Limited(min_length=1, max_length=20)]
    remove: bool = False


class TagsChanged(BaseModel):
    """What a change of tags came to."""

    images: int
    changed: int


class QueryToSave(BaseModel):
    """A query that gets a name."""

    model_config = ConfigDict(extra="forbid")

    name: Short
    q: Annotated[str, StringConstraints(max_length=65_536)] = ""


@routes.api("POST", "/p/{project}/tags", permission=Permission.REVIEW)
def change_tags(
    project: str,
    change: TagChange,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> TagsChanged:
    """Put tags on images, or take them off; only what changes is written."""
    ids = change.ids(workspace, access, project)
    catalog = workspace.lake(project).catalog
    changed = put_tags(catalog, ids, change.tags, present=not change.remove, actor=access.user)
    audit(
        "images.untag" if change.remove else "images.tag",
        ", ".join(change.tags),
        project=project,
        images=len(ids),
        changed=changed,
        digest=ids_digest(pa.chunked_array([ids])),
    )
    return TagsChanged(images=len(ids), changed=changed)


@routes.api("POST", "/p/{project}/queries", permission=Permission.COMMENT)
def save_query(
    project: str,
    query: QueryToSave,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> SavedRow:
    """Give a query a name, under which everybody can ask it again."""
    selection = workspace.select(project, query.q.strip() or "all images")
    lake: Datalake = workspace.lake(project)
    saved = SavedQuery(
        name=query.name,
        text=selection.text,
        table_versions=dict(selection.table_versions),
        pins=dict(selection.pins),
        count=len(selection.numbers),
        digest=ids_digest(pa.chunked_array([selection.image_ids])),
        actor=access.user,
        at=datetime.now(UTC),
    )
    QueryLog(lake.catalog).save(saved)
    audit("query.save", query.name, project=project, text=selection.text)
    return SavedRow.of(saved)
