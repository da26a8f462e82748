"""Asks a query of the lake as it is, or as it was at a moment: a time, a dataset version, an
evaluation, or the first evaluation at which a metric was good enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cv_pipeline.catalog.datalake.moments import resolve_moment
from cv_pipeline.catalog.datalake.references import Moment
from cv_pipeline.catalog.datalake.selection import Selection, select
from cv_pipeline.catalog.query import QueryNode
from cv_pipeline.catalog.query.nodes import Comparison, Condition, Rows
from cv_pipeline.catalog.snapshot import Snapshot, open_snapshot
from cv_pipeline.inspector.images.conditions import text_of, with_condition
from cv_pipeline.inspector.workspace import Workspace

Ask = Callable[[QueryNode], Selection]
"""Asks another query of the same lake at the same moment."""

_CONDITION = re.compile(r"[<>=]")


def asker(workspace: Workspace, project: str, as_of: str) -> tuple[Ask, str]:
    """What asks queries of a project as of a moment, and that moment in words.

    A condition on a metric means the images of the dataset version of that evaluation.

    Args:
        workspace: what pages read.
        project: name of the project.
        as_of: the moment; empty for now.

    Raises:
        QueryError: it is no moment.
        ProvenanceError: it is none that there was.
        CatalogError: what there was then was cleaned up.
    """
    if not as_of:
        return lambda query: workspace.select(project, text_of(query) or "all images"), ""
    catalog = workspace.lake(project).catalog
    references = workspace.references(project)

    def resolve() -> Moment:
        return resolve_moment(catalog, as_of, references)

    moment: Moment = (
        resolve()
        if "latest" in as_of  # which may mean something else the next time
        else workspace.kept.get(("moment", project, as_of), resolve)
    )
    inside = (
        Comparison(Rows("dataset", moment.dataset), ">=", 1)
        if moment.dataset and _CONDITION.search(as_of)
        else None
    )
    if moment.table_versions.items() <= workspace.snapshot(project).table_versions.items():
        # nothing has changed since: what is open already answers

        def ask_now(query: QueryNode) -> Selection:
            return workspace.select(project, text_of(_within(query, inside)) or "all images")

        return ask_now, moment.what
    versions = tuple(sorted(moment.table_versions.items()))
    snapshot: Snapshot = workspace.past.get(
        ("snapshot", project, versions),
        lambda: open_snapshot(
            catalog,
            table_versions=moment.table_versions,
            cache=workspace.cache / "snapshots",
        ),
    )

    def ask(query: QueryNode) -> Selection:
        node = _within(query, inside)
        text = text_of(node)
        found: Selection = workspace.past.get(
            # it is alive as long as this is kept
            ("then", id(snapshot), text, *workspace.newest_results(project, text)),
            lambda: select(node, snapshot=snapshot, catalog=catalog, references=references),
        )
        return found

    return ask, moment.what


def _within(query: QueryNode, inside: Condition | None) -> QueryNode:
    return with_condition(query, inside) if inside else query
