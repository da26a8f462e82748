"""A project: one vision problem, with everything that its ``project.yaml`` declares.

What one section says must fit the others: that is looked at here.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from cv_pipeline.errors import nearest
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.ontology import Ontology
from cv_pipeline.ontology_rules import require_edge_cases, require_shapes, require_versions
from cv_pipeline.project.access import Access
from cv_pipeline.project.annotations import Annotations
from cv_pipeline.project.charter import Charter
from cv_pipeline.project.checks import Check, CheckName, Expectation, TableName
from cv_pipeline.project.dataset import Dataset
from cv_pipeline.project.evaluation import Evaluation
from cv_pipeline.project.names import PROJECT_NAME, Task
from cv_pipeline.project.operation import Monitoring, Retraining, Schedule
from cv_pipeline.project.source import Source
from cv_pipeline.project.training import Training
from cv_pipeline.requirement import Requirement
from cv_pipeline.section import Section
from cv_pipeline.vocabulary import OWN_MODELS, require_columns


class Project(Section):
    """Everything that one project declares."""

    name: str = Field(pattern=PROJECT_NAME, description="name: lower-case letters, digits and _")
    task: Task = Field(description="what the model does")
    charter: Charter = Field(description="what the project is for")
    source: Source = Field(description="where images come from")
    annotations: Annotations = Field(
        default_factory=Annotations, description="where labels come from"
    )
    labeling: Labeling = Field(
        default_factory=Labeling, description="the annotation tool, and how work is done there"
    )
    ontology: Ontology = Field(description="classes and attributes")
    dataset: Dataset = Field(default_factory=Dataset, description="which images, how split")
    checks: dict[CheckName, Check] = Field(
        default_factory=dict, description="check name to its severity and threshold"
    )
    expectations: dict[TableName, tuple[Expectation, ...]] = Field(
        default_factory=dict,
        description="table (images, annotations, metadata, near_duplicates) to what is expected of"
        " it besides; images have each metadata key as a column metadata.KEY",
    )
    training: Training = Field(description="the model and how it is trained")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="metric and slices")
    requirements: tuple[Requirement, ...] = Field(
        (),
        description="thresholds that a model must meet on the test split to become the champion:"
        " metric, at_least or at_most, and where it is meant label or slice",
    )
    monitoring: Monitoring = Field(default_factory=Monitoring, description="what is watched")
    retraining: Retraining = Field(default_factory=Retraining, description="how often")
    schedule: Schedule = Field(default_factory=Schedule, description="the nightly run")
    access: Access = Field(default_factory=Access, description="guarded images, and waivers")

    @property
    def metric(self) -> str:
        """Name of the optimizing metric."""
        default = "AP50" if self.task == "detection" else "accuracy"
        return self.evaluation.metric or default

    @model_validator(mode="after")
    def _labels_come_from_somewhere(self) -> Project:
        if self.annotations.source is None and self.labeling.url is None:
            raise ValueError("annotations.source is missing, and there is no labeling.url either")
        return self

    @model_validator(mode="after")
    def _metric_fits_task(self) -> Project:
        fits = {"detection": ("AP", "AP50"), "classification": ("accuracy", "macro_f1")}
        if self.metric not in fits[self.task]:
            raise ValueError(
                f"evaluation.metric {self.metric!r} is not a {self.task} metric;"
                f" expected one of {', '.join(fits[self.task])}"
            )
        return self

    @model_validator(mode="after")
    def _requirements_are_measured(self) -> Project:
        for place, one in enumerate(self.requirements):
            if one.label is not None and one.label not in self.ontology.labels:
                raise ValueError(
                    f"requirements.{place}.label {one.label!r} is not a class;"
                    f" {nearest(one.label, self.ontology.labels)}"
                )
            part = one.slice_parts
            known = (*self.evaluation.slices, *self.evaluation.slice_queries)
            if part is not None and part[0] not in known:
                raise ValueError(
                    f"requirements.{place}.slice {part[0]!r} is not among evaluation.slices or"
                    f" evaluation.slice_queries; {nearest(part[0], known)}"
                )
        return self

    @model_validator(mode="after")
    def _ontology_fits(self) -> Project:
        require_versions(self.ontology, made_under=self.annotations.ontology_version)
        require_shapes(self.ontology, task=self.task)
        require_edge_cases(self.ontology, self.labeling.hand_off.gold.edge_cases)
        return self

    @model_validator(mode="after")
    def _model_fits_task(self) -> Project:
        for task, own in OWN_MODELS.items():
            if task != self.task and self.training.model in own:
                raise ValueError(
                    f"training.model {self.training.model!r} is not a {self.task} model;"
                    f" expected {', '.join(OWN_MODELS[self.task])} or one of torchvision's"
                )
        return self

    @model_validator(mode="after")
    def _expected_columns_exist(self) -> Project:
        for table, expected in self.expectations.items():
            for place, one in enumerate(expected):
                require_columns(table, place, one.name, one.all_arguments)
        return self

    @model_validator(mode="after")
    def _boxes_cannot_be_voted_on(self) -> Project:
        if self.task == "detection" and self.annotations.aggregation == "majority":
            raise ValueError("annotations.aggregation 'majority' needs task classification")
        return self
