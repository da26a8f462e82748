"""What lies in a model's folder, and its card: all that is needed to use the weights.

model.safetensors       weights
model.json              the card; written last, so a folder that has it is complete
augmentations.parquet   parameters really applied, by image and epoch
algorithms.parquet      what augmentation algorithms drew, by image and epoch; absent without them
epochs.parquet          loss and metric, by epoch
epoch_results.parquet   what was right and wrong on each validation image, by epoch; absent without
                        validation images
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pydantic import Field, ValidationError

from cv_pipeline.errors import TrainingError
from cv_pipeline.project import Task, Training
from cv_pipeline.training.emphasis import Emphasised
from cv_pipeline.training.fitted_on import FittedOn
from cv_pipeline.training.spec import DIGEST, FoldParts, Record, Value

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"
AUGMENTATIONS_FILE = "augmentations.parquet"
ALGORITHMS_FILE = "algorithms.parquet"
EPOCHS_FILE = "epochs.parquet"
EPOCH_RESULTS_FILE = "epoch_results.parquet"

EPOCHS = pa.schema(
    [
        # epoch, from 1
        pa.field("epoch", pa.int32(), nullable=False),
        # mean loss over the epoch's images
        pa.field("train_loss", pa.float64(), nullable=False),
        # learning rate at its end
        pa.field("learning_rate", pa.float64(), nullable=False),
        # AP50 (detection) or accuracy (classification) on validation images; null without them
        pa.field("validation", pa.float64()),
    ]
)


class Normalisation(Record):
    """Mean and standard deviation of red, green and blue, 0 to 255, of the model's input."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Meaning(Record):
    """What decides what weights mean: with other values the same tensors are another model."""

    architecture: str = Field(description="name in the model registry")
    task: Task
    labels: tuple[str, ...]
    input_size: tuple[int, int] = Field(description="height and width in pixels")
    normalisation: Normalisation
    dataset_digest: str


class ModelCard(Record):
    """What a model is, what it was made from and how; times and run ids are left out."""

    digest: str = Field(description=DIGEST)
    project: str
    task: Task
    labels: tuple[str, ...] = Field(description="class names; a position is a class index")
    training: Training = Field(description="model and hyper-parameters")
    seed: int
    dataset_digest: str = Field(description="dataset version that it was trained on")
    train_images: int
    validation_images: int = Field(description="images of the per-epoch validation")
    normalisation: Normalisation = Field(description="of the input, from training images alone")
    normalised_on: FittedOn | None = Field(
        None, description="images that it was fitted on; null for models of older code"
    )
    folds: FoldParts | None = Field(
        None, description="folds that it was trained and validated on; null for train and val"
    )
    emphasised: Emphasised | None = Field(
        None, description="images that were drawn more often; null when all were drawn once"
    )
    weights: int = Field(description="number of trained weights")
    code_version: str
    hardware: dict[str, Value]

    @property
    def meaning(self) -> Meaning:
        """The part of the card that the digest covers."""
        return Meaning(
            architecture=self.training.model,
            task=self.task,
            labels=self.labels,
            input_size=self.training.input_size,
            normalisation=self.normalisation,
            dataset_digest=self.dataset_digest,
        )


def read_model_card(folder: Path) -> ModelCard:
    """Read the card of a model folder.

    Raises:
        TrainingError: there is none, or it cannot be read.
    """
    try:
        return ModelCard.model_validate_json((folder / CARD_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(
            f"{folder} is not a model folder of this version: {error}.",
            do="Train the model anew.",
        ) from error
