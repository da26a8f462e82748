"""Parts of ``labeling`` of a ``project.yaml``: how work is divided, who does it, what it costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cv_pipeline.section import Section

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PayRole = Literal["annotator", "reviewer", "expert"]


class Difficulty(Section):
    """From where on an image is medium, and hard: the highest that any measure says counts."""

    uncertainty: tuple[float, float] | None = Field(
        None,
        description="uncertainty of the image's pre-labels: medium and hard from there; null for"
        " 0.4 and 0.7 of classes, and for 2 and 5 corrections to be expected of boxes",
    )
    objects: tuple[int, int] = Field(
        (8, 20), description="pre-labelled objects on the image: medium and hard from there"
    )
    contrast: tuple[float, float] = Field(
        (0.06, 0.03), description="standard deviation of luma: medium and hard from there down"
    )
    sharpness: tuple[float, float] = Field(
        (0.0, 0.0),
        description="variance of the Laplacian: medium and hard from there down; it says more of"
        " some sources than of others, so that nothing is declared by default",
    )

    @model_validator(mode="after")
    def _thresholds_ascend(self) -> Difficulty:
        for name in ("uncertainty", "objects"):
            medium, hard = getattr(self, name) or (0, 0)
            if not 0 <= medium <= hard:
                raise ValueError(f"{name}: medium must begin at or below hard, and not below 0")
        for name in ("contrast", "sharpness"):
            medium, hard = getattr(self, name)
            if not 0 <= hard <= medium:
                raise ValueError(f"{name}: hard must begin at or below medium, and not below 0")
        return self


class BatchRules(Section):
    """How images that are set aside are divided into batches, and when one counts as stuck."""

    max_images: int = Field(500, ge=1, le=100_000, description="most images of a batch")
    by_difficulty: bool = Field(
        True, description="whether easy, medium and hard images are put into batches of their own"
    )
    difficulty: Difficulty = Field(
        default_factory=Difficulty, description="from where on an image is medium, and hard"
    )
    stuck_hours: float = Field(
        48, gt=0, description="hours without an annotation after which a batch counts as stuck"
    )


class Prices(Section):
    """What labels cost: hours of people, and fees."""

    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$", description="ISO 4217 code of the currency")
    per_hour: dict[PayRole, Money] = Field(
        default_factory=dict, description="role to the price of an hour of work"
    )
    per_label: Money = Field(0.0, description="fee for each label, whoever makes it")
    longest_minutes: float | None = Field(
        None,
        gt=0,
        description="work on one image that counts at most, so that a tab left open costs no day;"
        " null for the bound that the lead times give themselves (docs/labeling/batches.md)",
    )

    @property
    def known(self) -> bool:
        """Whether anything has a price."""
        return bool(self.per_label or any(self.per_hour.values()))


class Annotator(Section):
    """Somebody who labels, by pseudonym."""

    account: str = Field("", description="account of the inspector, whose page shows the work")
    role: PayRole = Field("annotator", description="role by which the hours are paid")
    hours_per_week: float = Field(20, gt=0, le=168, description="hours of labelling in a week")
    absent: bool = Field(False, description="whether no work is given to them for now")


class WorkRules(Section):
    """How work is spread over annotators."""

    qualified_at: float = Field(
        0.8, ge=0, le=1, description="accuracy or F1 on gold images from which one is qualified"
    )
    gold_least: int = Field(
        10, ge=0, description="gold images to be labelled before one can be qualified"
    )
    hard_at: float = Field(
        0.9, ge=0, le=1, description="accuracy or F1 on gold from which one gets hard images"
    )
