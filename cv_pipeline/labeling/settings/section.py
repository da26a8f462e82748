"""``labeling`` of a ``project.yaml``: the annotation tool, and how work is done there.

Without it, or without an address, a project has no tool: pushing and pulling then do nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from cv_pipeline.labeling.settings.algorithms_section import Prelabels, Sampling
from cv_pipeline.labeling.settings.hand_off_section import HandOff
from cv_pipeline.labeling.settings.work_section import Annotator, BatchRules, Prices, WorkRules
from cv_pipeline.pseudonyms import account_name, account_of, require_person
from cv_pipeline.section import Section

Person = Annotated[str, AfterValidator(require_person)]


class Labeling(Section):
    """The annotation tool, and how work is done there."""

    url: str | None = Field(
        None,
        description="address of Label Studio, such as ${CV_LABEL_STUDIO_URL}; null for no tool. Its"
        " token is only ever in the environment, as CV_LABEL_STUDIO_TOKEN",
    )
    public_url: str | None = Field(
        None,
        description="address of Label Studio as the annotators' browsers reach it, where that is"
        " another than url",
    )
    images: str | None = Field(
        None,
        description="address of the inspector, as the annotators' browsers reach it: they fetch the"
        " images from there; null for where it last started on this machine",
    )
    image_days: int = Field(
        30,
        ge=1,
        le=365,
        description="days that the address of an image is good for; a push of its batch, and every"
        " nightly run, renews those that are half through, as long as the batch is labelled",
    )
    overlap: int = Field(
        1, ge=1, le=20, description="people who label each image, where a batch does not say"
    )
    prelabels: Prelabels = Field(
        default_factory=Prelabels, description="what annotators find on an image already"
    )
    sampling: Sampling = Field(
        default_factory=Sampling, description="which images are chosen to be labelled next"
    )
    batches: BatchRules = Field(
        default_factory=BatchRules, description="how images are divided into batches"
    )
    people: dict[str, Person] = Field(
        default_factory=dict,
        description="account of the tool, such as studio-7, to the name by which files know the"
        " same person, such as annotator-3; whoever is not here is somebody whom no file knows",
    )
    annotators: dict[str, Annotator] = Field(
        default_factory=dict,
        description="pseudonym of an annotator (studio-7 for account 7 of the tool, or what people"
        " makes of it) to account (of the inspector), role (annotator, reviewer or expert),"
        " hours_per_week and absent; who is not here has the defaults",
    )
    work: WorkRules = Field(
        default_factory=WorkRules, description="how work is spread over annotators"
    )
    prices: Prices = Field(default_factory=Prices, description="what labels cost")
    hand_off: HandOff = Field(
        default_factory=HandOff, description="what must stand before volume work starts"
    )

    @model_validator(mode="after")
    def _everybody_is_one_person(self) -> Labeling:
        for name, person in self.people.items():
            if account_of(name) is None:
                raise ValueError(f"people.{name} is no account of the tool, as studio-7 is")
            if name in self.annotators:
                raise ValueError(
                    f"annotators.{name} is {person} by people: declare {person} there instead"
                )
        seen: dict[str, str] = {}
        for name, told in self.annotators.items():
            if told.account and seen.setdefault(told.account, name) != name:
                raise ValueError(
                    f"annotators.{name} and annotators.{seen[told.account]} are both account"
                    f" {told.account!r}: an account is one person; if they are the same, say so"
                    " under people"
                )
        return self

    def named(self, account: int) -> str:
        """Pseudonym of an account of the tool."""
        name = account_name(account)
        return self.people.get(name, name)
