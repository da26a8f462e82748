"""``labeling`` of a ``project.yaml``: the annotation tool, and how work is done there.

Without it, or without an address, a project has no tool: pushing and pulling then do nothing.
"""

from __future__ import annotations

from pydantic import Field

from cv_pipeline.labeling.settings.algorithms_section import Prelabels, Sampling
from cv_pipeline.labeling.settings.hand_off_section import HandOff
from cv_pipeline.labeling.settings.work_section import Annotator, BatchRules, Prices, WorkRules
from cv_pipeline.section import Section


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
    images: str = Field(
        "http://127.0.0.1:8000",
        description="address of the inspector, as the annotators' browsers reach it: they fetch the"
        " images from there",
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
    annotators: dict[str, Annotator] = Field(
        default_factory=dict,
        description="pseudonym of an annotator to account (of the inspector), role (annotator,"
        " reviewer or expert), hours_per_week and absent; who is not here has the defaults",
    )
    work: WorkRules = Field(
        default_factory=WorkRules, description="how work is spread over annotators"
    )
    prices: Prices = Field(default_factory=Prices, description="what labels cost")
    hand_off: HandOff = Field(
        default_factory=HandOff, description="what must stand before volume work starts"
    )
