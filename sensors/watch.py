"""The frame of sensors that look after something of a project, and start a run when it changed.

A project is watched from its first ingest on: nothing starts by itself for one that nobody uses.
While a run of the project is at work none is started, and one change starts one run: what was seen
is the run's cause, and a cause is tried a few times at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import dagster as dg

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.project import Project
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


@dataclass(frozen=True)
class Seen:
    """Something changed.

    Attributes:
        cause: what tells it from another change.
        what: what it is, as the beginning of a sentence: "3 files were".
        again: whether a run that succeeded may have left it as it was, so that it is tried again.
        tags: of the run.
    """

    cause: str
    what: str
    again: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watched:
    """What a sensor looks at.

    Attributes:
        project: the project.
        catalog: its tables.
        object_store: where sources are opened.
        context: of the sensor, for its cursor.
    """

    project: Project
    catalog: Catalog
    object_store: ObjectStoreResource
    context: dg.SensorEvaluationContext


def watching_sensor(
    project: str,
    reason: str,
    *,
    job: str,
    description: str,
    look: Callable[[Watched], Seen | str],
) -> dg.SensorDefinition:
    """A sensor ``{project}_{reason}``.

    Args:
        project: name of the project.
        reason: name of what it looks after, which its runs are tagged with.
        job: name of the job that it starts.
        description: what it does, as a sentence.
        look: looks; returns what changed, or why there is nothing to do.
    """

    @dg.sensor(
        name=f"{project}_{reason}",
        job_name=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        projects: Projects,
        object_store: ObjectStoreResource,
    ) -> dg.RunRequest | dg.SkipReason:
        instance = context.instance
        if EventLog(instance).latest(f"{project}/raw_images") is None:
            return dg.SkipReason(f"{project} is watched after its first ingest")
        own = dg.RunsFilter(job_name=job, statuses=UNFINISHED)
        if is_busy(instance, project) or instance.get_runs(own):
            return dg.SkipReason(f"a run of {project} is at work")
        try:
            catalog = Catalog(object_store.open(), project)
            seen = look(Watched(projects.get(project), catalog, object_store, context))
        except CVPipelineError as error:
            return dg.SkipReason(str(error))
        if isinstance(seen, str):
            return dg.SkipReason(seen)
        attempts = Attempts(instance, job=job, cause=seen.cause)
        if attempts.made >= MOST_ATTEMPTS if seen.again else attempts.settled:
            return dg.SkipReason(f"{seen.what} tried {attempts.made} times")
        return dg.RunRequest(
            run_key=attempts.run_key,
            tags={CAUSE_TAG: seen.cause, REASON_TAG: reason, **seen.tags},
        )

    return sensor
