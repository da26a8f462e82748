"""Where each image of a batch stands, and which tasks come next for an annotator.

Derived from ``labeling_tasks``, ``tool_annotations`` and the quarantine when somebody asks, by the
same annotations that a batch's progress counts (:mod:`counted`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.batches.progress import LabelingBatch
from cv_pipeline.labeling.exchange.counted import LOOKED_AT, counted_annotations
from cv_pipeline.labeling.exchange.findings import STAGE

STATES: Mapping[str, str] = MappingProxyType(
    {
        "open": "is in the tool, and nobody labelled it yet",
        "partly": "some labelled it, and its overlap asks for more annotators",
        "skipped": "an annotator skipped it, and nobody labelled it",
        "quarantined": "what was made of it in the tool is refused; the quarantine says why",
        "review": "was labelled, and was set aside since to be looked at again",
        "labelled": "as many annotators as its overlap asks for labelled it",
        "waiting": "is not in the tool yet",
        "gone": "its task was deleted in the tool",
    }
)
"""What an image of a batch can be, and what that means."""

IMAGE_STATES = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # one of ``STATES``
        pa.field("state", pa.string(), nullable=False),
        # id of the tool's project; null where the image is no task there
        pa.field("tool_project", pa.int64()),
        # id of the tool's task, likewise
        pa.field("task", pa.int64()),
        # whether it is meant for whoever asks, who has not looked at it yet
        pa.field("own", pa.bool_(), nullable=False),
        # why it is quarantined, as a sentence; empty for any other
        pa.field("why", pa.string(), nullable=False),
    ]
)

NEXT_TASKS = pa.schema(
    [
        pa.field("batch", pa.string(), nullable=False),
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("tool_project", pa.int64(), nullable=False),
        pa.field("task", pa.int64(), nullable=False),
        # whether it is meant for nobody in particular
        pa.field("free", pa.bool_(), nullable=False),
        # how many tasks there are in all
        pa.field("total", pa.int64(), nullable=False),
    ]
)

_STATES_SQL = """
WITH per_image AS (
    SELECT image_id, count(DISTINCT annotator) FILTER (NOT cancelled) AS labels,
        bool_or(cancelled) AS skipped, max(updated_at) AS last_at,
        bool_or(annotator IN (SELECT name FROM own)) AS seen
    FROM counted
    GROUP BY image_id
),
bad AS (
    SELECT image_id, min(detail) AS detail
    FROM tasks AS t JOIN refused AS r
        ON r.file = 'label-studio/projects/' || t.tool_project
        AND split_part(r.field, '/', 2)::BIGINT = t.task
    GROUP BY image_id
)
SELECT i.image_id,
    CASE
        WHEN t.state IS NULL THEN
            CASE WHEN i.labelled AND NOT $relabel THEN 'labelled' ELSE 'waiting' END
        WHEN t.state = 'deleted' THEN 'gone'
        WHEN labels > 0 AND again."at" > last_at THEN 'review'
        WHEN labels >= $overlap THEN 'labelled'
        WHEN bad.image_id IS NOT NULL THEN 'quarantined'
        WHEN labels > 0 THEN 'partly'
        WHEN skipped THEN 'skipped'
        ELSE 'open'
    END AS state,
    CASE WHEN t.state = 'pushed' THEN t.tool_project END AS tool_project,
    CASE WHEN t.state = 'pushed' THEN t.task END AS task,
    coalesce(
        t.state = 'pushed' AND NOT coalesce(seen, false) AND coalesce(labels, 0) < $overlap
        AND list_has_any(string_split(t.assignee, ','), (SELECT list(name) FROM own)),
        false
    ) AS own,
    coalesce(bad.detail, '') AS why
FROM images AS i
    LEFT JOIN tasks AS t USING (image_id)
    LEFT JOIN per_image USING (image_id)
    LEFT JOIN again USING (image_id)
    LEFT JOIN bad USING (image_id)
ORDER BY own DESC, task NULLS LAST, image_id
"""

_NEXT_SQL = """
WITH looked AS (
    SELECT batch, image_id, count(DISTINCT annotator) FILTER (NOT cancelled) AS labels,
        bool_or(annotator IN (SELECT name FROM own)) AS seen
    FROM counted
    GROUP BY batch, image_id
)
SELECT t.batch, t.image_id, t.tool_project, t.task, assignee = '' AS free,
    count(*) OVER () AS total
FROM labeling_tasks AS t JOIN going USING (batch)
    LEFT JOIN looked USING (batch, image_id)
WHERE t.state = 'pushed' AND NOT coalesce(seen, false) AND coalesce(labels, 0) < going.overlap
    AND (assignee = '' OR list_has_any(
        string_split(assignee, ','), (SELECT list(name) FROM own)))
-- tasks that are anybody's are begun at different ends, so that two seldom take the same
ORDER BY free, place, CASE WHEN free THEN md5(t.image_id || $account) END, t.task
LIMIT $most
"""


def image_states(
    catalog: Catalog,
    batch: LabelingBatch,
    images: pa.Table,
    *,
    names: Sequence[str] = (),
) -> pa.Table:
    """Where each image of a batch stands, in the order of the tool's tasks.

    Args:
        catalog: the project's tables.
        batch: the batch.
        images: its images, columns ``image_id`` and ``labelled``: whether there are labels of it.
        names: pseudonyms of whoever asks, whose own tasks come first.

    Returns:
        A row for each image, schema ``IMAGE_STATES``.
    """
    tasks = catalog.table("labeling_tasks").read(
        columns=["image_id", "tool_project", "task", "state", "assignee"],
        filter=one_of("batch", [batch.name]),
    )
    again = catalog.table("image_batches").read(
        columns=["image_id", "at"], filter=pc.field("purpose") == "relabel"
    )
    refused = catalog.table("quarantine").read(
        columns=["file", "field", "detail"],
        filter=(pc.field("stage") == STAGE) & (pc.field("reason") != "cancelled_annotation"),
    )
    found = run_sql(
        _STATES_SQL,
        relations={
            "images": images,
            "tasks": tasks,
            "counted": counted_annotations(
                catalog, columns=[*LOOKED_AT, "updated_at"], skipped=True, batch=batch.name
            ),
            "refused": refused,
            "again": again.group_by("image_id")
            .aggregate([("at", "max")])
            .rename_columns({"at_max": "at"}),
            "own": _named(names),
        },
        parameters={"overlap": batch.overlap, "relabel": batch.purpose == "relabel"},
    )
    return found.cast(IMAGE_STATES)


def next_tasks(
    catalog: Catalog,
    batches: Sequence[LabelingBatch],
    *,
    names: Sequence[str],
    account: str,
    most: int,
) -> pa.Table:
    """The tasks that an annotator labels next, in their order.

    Those that are meant for them and that they have not looked at, by the urgency of the batches;
    after these, batch by batch, those that are meant for nobody in particular.

    Args:
        catalog: the project's tables.
        batches: batches that they see, what is urgent first; only what is being labelled counts.
        names: pseudonyms of the annotator.
        account: their account.
        most: tasks that are wanted.

    Returns:
        Tasks, schema ``NEXT_TASKS``.
    """
    going = [b for b in batches if b.state in ("open", "pushed", "in_progress")]
    found = run_sql(
        _NEXT_SQL,
        relations={
            "labeling_tasks": catalog.table("labeling_tasks").relation(),
            "counted": counted_annotations(catalog, columns=LOOKED_AT, skipped=True),
            "going": pa.table(
                {
                    "batch": pa.array([b.name for b in going], pa.string()),
                    "overlap": pa.array([b.overlap for b in going], pa.int32()),
                    "place": pa.array(range(len(going)), pa.int64()),
                }
            ),
            "own": _named(names),
        },
        parameters={"account": account, "most": most},
    )
    return found.cast(NEXT_TASKS)


def _named(names: Sequence[str]) -> pa.Table:
    return pa.table({"name": pa.array(list(names), pa.string())})
