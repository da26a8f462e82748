"""The keys of ``labeling`` that say which data algorithms choose and pre-label images."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from cv_pipeline.plugins.registry import require_plugin
from cv_pipeline.section import Section

LabelAlgorithm = Annotated[str, AfterValidator(require_plugin("label"))]
SampleAlgorithm = Annotated[str, AfterValidator(require_plugin("sample"))]


class Prelabels(Section):
    """What annotators find on an image when they open it."""

    algorithm: LabelAlgorithm = Field(
        "model",
        description="label algorithm: model, neighbours or a plug-in's (docs/labeling/"
        "algorithms.md)",
    )
    model: str = Field(
        "champion",
        min_length=1,
        description="model that is asked: champion, latest for the newest trained one, or the"
        " digest of a trained one or its prefix",
    )
    least_score: float = Field(
        0.3, ge=0, le=1, description="confidence below which nothing is suggested"
    )
    images: int = Field(
        2_000, ge=0, description="images that one run pre-labels at most; 0 for none"
    )


class Sampling(Section):
    """Which images are chosen to be labelled next, where the command does not say."""

    algorithms: tuple[SampleAlgorithm, ...] = Field(
        ("uncertainty",),
        min_length=1,
        description="sampling algorithms that share a selection: random, uncertainty, diversity,"
        " rarity, disagreement, failures or a plug-in's",
    )
    images: int = Field(200, ge=1, description="images of a selection")
    control: float = Field(
        0.1,
        gt=0,
        le=1,
        description="share of every selection that is drawn at random, as the control arm; at"
        " least one image",
    )
    seed: int = Field(0, ge=0, description="seed of what is left to chance")
