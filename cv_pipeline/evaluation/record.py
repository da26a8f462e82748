"""What an evaluation says of itself in ``evaluation.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from cv_pipeline.evaluation.calibration_report import CalibrationReport
from cv_pipeline.evaluation.gap.gap import Gap
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.suspicion import Suspicion
from cv_pipeline.project import Task

SCHEMA_ID = "evaluation/2"


class ErrorTally(BaseModel):
    """Errors of one kind.

    Attributes:
        count: how many there are at the operating point; of correct, how many are no error.
        cost: AP50 that is lost by them, among detections of any score (TIDE's dAP); None where
            that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: int | None
    cost: float | None


class EvaluationRecord(BaseModel):
    """What ``evaluation.json`` says.

    Attributes:
        schema_id: version of this layout.
        digest: SHA-256 over the tables and this record, but for conventions and library.
        task: detection or classification.
        metric: the project's optimizing metric.
        split: the split that metrics without a prefix are of.
        metrics: metric to value, 0 to 1; ``val/AP50`` is that of another split. A metric that is
            not defined is absent.
        classes: class to its metrics on the headline split, likewise.
        intervals: metric to its value and 95 % interval, on the headline split.
        class_intervals: class to metric to the same.
        calibration: how far scores can be believed there; None where there are none.
        errors: kind of error to how many there are on the headline split and what they cost.
        operating_point: score from which upwards a detection counts; None for classification.
        images: evaluated images of each split.
        objects: ground-truth objects of each split.
        dataset: digest of the dataset version.
        predictions: digest of the predictions.
        model: digest of the model that made them.
        labels: classes.
        min_slice: images below which a slice is small.
        gap: the errors on train, val and test, and what they say together.
        suspicions: what is too good to be true, with the checks that follow from it.
        conventions: what the numbers mean, in words.
        notes: sentences on what is unusual.
        library: what computed the metrics, with its version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_id: Literal["evaluation/2"]
    digest: str
    task: Task
    metric: str
    split: str
    metrics: dict[str, float]
    classes: dict[str, dict[str, float]]
    intervals: dict[str, Interval]
    class_intervals: dict[str, dict[str, Interval]]
    calibration: CalibrationReport | None
    errors: dict[str, ErrorTally]
    operating_point: float | None
    images: dict[str, int]
    objects: dict[str, int]
    dataset: str
    predictions: str
    model: str
    labels: tuple[str, ...]
    min_slice: int
    gap: Gap
    suspicions: tuple[Suspicion, ...]
    conventions: dict[str, str]
    notes: tuple[str, ...]
    library: str
