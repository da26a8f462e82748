"""The composition root: every project's assets, checks, jobs, sensors and schedules.

Load it with ``-m cv_pipeline.definitions`` or through ``workspace.yaml``. A project whose
``project.yaml`` is wrong shows as one asset that says why; the others load as ever.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import dagster as dg
from dagster_aws.s3 import S3Resource

from assets import STAGES
from cv_pipeline.errors import ProjectError
from cv_pipeline.project import Project, load_project, project_names
from cv_pipeline.provenance.abandoned_runs import end_abandoned_runs
from cv_pipeline.settings import dagster_home, mlflow_tracking_uri, projects_dir, store_url
from resources import ObjectStoreResource, Projects, Tracking
from sensors import (
    annotations_job,
    annotations_sensor,
    corrective_job,
    ingest_job,
    metric_drift_sensor,
    new_images_sensor,
    nightly_schedule,
    pipeline_job,
    retraining_job,
)

logger = logging.getLogger(__name__)


def project_definitions(project: Project) -> dg.Definitions:
    """Assets, checks, jobs, sensors and schedule of one project."""
    name = project.name
    return dg.Definitions(
        assets=dg.load_assets_from_modules(STAGES, key_prefix=name, group_name=name),
        asset_checks=dg.load_asset_checks_from_modules(STAGES, asset_key_prefix=name),
        jobs=[
            pipeline_job(name),
            ingest_job(name),
            annotations_job(name),
            retraining_job(name),
            corrective_job(name),
        ],
        sensors=[metric_drift_sensor(name), new_images_sensor(name), annotations_sensor(name)],
        schedules=[nightly_schedule(name, project.schedule)],
    )


def broken_project(name: str, error: ProjectError) -> dg.Definitions:
    """What stands in the lineage for a project that cannot be loaded."""
    logger.error("%s", error)
    spec = dg.AssetSpec(
        [name, "project_error"],
        # a folder may have any name, a group may not
        group_name=re.sub(r"[^A-Za-z0-9_]", "_", name),
        description=f"This project could not be loaded.\n\n```\n{error}\n```",
    )
    return dg.Definitions(assets=[spec])


def build_definitions(folder: Path) -> dg.Definitions:
    """Definitions of every project below ``folder``, with the resources that they share."""
    parts = []
    for name in project_names(folder):
        path = folder / name / "project.yaml"
        try:
            parts.append(project_definitions(load_project(path)))
        except ProjectError as error:
            parts.append(broken_project(name, error))
        except dg.DagsterInvalidDefinitionError as error:
            # the file validates, but Dagster does not take what it declares
            parts.append(broken_project(name, ProjectError(f"{path}: {error}")))
    shared = dg.Definitions(
        resources={
            "projects": Projects(folder=str(folder)),
            "object_store": ObjectStoreResource(url=store_url(), s3=S3Resource()),
            "tracking": Tracking(uri=mlflow_tracking_uri()),
        },
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(shared, *parts)


dagster_home()  # refuse to run without a lasting instance
end_abandoned_runs(dg.DagsterInstance.get())
defs = build_definitions(projects_dir())
