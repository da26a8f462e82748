"""``training`` of a ``project.yaml``: the model, and how it is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cv_pipeline.plugins.registry import require_plugin
from cv_pipeline.project.names import Fraction
from cv_pipeline.section import Section
from cv_pipeline.vocabulary import require_model

AugmentAlgorithm = Annotated[str, AfterValidator(require_plugin("augment"))]
ModelName = Annotated[str, AfterValidator(require_model)]


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
