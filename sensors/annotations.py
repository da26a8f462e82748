"""Pulls annotations when something changed in the annotation tool.

Label Studio's webhooks are sent once and lost when nobody listens, so they are no more than a hint:
what counts is asked, every minute. The sensor only looks; the run that it starts does the pulling,
and what it saw is its cursor, so that one change starts one run.
"""

from __future__ import annotations

import dagster as dg

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.labeling.exchange.one_call import tool_of
from cv_pipeline.labeling.tool.changes import changes_in_tool
from cv_pipeline.labeling.tool.connection import tool_url
from cv_pipeline.provenance import EventLog
from resources import ObjectStoreResource, Projects
from sensors.jobs import (
    CAUSE_TAG,
    MOST_ATTEMPTS,
    REASON_TAG,
    UNFINISHED,
    Attempts,
    is_busy,
)

INTERVAL_SECONDS = 60


def annotations_sensor(project: str) -> dg.SensorDefinition:
    """The annotations sensor of one project."""
    job = f"{project}_annotations"

    @dg.sensor(
        name=f"{project}_annotations",
        job_name=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Pulls what annotators of {project} did, when they did something.",
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        projects: Projects,
        object_store: ObjectStoreResource,
    ) -> dg.RunRequest | dg.SkipReason:
        if EventLog(context.instance).latest(f"{project}/raw_images") is None:
            return dg.SkipReason(f"{project} is watched after its first ingest")
        try:
            found = projects.get(project)
            if tool_url(found) is None:
                return dg.SkipReason(f"{project} has no annotation tool, or none is running")
            pulling = dg.RunsFilter(job_name=job, statuses=UNFINISHED)
            if is_busy(context.instance, project) or context.instance.get_runs(pulling):
                return dg.SkipReason(f"a run of {project} is at work")
            with tool_of(found) as tool:
                state = changes_in_tool(Catalog(object_store.open(), project), tool)
        except CVPipelineError as error:
            return dg.SkipReason(str(error))
        if not state:
            return dg.SkipReason("nothing changed since the last pull")
        attempts = Attempts(context.instance, job=job, cause=state)
        # a run succeeds when the tool is down, for what was pulled before counts: try again
        if attempts.made >= MOST_ATTEMPTS:
            return dg.SkipReason(f"what changed was tried {attempts.made} times")
        return dg.RunRequest(
            run_key=attempts.run_key, tags={CAUSE_TAG: state, REASON_TAG: "annotations"}
        )

    return sensor
