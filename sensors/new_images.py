"""Finds images in a project's source that the catalogue does not have, and ingests them.

A project is watched from its first ingest on: nothing starts by itself for one that nobody uses.
"""

import hashlib

import dagster as dg
from cv_pipeline.catalog.ingest import pending_files

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.project import resolved_source
from cv_pipeline.provenance import EventLog
from resources import ObjectStoreResource, Projects
from sensors.jobs import CAUSE_TAG, REASON_TAG, Attempts

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
        try:
            source = object_store.source(resolved_source(projects.get(project)))
            pending = pending_files(Catalog(object_store.open(), project), source)
        except CVPipelineError as error:
            return dg.SkipReason(str(error))
        if not pending:
            return dg.SkipReason("no new images")
        listing = "\n".join(f"{e.path}\t{e.fingerprint}" for e in pending)
        cause = hashlib.sha256(listing.encode()).hexdigest()[:CAUSE_LENGTH]
        attempts = Attempts(context.instance, job=job, cause=cause)
        if attempts.in_progress:
            return dg.SkipReason(f"{len(pending):,} new files are being ingested")
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
