"""The nightly run of a project, for projects that are in use."""

import dagster as dg

from cv_pipeline.project import Schedule
from cv_pipeline.provenance import EventLog
from sensors.jobs import REASON_TAG


def nightly_schedule(project: str, schedule: Schedule) -> dg.ScheduleDefinition:
    """Runs everything of one project at the time its ``schedule`` says."""

    @dg.schedule(
        name=f"{project}_nightly",
        job_name=f"{project}_pipeline",
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs everything of {project}; what has not changed is not made again.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if EventLog(context.instance).latest(f"{project}/raw_images") is None:
            return dg.SkipReason(f"{project} runs nightly after its first run")
        return dg.RunRequest(tags={REASON_TAG: "nightly"})

    return nightly
