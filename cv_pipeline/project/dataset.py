"""``dataset`` of a ``project.yaml``: which images, and how they are split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cv_pipeline.dataset_query import Query
from cv_pipeline.project.names import Fraction, SplitName
from cv_pipeline.section import Section


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
