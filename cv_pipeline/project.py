"""A project: one vision problem, described by one ``project.yaml``.

Loading validates the whole file and names, for every mistake, the key, the line, what was
expected and the nearest known name. Nothing here touches the network or the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)

from cv_pipeline.cron import require_cron
from cv_pipeline.dataset_query import Query, SliceQuery
from cv_pipeline.errors import ProjectError, nearest
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.mistakes import Model, describe
from cv_pipeline.ontology import Ontology as Ontology
from cv_pipeline.ontology_rules import require_edge_cases, require_shapes, require_versions
from cv_pipeline.plugins.registry import require_plugin
from cv_pipeline.requirement import Requirement
from cv_pipeline.section import Section
from cv_pipeline.settings import expand
from cv_pipeline.vocabulary import (
    IMAGE_PROPERTIES,
    OWN_MODELS,
    query_keywords,
    require_arguments,
    require_check,
    require_columns,
    require_expectation,
    require_model,
    require_query,
    require_table,
    require_timezone,
)
from cv_pipeline.yaml_file import YAMLFile, parse_yaml

Task = Literal["detection", "classification"]
Severity = Literal["error", "warn"]
SplitName = Literal["train", "val", "test"]
PROJECT_NAME = r"^[a-z][a-z0-9_]{0,62}$"
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
CheckName = Annotated[str, AfterValidator(require_check)]
TableName = Annotated[str, AfterValidator(require_table)]
ExpectationName = Annotated[str, AfterValidator(require_expectation)]
AugmentAlgorithm = Annotated[str, AfterValidator(require_plugin("augment"))]
ModelName = Annotated[str, AfterValidator(require_model)]
Cron = Annotated[str, AfterValidator(require_cron)]
Timezone = Annotated[str, AfterValidator(require_timezone)]
QueryText = Annotated[str, Field(min_length=1), AfterValidator(require_query)]
WaiverRole = Literal["reviewer", "engineer", "admin"]


class Charter(Section):
    """What the project is for: read by people, and checked against what exists."""

    problem: str = Field(min_length=1, description="the problem, in a sentence or two")
    requirements: tuple[str, ...] = Field((), description="what a solution must do")
    product_metrics: tuple[str, ...] = Field((), description="how the product measures success")
    out_of_scope: tuple[str, ...] = Field((), description="what it is not for")
    feasibility: tuple[str, ...] = Field((), description="open questions on feasibility")
    owners: dict[str, str] = Field(default_factory=dict, description="role to named person")


class Source(Section):
    """Where the images and what is known about them come from."""

    images: str = Field(
        description="folder, s3://bucket/prefix, or archive.tar.gz!folder/inside; ${NAME} expands"
    )
    metadata: str | None = Field(
        None,
        description="CSV with a path column; captured_at, tags (;-separated) and split are known,"
        " every other column is a metadata key",
    )
    splits: dict[SplitName, str] = Field(
        default_factory=dict, description="split to a text file that lists its images, a line each"
    )
    max_pixels: int = Field(200_000_000, gt=0, description="larger images are quarantined")
    max_bytes: int = Field(500_000_000, gt=0, description="larger files are quarantined")


class Annotations(Section):
    """Where the labels come from, and how several annotators become one label."""

    source: str | None = Field(
        None,
        description="file or folder of the export; ${NAME} expands; null where all labels are made"
        " in the annotation tool",
    )
    format: Literal[
        "auto",
        "coco",
        "csv",
        "cvat",
        "huggingface",
        "label_studio",
        "labelme",
        "pascal_voc",
        "webdataset",
        "yolo",
    ] = Field("auto", description="format of the export")
    aggregation: Literal["latest", "majority"] = Field(
        "latest",
        description="several annotators on one image: the latest annotator's labels, or the"
        " majority vote",
    )
    model_labels: bool = Field(
        False,
        description="whether labels that a model drew, as a tool's automation leaves them behind"
        " in an export, count in datasets as an annotator's",
    )
    gold: str | None = Field(None, description="CSV of image,label: known truth, held out to test")
    ontology_version: str | None = Field(
        None,
        description="version of the ontology that the export was made under; null for the current",
    )


class Split(Section):
    """How images are divided; near-duplicates always stay together."""

    strategy: Literal["stratified", "time"] = Field(
        "stratified",
        description="stratified: every split has its share of every class; time: the oldest"
        " images are for training, the newest for testing",
    )
    ratios: dict[SplitName, Fraction] = Field(
        {"train": 0.7, "val": 0.15, "test": 0.15}, description="share of each split"
    )
    group_by: tuple[str, ...] = Field(
        (), description="metadata keys whose values never cross a split, such as patient"
    )
    seed: int = Field(0, ge=0, description="seed of the assignment")
    near_duplicate_distance: int = Field(
        6, ge=0, le=16, description="bits of a 64-bit perceptual hash at which images are the same"
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=100,
        description="number of cross-validation folds of the images that are not for testing",
    )
    sticky: bool = Field(
        True,
        description="an image keeps the split that a dataset version gave it, and its fold, until"
        " strategy, ratios, group_by or seed change; false divides anew for every version",
    )

    @model_validator(mode="after")
    def _ratios_sum_to_one(self) -> Split:
        total = sum(self.ratios.values())
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"ratios must add up to 1, not {total:g}")
        return self


class Dataset(Section):
    """Which images, and how they are split."""

    query: Query = Field(
        default_factory=Query,
        description="which images: a text of the query language, or its keywords (docs/query.md);"
        " used most are",
    )
    split: Split = Field(default_factory=Split, description="how they are divided")


class Check(Section):
    """One check on a dataset candidate."""

    severity: Severity = Field("error", description="error blocks the version, warn only tells")
    threshold: float | None = Field(None, ge=0, description="limit; null for the check's own")


class Expectation(Section):
    """One expectation on a table of a dataset candidate, in Great Expectations' words."""

    name: ExpectationName = Field(
        description="name of the expectation, such as expect_column_values_to_be_between"
    )
    column: str | None = Field(None, description="column that it is about, where it is about one")
    arguments: dict[str, Any] = Field(default_factory=dict, description="its other arguments")

    @property
    def all_arguments(self) -> dict[str, Any]:
        """Its arguments, the column among them."""
        return self.arguments if self.column is None else {"column": self.column, **self.arguments}

    @model_validator(mode="after")
    def _arguments_fit(self) -> Expectation:
        require_arguments(self.name, self.all_arguments)
        return self


class Augmentation(Section):
    """Ranges that augmentation parameters are drawn from; those drawn are recorded."""

    flip: Fraction = Field(0.5, description="probability of a left-right flip")
    crop: Fraction = Field(0.0, description="largest share of each side that is cropped away")
    brightness: Fraction = Field(0.0, description="brightness factor is drawn from 1 ± this")
    contrast: Fraction = Field(0.0, description="contrast factor is drawn from 1 ± this")
    saturation: Fraction = Field(0.0, description="saturation factor is drawn from 1 ± this")
    # left out of what is recorded when there are none: such a training is the same as ever
    algorithms: tuple[AugmentAlgorithm, ...] = Field(
        (),
        exclude_if=lambda names: not names,
        description="augmentation algorithms besides, in order: copy_paste, random_erasing or a"
        " plug-in's (docs/labeling/algorithms.md)",
    )


class Training(Section):
    """The model and how it is trained."""

    model: ModelName = Field(description="name in the model registry")
    input_size: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = Field(
        description="height and width in pixels; images are scaled to fit and padded"
    )
    epochs: int = Field(10, ge=1, le=1000, description="passes over the training split")
    batch_size: int = Field(16, ge=1, description="images per step")
    learning_rate: float = Field(
        1e-3, gt=0, allow_inf_nan=False, description="peak of the one-cycle schedule"
    )
    weight_decay: float = Field(1e-4, ge=0, allow_inf_nan=False, description="AdamW weight decay")
    seed: int = Field(0, ge=0, description="seed of weights, order and augmentation")
    loader: Literal["auto", "dali", "torchvision"] = Field(
        "auto", description="auto: DALI where it is installed, else torchvision"
    )
    validation_images: int = Field(
        200,
        ge=1,
        description="validation images that each epoch is measured on at most, evenly spaced; the"
        " results of each are kept",
    )
    augmentation: Augmentation = Field(default_factory=Augmentation, description="augmentation")


class Evaluation(Section):
    """Which metric counts, and for which slices it is reported."""

    metric: Literal["AP", "AP50", "accuracy", "macro_f1"] | None = Field(
        None, description="the optimizing metric; null for the task's own (AP50, accuracy)"
    )
    slices: tuple[str, ...] = Field((), description="metadata keys: a slice for each value")
    slice_queries: dict[Annotated[str, Field(min_length=1)], SliceQuery] = Field(
        default_factory=dict,
        description="name of a slice to its query, a text or keywords as in dataset.query",
    )
    min_slice: int = Field(10, ge=1, description="images below which a slice is too small")
    train_images: int | None = Field(
        None,
        ge=0,
        description="training images that are predicted too, drawn by chance, so that errors on"
        " train, val and test stand side by side; null for as many as val and test have",
    )
    activation_images: int = Field(
        32, ge=0, description="images whose class-activation maps are measured; 0 for none"
    )

    @model_validator(mode="after")
    def _names_are_of_one_slice(self) -> Evaluation:
        for name in self.slice_queries:
            what = "a metadata key of evaluation.slices" if name in self.slices else ""
            if name in IMAGE_PROPERTIES:
                what = "a property of images"
            if what:
                raise ValueError(
                    f"slice_queries.{name} has the name of {what}: give the query another name"
                )
        return self


class MetricDrift(Section):
    """When a new evaluation counts as drift."""

    relative_drop: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.08, description="drop of the metric, relative to the best or the last, that triggers"
    )


class Monitoring(Section):
    """What is watched after training."""

    metric_drift: MetricDrift = Field(default_factory=MetricDrift, description="metric drift")


class Retraining(Section):
    """How often drift may start a retraining."""

    cooldown_minutes: float = Field(360, ge=0, description="least time between two retrainings")
    daily_limit: int = Field(2, ge=0, description="most retrainings in 24 hours; 0 for none")


class Schedule(Section):
    """The nightly run."""

    cron: Cron = Field("0 2 * * *", description="cron expression")
    timezone: Timezone = Field("UTC", description="IANA time zone of the cron expression")


class Access(Section):
    """Which images are guarded, and who may let a failed gate pass."""

    restricted: QueryText | None = Field(
        None,
        description="images whose every access is written to the audit log, as a text of the query"
        " language (docs/query.md); null for none",
    )
    waiver_roles: tuple[WaiverRole, ...] = Field(
        ("admin",),
        description="roles that may waive failed checks of a dataset candidate; empty for nobody",
    )


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


def load_project(path: Path) -> Project:
    """Load and validate one ``project.yaml``.

    Args:
        path: the file, in a folder that has the project's name.

    Raises:
        ProjectError: it is missing, is not YAML, or does not validate; every mistake is named
            with its key, line, what was expected and the nearest known name.
    """
    project, file = _read(path)
    if path.parent.name != project.name:
        raise ProjectError(
            f"{path}, line {file.line(('name',))}: name {project.name!r} differs from its folder"
            f" {path.parent.name!r}.",
            do="Make them the same.",
        )
    return project


def read_project(path: Path) -> Project:
    """Load and validate a ``project.yaml`` that lies anywhere, such as a changed one.

    Raises:
        ProjectError: as those of :func:`load_project`.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Project, YAMLFile]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProjectError(
            f"{path} does not exist.", do="Run: cvp new NAME --images … --annotations …"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    file = parse_yaml(text, path)
    try:
        project = Project.model_validate(file.values)
    except ValidationError as error:
        mapped: dict[str, Model] = {
            "checks": Check,
            "expectations": Expectation,
            "requirements": Requirement,
            "evaluation": SliceQuery,
        }
        known: dict[Model, Callable[[], Iterable[str]]] = {
            Query: query_keywords,
            SliceQuery: query_keywords,
        }
        described = [
            describe(e, file, root=Project, mapped=mapped, known=known) for e in error.errors()
        ]
        problems = "\n".join(f"  {text}" for text in described)
        count = error.error_count()
        raise ProjectError(
            f"{path} has {count} mistake{'s' if count > 1 else ''}:\n{problems}\n",
            do="See docs/project.md for every key.",
        ) from error
    return project, file


def project_names(folder: Path) -> list[str]:
    """Names of the folders below ``folder`` that hold a ``project.yaml``, sorted."""
    return sorted(p.parent.name for p in folder.glob("*/project.yaml"))


def find_project(name: str, folder: Path) -> Project:
    """Load the project called ``name``.

    Raises:
        ProjectError: there is none (the message names the nearest), or it does not validate.
    """
    names = project_names(folder)
    if name not in names:
        raise ProjectError(f"There is no project {name!r} in {folder}.", do=nearest(name, names))
    return load_project(folder / name / "project.yaml")


def resolved_source(project: Project) -> str:
    """The images' URL with the environment expanded."""
    return expand(project.source.images)
