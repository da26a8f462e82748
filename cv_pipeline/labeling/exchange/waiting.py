"""The batches that wait to be pushed, all of them: each by itself, so that none holds up another.

The same state of the lake and of the tool gives the same digest, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CVPipelineError, ToolDenied, ToolUnavailable
from cv_pipeline.labeling.exchange.batch_tasks import Progress
from cv_pipeline.labeling.exchange.push import PUSHABLE, Common, push
from cv_pipeline.labeling.exchange.push_report import PushReport
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.project import Project
from cv_pipeline.storage import ObjectStore

_READ = ("labeling_tasks", "labeling_batches", "image_batches", "prelabels")


@dataclass(frozen=True)
class PushedBatches:
    """What became of the batches that wait.

    Attributes:
        pushed: what each push did.
        refused: batch to why it was not pushed.
        digest: SHA-256 of the tasks that there are.
        table_versions: versions of the tables that were read and written.
    """

    pushed: tuple[PushReport, ...]
    refused: dict[str, str]
    digest: str
    table_versions: dict[str, int]


def push_waiting(
    project: Project,
    *,
    catalog: Catalog,
    store: ObjectStore,
    tool: Tool,
    progress: Progress | None = None,
) -> PushedBatches:
    """Push every batch that was set aside and is not done, paused or cancelled.

    Args:
        project: whose batches.
        catalog: the project's tables.
        store: where the images lie.
        tool: Label Studio.
        progress: is told how many of how many tasks of a batch are made.

    Raises:
        ToolUnavailable: the tool does not answer.
        ToolDenied: it does not accept the token.
    """
    pushed: list[PushReport] = []
    refused: dict[str, str] = {}
    common = Common(project, catalog, tool)
    for one in list(common.known.batches):
        if one.state not in PUSHABLE:
            continue
        try:
            pushed.append(
                push(
                    project,
                    one.name,
                    catalog=catalog,
                    store=store,
                    tool=tool,
                    progress=progress,
                    common=common,
                )
            )
        except (ToolUnavailable, ToolDenied):
            raise
        except CVPipelineError as error:
            refused[one.name] = str(error)
    return PushedBatches(
        pushed=tuple(pushed),
        refused=refused,
        digest=pushed_digest(catalog),
        table_versions={name: catalog.table(name).version for name in _READ},
    )


def pushed_digest(catalog: Catalog) -> str:
    """SHA-256 of which image of which batch is a task, with which pre-labels and under which
    versions; ids and times of the tool do not count."""
    rows = catalog.table("labeling_tasks").read(
        columns=[
            "batch", "image_id", "prelabel_model", "arm", "ontology_version", "guideline_version",
            "state",
        ]
    )  # fmt: skip
    rows = rows.filter(pc.equal(rows["state"], "pushed"))
    return table_digest(rows, schema_id="annotation_batches/1", sort_by=["batch", "image_id"])
