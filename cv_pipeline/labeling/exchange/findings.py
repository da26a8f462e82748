"""What a pull finds wrong in the tool: each is quarantined with its reason, and makes no label.

Every refusal is of a task, ``tasks/7``, or of an annotation, ``tasks/7/annotations/12``, of the
file ``label-studio/projects/3``. What concerns tasks is found when they are read, and counts first;
what concerns annotations is found anew by every pull from the history, so that what was mended
goes.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.exchange.history import LATEST_FIRST
from cv_pipeline.labeling.exchange.people import NAMED, named_relations

STAGE = "annotation_pull"
"""Stage under which the tool's bad tasks and annotations are quarantined."""
OF_TASKS = ("unknown_task", "changed_image", "bad_annotation", "unknown_account")
"""Reasons that are found when a task is read."""
OF_ANNOTATIONS = (
    "cancelled_annotation", "second_annotation", "forged_annotator", "unproven_annotator",
)  # fmt: skip
"""Reasons that are found in the history."""
MOST = 5_000
"""Tasks that no push made, of one of the tool's projects, that are listed."""

_FINDINGS = f"""
WITH named AS ({NAMED}),
history AS (
    SELECT tool_project, task, annotation, annotator, completed_by, updated_by, updated_at,
        created_at, seen_at, cancelled, deleted, digest
    FROM named
),
current AS (
    SELECT * FROM history
    QUALIFY 1 = row_number() OVER (PARTITION BY tool_project, annotation ORDER BY {LATEST_FIRST})
),
states AS (
    SELECT tool_project, annotation,
        max((updated_by = completed_by)::INT) AS proven,
        -- an account that was deleted leaves its annotations without a name
        count(DISTINCT nullif(completed_by, 0)) AS names
    FROM history WHERE NOT deleted GROUP BY ALL
),
doubted AS (
    SELECT c.*,
        CASE
            -- it stands in the quarantine already, with a reason of its own
            WHEN EXISTS (
                FROM refused AS r
                WHERE r.tool_project = c.tool_project AND r.task = c.task
                    AND (r.annotation IS NULL OR r.annotation = c.annotation)
            ) THEN 'refused'
            WHEN s.names > 1 THEN 'forged_annotator'
            WHEN c.updated_by <> c.completed_by AND coalesce(s.proven, 0) = 0 THEN
                CASE WHEN c.updated_at < c.created_at + INTERVAL 2 SECOND
                    THEN 'forged_annotator' ELSE 'unproven_annotator' END
            WHEN c.cancelled THEN 'cancelled_annotation'
        END AS doubt
    FROM current AS c JOIN states AS s USING (tool_project, annotation)
    WHERE NOT c.deleted
),
live AS (
    -- what is refused already takes no other's place; people, who may have several accounts, count
    SELECT *, row_number() OVER (
        PARTITION BY tool_project, task, annotator, doubt IS NULL
        ORDER BY updated_at DESC, annotation DESC
    ) AS place
    FROM doubted
)
SELECT tool_project, task, annotation, annotator, updated_by,
    CASE WHEN doubt IS NULL AND place > 1 THEN 'second_annotation' ELSE doubt END AS reason
FROM live
WHERE reason IS NOT NULL AND reason <> 'refused'
ORDER BY tool_project, task, annotation
"""  # noqa: S608 - of constants
_DETAILS = {
    "forged_annotator": "It is said to be of {annotator}, but account {updated_by} wrote it. Delete"
    " it in Label Studio, and have the right person label the image.",
    "unproven_annotator": "It is said to be of {annotator}, whose own version was never seen;"
    " account {updated_by} wrote this one. If it is right, have {annotator} open and update it.",
    "cancelled_annotation": "{annotator} skipped the image.",
    "second_annotation": "{annotator} has a later annotation of the same image, which counts.",
}


def file_of(tool_project: int) -> str:
    """What the quarantine calls one of the tool's projects."""
    return f"label-studio/projects/{tool_project}"


def tool_project_of(file: str) -> int:
    """Which of the tool's projects the quarantine calls so."""
    return int(file.rpartition("/")[2])


def field_of(task: int, annotation: object = None) -> str:
    """What the quarantine calls a task, or an annotation on it."""
    return f"tasks/{task}" if annotation is None else f"tasks/{task}/annotations/{annotation}"


def quarantine_tasks(
    catalog: Catalog, tool_project: int, refusals: Iterable[Refusal], *, tasks: Iterable[int]
) -> None:
    """Make ``refusals`` all that the quarantine holds of some tasks, by reasons of tasks.

    Args:
        catalog: the project's tables.
        tool_project: id of the tool's project.
        refusals: what is wrong with those tasks now.
        tasks: the tasks.
    """
    wanted = set(tasks)
    fields = _fields(catalog, tool_project)["field"].to_pylist()
    old = [field for field in fields if task_of(field) in wanted]
    new = list(refusals)
    if not old and not new:
        return
    within = (
        (pc.field("file") == file_of(tool_project))
        & one_of("reason", OF_TASKS)
        & one_of("field", {*old, *(r.field for r in new)})
    )
    reconcile_refusals(catalog, stage=STAGE, refusals=new, within=within)


def quarantine_annotations(catalog: Catalog) -> dict[str, int]:
    """Find what the history says is wrong, and make it all that the quarantine holds of it.

    Returns:
        Reason to how often, of tasks and of annotations.
    """
    refused = _places(catalog, one_of("reason", OF_TASKS))
    relations = {**named_relations(catalog), "refused": refused}
    found = run_sql(_FINDINGS, relations=relations).to_pylist()
    refusals = [
        Refusal(
            file_of(row["tool_project"]),
            field_of(row["task"], row["annotation"]),
            row["reason"],
            _DETAILS[row["reason"]].format(**row),
        )
        for row in found
    ]
    within = one_of("reason", OF_ANNOTATIONS)
    reconcile_refusals(catalog, stage=STAGE, refusals=refusals, within=within)
    rows = catalog.table("quarantine").read(columns=["reason"], filter=pc.field("stage") == STAGE)
    counted = rows["reason"].value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in sorted(counted, key=lambda c: c["values"])}


def quarantined_tasks(catalog: Catalog, tool_project: int) -> set[int]:
    """Tasks of one of the tool's projects that the quarantine holds something of."""
    return {task_of(field) for field in _fields(catalog, tool_project)["field"].to_pylist()}


def refused_places(catalog: Catalog, *, skipped: bool = True) -> pa.Table:
    """Everything that makes no label: ``tool_project``, ``task`` and ``annotation``.

    A row without an annotation stands for all of its task.

    Args:
        catalog: the project's tables.
        skipped: whether annotations that are refused for nothing but that somebody skipped the
            image with them are among these.
    """
    return _places(catalog, None if skipped else pc.field("reason") != "cancelled_annotation")


def _places(catalog: Catalog, wanted: pc.Expression | None) -> pa.Table:
    """What the quarantine holds of this stage and a condition, as :func:`refused_places`."""
    condition = pc.field("stage") == STAGE
    if wanted is not None:
        condition &= wanted
    rows = catalog.table("quarantine").read(columns=["file", "field"], filter=condition)
    sql = """
    SELECT DISTINCT split_part(file, '/', 3)::BIGINT AS tool_project,
        split_part(field, '/', 2)::BIGINT AS task,
        try_cast(split_part(field, '/', 4) AS BIGINT) AS annotation
    FROM refused
    WHERE field NOT LIKE '%/annotations/%' OR annotation IS NOT NULL
    """
    return run_sql(sql, relations={"refused": rows})


def task_of(field: str) -> int:
    """The task of a place that the quarantine calls so."""
    return int(field.split("/")[1])


def _fields(catalog: Catalog, tool_project: int) -> pa.Table:
    return catalog.table("quarantine").read(
        columns=["field"],
        filter=(pc.field("stage") == STAGE)
        & (pc.field("file") == file_of(tool_project))
        & one_of("reason", OF_TASKS),
    )
