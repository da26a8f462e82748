"""Tags by which a run says who launched it, and from where."""

from __future__ import annotations

from dagster import DagsterRun

ACTOR_TAG = "cv_pipeline/actor"
"""Who launched it: an account of the inspector, or the system's user."""
ORIGIN_TAG = "cv_pipeline/origin"
"""From where: one of the next two, or what :func:`origin_of` makes out."""
INSPECTOR = "inspector"
COMMAND_LINE = "command line"
_AGAIN = "dagster/parent_run_id"


def actor_of(run: DagsterRun) -> str:
    """Who launched a run: a person, or a sensor or schedule; empty where it does not say."""
    tags = run.tags
    if ACTOR_TAG in tags and _AGAIN not in tags:
        return tags[ACTOR_TAG]
    for tag, words in (("dagster/sensor_name", "sensor"), ("dagster/schedule_name", "schedule")):
        if tag in tags:
            return f"{words} {tags[tag]}"
    return tags.get("user", "")


def origin_of(run: DagsterRun) -> str:
    """From where a run was launched, in words; empty where it does not say."""
    tags = run.tags
    if _AGAIN in tags:  # with the tags of the run that it repeats
        return "run again in Dagster"
    if ORIGIN_TAG in tags:
        return tags[ORIGIN_TAG]
    for tag, words in (
        ("dagster/sensor_name", "sensor"),
        ("dagster/schedule_name", "schedule"),
        ("dagster/backfill", "backfill"),
        ("dagster/from_ui", "Dagster's pages"),
    ):
        if tag in tags:
            return words
    # what a webserver or daemon launches says where its code is; a command runs it itself
    return COMMAND_LINE if run.remote_job_origin is None else ""
