"""Part of ``labeling`` of a ``project.yaml``: what must stand before volume work starts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cv_pipeline.section import Section
from cv_pipeline.vocabulary import require_query

QueryText = Annotated[str, Field(min_length=1), AfterValidator(require_query)]
Share = Annotated[float, Field(ge=0, le=1)]


class GoldSet(Section):
    """Images whose truth is known, that annotators are measured by."""

    query: QueryText | None = Field(
        None,
        description="images whose labels are known truth too, beside those of annotations.gold and"
        " of role gold, as a text of the query language: what a reviewer said last, or whoever"
        " labelled the image first; null for none",
    )
    min_per_class: int = Field(3, ge=1, description="gold images that each class is on at least")
    edge_cases: tuple[str, ...] = Field(
        (),
        description="cases that are easily labelled wrong, as attributes: NAME for yes, NAME=VALUE",
    )
    min_per_edge_case: int = Field(
        3, ge=1, description="gold images that each edge case is on at least"
    )


class ReviewRule(Section):
    """The loop that looks after quality while volume work goes on."""

    share: Share = Field(0.0, description="share of the labelled images that are reviewed")
    owner: str = Field("", description="role or account of who reviews, and answers for it")
    overlap_share: Share = Field(
        0.05,
        description="share of the images in batches that two or more people label, so that"
        " agreement goes on being known",
    )


class PilotRule(Section):
    """What a pilot round must show."""

    min_images: int = Field(20, ge=1, description="images that two or more people labelled")
    max_images: int = Field(
        500,
        ge=1,
        description="images at most that all pilots of one version of ontology and guideline have"
        " together: more is volume work",
    )
    min_alpha: float = Field(
        0.667,
        gt=0,
        le=1,
        description="least agreement, as Krippendorff's alpha: from 0.8 on labels are reliable,"
        " below 0.667 not even tentative conclusions hold (Krippendorff 2004)",
    )
    bound: Literal["low", "value"] = Field(
        "low",
        description="low: the lower end of the 95 % interval must reach it, so that a small pilot"
        " does not pass by luck; value: the estimate",
    )
    least_iou: float = Field(
        0.5, ge=0.1, le=1, description="overlap from which two boxes are the same object"
    )
    min_mean_iou: Share = Field(
        0.0, description="least mean overlap of boxes that are the same object"
    )


class HandOff(Section):
    """What must stand before volume work starts."""

    enforce: bool = Field(
        True, description="false: what is missing is told, and batches are pushed all the same"
    )
    gold: GoldSet = Field(default_factory=GoldSet, description="images whose truth is known")
    review: ReviewRule = Field(
        default_factory=ReviewRule, description="the loop that looks after quality"
    )
    pilot: PilotRule = Field(default_factory=PilotRule, description="what a pilot round must show")
