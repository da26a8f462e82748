"""Sensors and schedules of a project, all running by default."""

from __future__ import annotations

from sensors.annotations import annotations_sensor
from sensors.jobs import (
    annotations_job,
    corrective_job,
    ingest_job,
    pipeline_job,
    retraining_job,
)
from sensors.metric_drift import metric_drift_sensor
from sensors.new_images import new_images_sensor
from sensors.nightly import nightly_schedule

__all__ = [
    "annotations_job",
    "annotations_sensor",
    "corrective_job",
    "ingest_job",
    "metric_drift_sensor",
    "new_images_sensor",
    "nightly_schedule",
    "pipeline_job",
    "retraining_job",
]
