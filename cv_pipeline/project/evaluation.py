"""``evaluation`` of a ``project.yaml``: the metric that counts, and slices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cv_pipeline.dataset_query import SliceQuery
from cv_pipeline.section import Section
from cv_pipeline.vocabulary import IMAGE_PROPERTIES


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
