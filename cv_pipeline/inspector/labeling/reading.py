"""Batches, annotators and costs of a project as they are now, read once for all who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.labeling.batches.declared import (
    LabelingBatch,
    declared_batches,
    list_labeling_batches,
)
from cv_pipeline.labeling.exchange.counted import LOOKED_AT, counted_annotations
from cv_pipeline.labeling.tool.connection import tool_url
from cv_pipeline.labeling.workload.estimate import Estimate, estimate
from cv_pipeline.labeling.workload.workforce import Workforce, workforce_of
from cv_pipeline.quality.label_cost import LabelCost, label_cost
from cv_pipeline.settings import expand

_SHARE_SQL = """
WITH per_image AS (
    SELECT batch, image_id, count(DISTINCT annotator) FILTER (NOT cancelled) AS labels,
        bool_or(annotator IN (SELECT name FROM own)) AS seen,
        bool_or(annotator IN (SELECT name FROM own) AND NOT cancelled) AS mine
    FROM counted
    GROUP BY batch, image_id
),
made AS (SELECT batch, count(*) FILTER (mine) AS made FROM per_image GROUP BY batch),
open_tasks AS (
    SELECT batch, count(*) AS "open"
    FROM labeling_tasks JOIN asked USING (batch) LEFT JOIN per_image USING (batch, image_id)
    WHERE state = 'pushed' AND NOT coalesce(seen, false) AND coalesce(labels, 0) < overlap
        AND list_has_any(string_split(assignee, ','), (SELECT list(name) FROM own))
    GROUP BY batch
)
SELECT batch, coalesce(made, 0) AS made, coalesce("open", 0) AS "open"
FROM made FULL JOIN open_tasks USING (batch)
"""

_TABLES = (
    "image_batches",
    "labeling_batches",
    "labeling_tasks",
    "tool_annotations",
    "tool_people",
    "quarantine",
)


def batches_of(workspace: Workspace, project: str) -> list[LabelingBatch]:
    """Every batch, what is urgent first; which are stuck is a minute old at most."""
    now = datetime.now(UTC)
    rules = workspace.project(project).labeling.batches
    catalog = workspace.lake(project).catalog
    key = ("labeling", *state_of(workspace, project, _TABLES), f"{now:%H:%M}", rules.stuck_hours)
    found: list[LabelingBatch] = workspace.kept.get(
        key, lambda: list_labeling_batches(catalog, stuck_hours=rules.stuck_hours, now=now)
    )
    return found


def workforce_state(workspace: Workspace, project: str) -> tuple[str, ...]:
    """What tells everybody who labels in a project from who did before."""
    tables = (*_TABLES[1:], "annotations", "prelabels")
    settings = workspace.project(project).labeling.model_dump_json()
    return (*state_of(workspace, project, tables), settings)


def workforce_in(workspace: Workspace, project: str) -> Workforce:
    """Everybody who labels in a project."""
    catalog = workspace.lake(project).catalog
    labeling = workspace.project(project).labeling
    key = ("workforce", *workforce_state(workspace, project))
    found: Workforce = workspace.kept.get(
        key, lambda: workforce_of(catalog, labeling, declared_batches(catalog))
    )
    return found


def estimate_of(workspace: Workspace, project: str) -> Estimate:
    """What waits in a project, and when it will be done."""
    batches = batches_of(workspace, project)
    prices = workspace.project(project).labeling.prices
    return estimate(batches, workforce_in(workspace, project), prices=prices)


def cost_of(workspace: Workspace, project: str) -> LabelCost | None:
    """What the labels of a project cost; None where there are none."""
    labeling = workspace.project(project).labeling
    people = workforce_in(workspace, project)
    key = ("label cost", *workforce_state(workspace, project))
    found: LabelCost | None = workspace.kept.get(
        key,
        lambda: label_cost(people.labels, prices=labeling.prices, annotators=labeling.annotators),
    )
    return found


def tool_link(workspace: Workspace, project: str, tool_project: int | None) -> str:
    """Address of a batch in the annotation tool, for a browser; empty where there is none."""
    declared = workspace.project(project)
    url = tool_url(declared)
    if url is None or tool_project is None:
        return ""
    if declared.labeling.public_url:
        url = expand(declared.labeling.public_url).strip()
    return f"{url.rstrip('/')}/projects/{tool_project}/data"


def task_link(workspace: Workspace, project: str, tool_project: object, task: object) -> str:
    """Address of one task in the annotation tool, for a browser; empty where there is none."""
    if not isinstance(tool_project, int) or not isinstance(task, int):
        return ""
    found = tool_link(workspace, project, tool_project)
    return f"{found}?task={task}" if found else ""


def names_of(workspace: Workspace, project: str, account: str) -> list[str]:
    """Pseudonyms of the annotators that an account is, as the project declares them."""
    told = workspace.project(project).labeling.annotators
    return [name for name, one in told.items() if one.account and one.account == account]


@dataclass(frozen=True)
class Share:
    """What somebody has of the work of each batch.

    Attributes:
        made: name of a batch to labels that they made in it.
        open: name of a batch to labels that are meant for them and not made yet.
    """

    made: Mapping[str, int]
    open: Mapping[str, int]


def share_of(workspace: Workspace, project: str, account: str) -> Share:
    """What the annotators of an account have of the work of each batch."""
    names = names_of(workspace, project, account)
    if not names:
        return Share({}, {})
    catalog = workspace.lake(project).catalog
    overlaps = {b.name: b.overlap for b in batches_of(workspace, project)}
    key = ("share", *state_of(workspace, project, _TABLES), *names)
    rows = workspace.kept.get(
        key,
        lambda: run_sql(
            _SHARE_SQL,
            relations={
                "labeling_tasks": catalog.table("labeling_tasks").relation(),
                "counted": counted_annotations(catalog, columns=LOOKED_AT, skipped=True),
                "own": pa.table({"name": pa.array(names, pa.string())}),
                "asked": pa.table(
                    {
                        "batch": pa.array(list(overlaps), pa.string()),
                        "overlap": pa.array(list(overlaps.values()), pa.int32()),
                    }
                ),
            },
        ).to_pylist(),
    )
    return Share(
        {row["batch"]: row["made"] for row in rows if row["made"]},
        {row["batch"]: row["open"] for row in rows if row["open"]},
    )


def state_of(workspace: Workspace, project: str, tables: tuple[str, ...]) -> tuple[str, ...]:
    """What tells the present state of some tables from any other."""
    catalog = workspace.lake(project).catalog
    return (project, *("-".join(map(str, catalog.table(name).identity())) for name in tables))
