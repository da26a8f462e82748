"""The jobs of a project, and how often one was tried for the same reason."""

from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

REASON_TAG = "cv_pipeline/reason"
CAUSE_TAG = "cv_pipeline/cause"
MOST_ATTEMPTS = 3
UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def pipeline_job(project: str) -> UnresolvedAssetJobDefinition:
    """Every asset of the project, from the source to the evaluation."""
    return dg.define_asset_job(
        f"{project}_pipeline",
        selection=dg.AssetSelection.groups(project),
        description=f"Everything of {project}, from raw images to evaluation.",
    )


def ingest_job(project: str) -> UnresolvedAssetJobDefinition:
    """New images into the catalogue, with their features."""
    return dg.define_asset_job(
        f"{project}_ingest",
        selection=dg.AssetSelection.assets([project, "raw_images"], [project, "image_features"]),
        description=f"New images of {project} into the catalogue.",
    )


def annotations_job(project: str) -> UnresolvedAssetJobDefinition:
    """What annotators did, into the catalogue."""
    return dg.define_asset_job(
        f"{project}_annotations",
        selection=dg.AssetSelection.assets([project, "annotation_exports"]),
        description=f"What annotators of {project} did, into the catalogue.",
    )


def retraining_job(project: str) -> UnresolvedAssetJobDefinition:
    """Everything of the project, with a training of its own even on unchanged data."""
    return dg.define_asset_job(
        f"{project}_retraining",
        selection=dg.AssetSelection.groups(project),
        description=f"Retrain {project} on its newest data and evaluate the result.",
    )


def corrective_job(project: str) -> UnresolvedAssetJobDefinition:
    """Everything of the project, by a corrective record that the run's configuration names."""
    return dg.define_asset_job(
        f"{project}_corrective",
        selection=dg.AssetSelection.groups(project),
        description=f"A declared correction of {project}, compared with its parent; launch it with"
        " cvp corrective.",
    )


class Attempts:
    """Runs that were already launched for one cause, such as one bad evaluation.

    ``run_key`` dedupes for ever, even after a failure; so the number of the attempt is part of it.
    """

    def __init__(self, instance: dg.DagsterInstance, *, job: str, cause: str) -> None:
        runs = instance.get_runs(RunsFilter(job_name=job, tags={CAUSE_TAG: cause}))
        self.cause = cause
        self.made = len(runs)
        self.succeeded = any(r.status == DagsterRunStatus.SUCCESS for r in runs)
        self.in_progress = any(not r.is_finished for r in runs)

    @property
    def exhausted(self) -> bool:
        """Whether as many attempts failed as are allowed."""
        return self.made >= MOST_ATTEMPTS and not (self.succeeded or self.in_progress)

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to do for this cause."""
        return self.succeeded or self.exhausted

    @property
    def run_key(self) -> str:
        """Run key of the next attempt."""
        return f"{self.cause}-{self.made + 1}"


def is_busy(instance: dg.DagsterInstance, project: str) -> bool:
    """Whether an unfinished run, from wherever it was launched, makes the project's raw images."""
    key = dg.AssetKey([project, "raw_images"])
    made = (pipeline_job, ingest_job, retraining_job, corrective_job)
    jobs = {job(project).name for job in made}
    return any(
        run.job_name in jobs or key in (run.asset_selection or ())
        for run in instance.get_runs(RunsFilter(statuses=UNFINISHED))
    )


def launched_since(instance: dg.DagsterInstance, *, job: str, since: datetime) -> list[datetime]:
    """When runs of a job were launched after ``since``, UTC."""
    records = instance.get_run_records(RunsFilter(job_name=job, created_after=since))
    return [r.create_timestamp for r in records]
