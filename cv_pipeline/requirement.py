"""``requirements`` of a ``project.yaml``: what a model must reach beside the optimizing metric.

A requirement is a threshold on one recorded number: a quality of the whole, of a class or of a
slice, or a cost such as latency. Mistakes are told where the project is loaded.
"""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import Field, model_validator

from cv_pipeline.section import Section

COSTS = {
    "latency_p50_ms": "ms",
    "latency_p95_ms": "ms",
    "throughput_images_per_s": "images/s",
    "model_bytes": "bytes",
    "weights": "weights",
    "training_seconds": "s",
    "prediction_seconds": "s",
}
"""What a model costs, with its unit: measured when it predicts, or recorded of its training."""

QUALITIES = (
    "AP", "AP50", "AP75", "accuracy", "macro_f1", "f1", "precision", "recall", "ece",
)  # fmt: skip
"""Qualities that are known by name; an evaluation may record others, and they can be required."""

# nearer to a known name than a metric of another name would be
_MISSPELT = 0.85

Metric = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_@]*$")]
Limit = Annotated[float, Field(allow_inf_nan=False)]


class Requirement(Section):
    """A threshold that a model must meet on unseen images to become the champion."""

    metric: Metric = Field(
        description="recall, precision, AP50 … of the evaluation, or a cost: " + ", ".join(COSTS)
    )
    label: str | None = Field(None, description="class that it is about; null for all classes")
    slice: str | None = Field(
        None,
        pattern=r"^[^=]+(=.*)?$",
        description="slice that it is about, as KEY=VALUE or the name of a declared query; null"
        " for the whole test split",
    )
    at_least: Limit | None = Field(None, description="the number must not be below this")
    at_most: Limit | None = Field(None, description="the number must not be above this")

    @property
    def is_cost(self) -> bool:
        """Whether it is about what the model costs, and not about how good it is."""
        return self.metric in COSTS

    @property
    def slice_parts(self) -> tuple[str, str] | None:
        """Key and value of the slice; a declared query has its name and the value ``yes``."""
        if self.slice is None:
            return None
        key, equals, value = self.slice.partition("=")
        return (key.strip(), value.strip()) if equals else (key.strip(), "yes")

    @property
    def words(self) -> str:
        """The requirement as people say it, such as ``recall of tomato … at least 0.6``."""
        what = self.metric
        if self.label is not None:
            what += f" of {self.label}"
        if self.slice is not None:
            what += f" where {self.slice}"
        limit = f"at most {self.at_most:.12g}" if self.at_most is not None else ""
        if self.at_least is not None:
            limit = f"at least {self.at_least:.12g}"
        unit = f" {COSTS[self.metric]}" if self.is_cost else ""
        return f"{what} {limit}{unit}"

    @model_validator(mode="after")
    def _has_one_limit(self) -> Requirement:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a requirement has at_least or at_most, one of them")
        return self

    @model_validator(mode="after")
    def _metric_is_not_misspelt(self) -> Requirement:
        known = (*COSTS, *QUALITIES)
        if self.metric not in known:
            meant = difflib.get_close_matches(self.metric, known, n=1, cutoff=_MISSPELT)
            if meant:
                raise ValueError(f"metric is not known by this name, did you mean {meant[0]!r}")
        return self

    @model_validator(mode="after")
    def _costs_are_of_the_whole(self) -> Requirement:
        if self.is_cost and (self.label is not None or self.slice is not None):
            raise ValueError(f"{self.metric} is of the whole model and has no label or slice")
        return self
