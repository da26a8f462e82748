"""Queries asked again, as of then and of today, and questions as of when a metric was good.

Both may need the lake as it was at table versions that nobody has open, so both are worked out in
the background and remembered while the lake stays as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.actor import acting_as
from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.query_result import QueryResult
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.jobs import Job, Progress, jobs_of
from cv_pipeline.inspector.workspace import Workspace

SAMPLE = 24
"""Images that are shown of each list."""


class Images(BaseModel):
    """Some images: how many, the query for the first of them, and a few to look at."""

    count: int
    query: str
    named: int
    sample: list[str]

    @property
    def first_of(self) -> int:
        """How many there are, where the query names only the first of them; else 0."""
        return links.first_of(self.count)

    @classmethod
    def of(cls, ids: pa.Array | pa.ChunkedArray) -> Images:
        """The images of some ids, in their order."""
        first = ids.slice(0, links.MOST_IMAGES).to_pylist()
        return cls(
            count=len(ids),
            query=links.of_images(first) if first else "",
            named=len(first),
            sample=first[:SAMPLE],
        )


class Again(BaseModel):
    """A query asked again: as of then, and on today's data."""

    then: Images
    today: Images
    added: Images
    removed: Images
    taken_out: int


class When(BaseModel):
    """The images that had a tag when a metric was good."""

    condition: str
    moment: str
    text: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    images: Images
    images_then: int
    seconds: float


def ask_again(workspace: Workspace, project: str, which: str, *, actor: str) -> Job[Again]:
    """A saved query or one of the log, asked as of then and of today.

    Args:
        workspace: what is read.
        project: the project.
        which: name of the query, or its id in the log.
        actor: who asks, for the log.
    """
    state = tuple(sorted(workspace.snapshot(project).identities.items()))
    saved = tuple(
        (query.name, query.at) for query in workspace.lake(project).queries() if query.name == which
    )

    def work(_: Progress) -> Again:
        with acting_as(actor):
            found = _own_lake(workspace, project).rerun(which, today=True)
        return Again(
            then=Images.of(found.then.image_ids),
            today=Images.of(found.today.image_ids),
            added=Images.of(found.added),
            removed=Images.of(found.removed),
            taken_out=len(found.then.taken_out),
        )

    return jobs_of(workspace).ask(("again", project, which, saved, state), work)


def ask_when(
    workspace: Workspace, project: str, *, condition: str, tag: str, actor: str
) -> Job[When]:
    """The images that had a tag at the first evaluation at which a condition held.

    Args:
        workspace: what is read.
        project: the project.
        condition: on a metric, such as ``precision >= 0.91``.
        tag: the tag; empty for all images of the dataset version of then.
        actor: who asks, for the log.
    """
    with workspace.log() as log:
        newest = log.latest(f"{project}/eval_slices")
    where = f"tag = {links.quoted(tag)}" if tag else None

    def work(_: Progress) -> When:
        lake = _own_lake(workspace, project)
        with acting_as(actor):
            found = lake.query(where, when=condition)
        moment = workspace.references(project).moment(condition)
        return _when(found, condition, moment.what)

    key = ("when", project, condition, tag, newest.storage_id if newest else 0)
    return jobs_of(workspace).ask(key, work)


def tags_of(workspace: Workspace, project: str, *, limit: int = 200) -> list[str]:
    """The tags that are on images now, the commonest first."""
    tags = workspace.snapshot(project).tags["tag"]
    counts = pc.value_counts(tags.combine_chunks())
    order = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:limit]
    values = counts.field("values").take(pa.array(order))
    return [str(value) for value in values.to_pylist()]


def _when(found: QueryResult, condition: str, moment: str) -> When:
    return When(
        condition=condition,
        moment=moment,
        text=found.text,
        sql=found.sql,
        parameters=found.parameters,
        table_versions=found.table_versions,
        images=Images.of(found.image_ids),
        images_then=found.images_then,
        seconds=found.seconds,
    )


def _own_lake(workspace: Workspace, project: str) -> Datalake:
    """A lake for one thread alone."""
    catalog = workspace.lake(project).catalog
    return Datalake(catalog, references=workspace.references(project), origin="http")
