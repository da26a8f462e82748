"""What a training or prediction process is asked to do, and what it reports.

These cross the border between two processes, so they are plain JSON: nothing in them needs torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.project import SplitName, Task, Training

Value = str | int | float | bool

DIGEST = "SHA-256 over the tensors by name and what decides what they mean"


class Record(BaseModel):
    """A value that never changes and has no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FoldParts(Record):
    """The folds of one training of a cross-validation."""

    train: tuple[int, ...] = Field(description="folds that are trained on")
    validation: int = Field(description="fold that is validated on")


class Emphasis(Record):
    """Training images that are drawn several times an epoch."""

    images: tuple[str, ...] = Field(description="the images; those not trained on do not count")
    weight: int = Field(ge=2, description="times that each of them is drawn in an epoch")


class TrainingSpec(Record):
    """One training, completely: the same specification gives the same weights on one machine."""

    kind: Literal["training"] = "training"
    project: str = Field(description="project, and MLflow experiment")
    task: Task = Field(description="what the model does")
    labels: tuple[str, ...] = Field(min_length=1, description="class names, in training order")
    training: Training = Field(description="model and hyper-parameters")
    seed: int = Field(ge=0, description="seed of weights, order and augmentation")
    dataset: Path = Field(description="folder of the dataset version")
    dataset_digest: str = Field(description="its digest")
    folds: FoldParts | None = Field(
        None, description="folds of it to train and validate on; null for its train and val splits"
    )
    taken_out: tuple[str, ...] = Field((), description="images of it to leave out")
    emphasis: Emphasis | None = Field(None, description="images of it to draw more often")
    store_url: str = Field(description="object store that holds the images")
    out: Path = Field(description="model folder to make; absent until it is complete")
    tracking_uri: str = Field(description="MLflow's tracking store")
    tags: dict[str, str] = Field(default_factory=dict, description="tags of the MLflow run")
    code_version: str = Field(description="version of the code that asks")


class EpochResult(Record):
    """What one pass over the training split gave."""

    epoch: int = Field(description="from 1")
    train_loss: float = Field(description="mean over the epoch's images")
    learning_rate: float = Field(description="at the end of the epoch")
    validation: float | None = Field(
        description="AP50 or accuracy on validation images; null without a validation split"
    )
    seconds: float = Field(description="wall clock, validation included")


class TrainingReport(Record):
    """What a training gave."""

    model_digest: str = Field(description=DIGEST)
    metrics: dict[str, float] = Field(description="of the last epoch")
    epochs: tuple[EpochResult, ...] = Field(description="in order")
    parameters: dict[str, Value] = Field(description="all of them, flattened")
    hardware: dict[str, Value] = Field(description="what it ran on")
    seconds: float = Field(description="wall clock of the process, imports included")
    training_seconds: float = Field(description="wall clock of the epochs")
    peak_memory_bytes: int = Field(description="largest resident size of the process")
    mlflow_experiment_id: str = Field(description="experiment in MLflow")
    mlflow_run_id: str = Field(description="run in MLflow")


class PredictionSpec(Record):
    """One pass of a model over splits of a dataset version."""

    kind: Literal["prediction"] = "prediction"
    task: Task = Field(description="what the model is expected to do")
    model: Path = Field(description="model folder")
    model_digest: str = Field(description="its digest")
    dataset: Path = Field(description="folder of the dataset version")
    dataset_digest: str = Field(description="its digest")
    taken_out: tuple[str, ...] = Field((), description="images of it to leave out")
    store_url: str = Field(description="object store that holds the images")
    splits: tuple[SplitName, ...] = Field(("val", "test"), description="splits to predict")
    train_images: int = Field(0, ge=0, description="training images to predict besides: a sample")
    out: Path = Field(description="predictions folder to make; absent until it is complete")


class Latency(Record):
    """How long one image at a time takes, on one machine; no part of any content hash."""

    p50_ms: float = Field(description="median, ms")
    p95_ms: float = Field(description="95th percentile, ms")
    images: int = Field(description="images that were timed, after a warm-up")
    device: str = Field(description="processor or GPU that it ran on")
    threads: int = Field(description="threads of the processor")
    input_size: tuple[int, int] = Field(description="height and width of the input in pixels")


class PredictionReport(Record):
    """What a prediction gave."""

    digest: str = Field(description="SHA-256 of the predictions")
    rows: int = Field(description="detections, or classes considered")
    images: int = Field(description="images predicted, those without detections included")
    seconds: float = Field(description="wall clock of the process, imports included")
    images_per_second: float | None = Field(
        None, description="throughput of the pass in batches, decoding included"
    )
    latency: Latency | None = Field(None, description="of single images; null without any")


class ActivationSpec(Record):
    """Class-activation maps of a model on some labelled images, measured against their boxes."""

    kind: Literal["explanation"] = "explanation"
    model: Path = Field(description="model folder")
    dataset: Path = Field(description="folder of the dataset version")
    images: tuple[str, ...] = Field(description="images of it")
    split: SplitName = Field(description="split that they are of")
    store_url: str = Field(description="object store that holds the images")
    out: Path = Field(description="table to make, schema ACTIVATIONS; absent until it is complete")


class ActivationReport(Record):
    """What the maps gave."""

    rows: int = Field(description="pairs of image and class")
    seconds: float = Field(description="wall clock of the process, imports included")


class Job(Record):
    """What the file handed to a child process holds."""

    parent: int = Field(description="process id of the parent: the child dies with it")
    work: Annotated[TrainingSpec | PredictionSpec | ActivationSpec, Field(discriminator="kind")]


class Failure(Record):
    """Why a child process gave up: the sentences of a TrainingError."""

    what: str
    do: str


def speed_facts(report: PredictionReport) -> dict[str, Value]:
    """What a prediction measured of its own speed, as flat facts that an event can carry."""
    facts: dict[str, Value] = {}
    if report.images_per_second is not None:
        facts["throughput_images_per_s"] = report.images_per_second
    if report.latency is not None:
        height, width = report.latency.input_size
        facts |= {
            "latency_p50_ms": report.latency.p50_ms,
            "latency_p95_ms": report.latency.p95_ms,
            "latency_images": report.latency.images,
            "latency_device": report.latency.device,
            "latency_threads": report.latency.threads,
            "latency_input": f"{height}×{width}",
        }
    return facts
