"""Finds images in a project's source that the catalogue does not have, and ingests them.

A project is watched from its first ingest on: nothing starts by itself for one that nobody uses.
"""

import hashlib
from pathlib import Path

import dagster as dg

from cv_pipeline.catalog.ingest.ingest import pending_files
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.project import resolved_source
from cv_pipeline.provenance import EventLog
from resources import ObjectStoreResource, Projects
from sensors.jobs import CAUSE_TAG, REASON_TAG, Attempts, is_busy

INTERVAL_SECONDS = 60
CAUSE_LENGTH = 16


def new_images_sensor(project: str) -> dg.SensorDefinition:
    """The new-images sensor of one project."""
    job = f"{project}_ingest"

    @dg.sensor(
        name=f"{project}_new_images",
        job_name=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Ingests new images of {project}'s source as a batch.",
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        projects: Projects,
        object_store: ObjectStoreResource,
    ) -> dg.RunRequest | dg.SkipReason:
        if EventLog(context.instance).latest(f"{project}/raw_images") is None:
            return dg.SkipReason(f"{project} is watched after its first ingest")
        if is_busy(context.instance, project):
            return dg.SkipReason(f"a run of {project} is reading the source")
        try:
            url = resolved_source(projects.get(project))
            state = _archive_state(url)
            if state and state == context.cursor:
                return dg.SkipReason("the archive has not changed")
            pending = pending_files(Catalog(object_store.open(), project), object_store.source(url))
        except CVPipelineError as error:
            return dg.SkipReason(str(error))
        if not pending:
            context.update_cursor(state)
            return dg.SkipReason("no new images")
        listing = "\n".join(f"{e.path}\t{e.fingerprint}" for e in pending)
        cause = hashlib.sha256(listing.encode()).hexdigest()[:CAUSE_LENGTH]
        attempts = Attempts(context.instance, job=job, cause=cause)
        if attempts.settled:
            return dg.SkipReason(f"{len(pending):,} files were tried {attempts.made} times")
        return dg.RunRequest(
            run_key=attempts.run_key,
            tags={
                CAUSE_TAG: cause,
                REASON_TAG: "new_images",
                "cv_pipeline/new_files": str(len(pending)),
            },
        )

    return sensor


def _archive_state(url: str) -> str:
    """Size and time of a local archive, so that it is not unpacked in vain; empty for others."""
    path = Path(url.partition("!")[0])
    if not path.is_file():
        return ""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"
