"""``charter`` of a ``project.yaml``."""

from __future__ import annotations

from pydantic import Field

from cv_pipeline.section import Section


class Charter(Section):
    """What the project is for: read by people, and checked against what exists."""

    problem: str = Field(min_length=1, description="the problem, in a sentence or two")
    requirements: tuple[str, ...] = Field((), description="what a solution must do")
    product_metrics: tuple[str, ...] = Field((), description="how the product measures success")
    out_of_scope: tuple[str, ...] = Field((), description="what it is not for")
    feasibility: tuple[str, ...] = Field((), description="open questions on feasibility")
    owners: dict[str, str] = Field(default_factory=dict, description="role to named person")
