"""annotation_batches: the batches that wait, pushed to the annotation tool with pre-labels."""

from typing import Any

import dagster as dg
import pyarrow as pa

from assets.step import Step, metadata_table, reporting
from cv_pipeline.errors import ToolUnavailable
from cv_pipeline.labeling.exchange.one_call import tool_of
from cv_pipeline.labeling.exchange.waiting import PushedBatches, push_waiting, pushed_digest
from cv_pipeline.labeling.tool.connection import tool_url
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"
PICTURED = 24


@dg.asset(deps=["prelabels"], code_version=CODE_VERSION, kinds={"labelstudio"})
@reporting
def annotation_batches(
    context: dg.AssetExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.MaterializeResult[Any]:
    """Tasks for annotators: every batch that is open and may be pushed is, each by itself.

    One that may not be pushed yet says what is missing, and holds up no other. Where the project
    has no annotation tool, or none runs, nothing is done. The data version is the digest of the
    tasks that there are.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    step.inputs.read("prelabels")
    url = tool_url(step.project)
    if url is None:
        why = "The project has no annotation tool, or none is running: nothing was pushed."
        step.log.info(why)
        return step.result(pushed_digest(step.catalog), {"pushed": 0, "note": why})
    try:
        with tool_of(step.project) as tool:
            report = push_waiting(
                step.project,
                catalog=step.catalog,
                store=step.store,
                tool=tool,
                progress=step.progress(),
            )
    except ToolUnavailable as error:
        # what was pushed stays so, and the next run pushes the rest
        step.log.warning(f"Not everything was pushed: {error}")
        digest = pushed_digest(step.catalog)
        return step.result(digest, {"tool": url, "push_failed": str(error)})
    return step.result(report.digest, {"tool": url, **_metadata(report), **_picture(step, report)})


def _metadata(report: PushedBatches) -> dict[str, Any]:
    batches = [
        {
            "batch": one.batch,
            "pushed": one.pushed,
            "in_tool": one.waiting,
            "prelabelled": one.prelabelled,
            "deleted": one.deleted,
            "url": one.url,
        }
        for one in report.pushed
    ]
    refused = [{"batch": name, "why": why} for name, why in sorted(report.refused.items())]
    unsure = [
        {"batch": one.batch, "image_id": u.image_id, "uncertainty": u.uncertainty}
        for one in report.pushed
        for u in one.unsure
    ]
    tables = {"batches": batches, "refused": refused, "unsure": unsure}
    return {
        "pushed": sum(one.pushed for one in report.pushed),
        "refused_batches": len(refused),
        **{k: metadata_table(pa.Table.from_pylist(v)) for k, v in tables.items() if v},
        "table_versions": report.table_versions,
    }


def _picture(step: Step, report: PushedBatches) -> dict[str, Any]:
    unsure = [u.image_id for one in report.pushed for u in one.unsure]
    return step.picture(list(dict.fromkeys(unsure))[:PICTURED])
