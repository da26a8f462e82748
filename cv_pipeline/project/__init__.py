"""A project: one vision problem, described by one ``project.yaml``."""

from __future__ import annotations

from cv_pipeline.dataset_query import Query
from cv_pipeline.ontology import Ontology
from cv_pipeline.project.access import Access, WaiverRole
from cv_pipeline.project.annotations import Annotations
from cv_pipeline.project.charter import Charter
from cv_pipeline.project.checks import Check, Expectation
from cv_pipeline.project.dataset import Dataset, Split
from cv_pipeline.project.evaluation import Evaluation
from cv_pipeline.project.loading import (
    find_project,
    load_project,
    project_names,
    read_project,
    resolved_source,
)
from cv_pipeline.project.names import PROJECT_NAME, Severity, SplitName, Task
from cv_pipeline.project.operation import MetricDrift, Monitoring, Retraining, Schedule
from cv_pipeline.project.project import Project
from cv_pipeline.project.source import Source
from cv_pipeline.project.training import Augmentation, Training

__all__ = [
    "PROJECT_NAME",
    "Access",
    "Annotations",
    "Augmentation",
    "Charter",
    "Check",
    "Dataset",
    "Evaluation",
    "Expectation",
    "MetricDrift",
    "Monitoring",
    "Ontology",
    "Project",
    "Query",
    "Retraining",
    "Schedule",
    "Severity",
    "Source",
    "Split",
    "SplitName",
    "Task",
    "Training",
    "WaiverRole",
    "find_project",
    "load_project",
    "project_names",
    "read_project",
    "resolved_source",
]
