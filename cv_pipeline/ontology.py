"""``ontology`` of a ``project.yaml``: classes and attributes under a version.

How older versions become the current one is declared beside them; ``ontology_steps`` has the words
for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cv_pipeline.errors import nearest
from cv_pipeline.ontology_steps import Migration
from cv_pipeline.section import Section

ClassName = Annotated[str, Field(min_length=1)]
Geometry = Literal["bbox", "rotated_box", "polygon", "mask", "keypoints", "class"]


class Original(Section):
    """The classes and attributes that the oldest version of an ontology had."""

    labels: tuple[ClassName, ...] = Field(min_length=1, description="class names")
    attributes: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="attribute to its allowed values; empty means yes or no"
    )


class Ontology(Section):
    """The classes and attributes, under a version."""

    version: str = Field("1", description="version of the classes and attributes")
    guideline_version: str = Field("1", description="version of the labelling guideline")
    labels: tuple[ClassName, ...] = Field(
        min_length=1, description="class names, in training order"
    )
    attributes: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="attribute to its allowed values; empty means yes or no"
    )
    required: tuple[str, ...] = Field(
        (), description="attributes that an annotator must answer for every label"
    )
    geometry: tuple[Geometry, ...] = Field(
        (),
        description="shapes that annotators draw; empty for the task's own: bbox for detection,"
        " class for classification",
    )
    keypoints: dict[str, tuple[ClassName, ...]] = Field(
        default_factory=dict, description="class to the names of its key points, in their order"
    )
    tags: tuple[ClassName, ...] = Field(
        (), description="tags of the whole image that annotators may give, any number of them"
    )
    migrations: tuple[Migration, ...] = Field(
        (),
        description="how labels of an older version become the current one's, oldest first"
        " (docs/labeling/ontology.md)",
    )
    original: Original | None = Field(
        None,
        description="classes and attributes of the oldest version that migrations begin with;"
        " required with migrations",
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Ontology:
        listed: dict[str, Sequence[str]] = {
            "labels": self.labels,
            "required": self.required,
            "geometry": self.geometry,
            "tags": self.tags,
            **{f"keypoints.{label}": names for label, names in self.keypoints.items()},
        }
        for key, names in listed.items():
            twice = sorted({x for x in names if names.count(x) > 1})
            if twice:
                raise ValueError(f"{key} are listed twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _names_are_declared(self) -> Ontology:
        _require("required", self.required, self.attributes, "an attribute")
        _require("keypoints", self.keypoints, self.labels, "a class")
        if "keypoints" in self.geometry and not any(self.keypoints.values()):
            raise ValueError("keypoints names no points, but geometry asks for key points")
        return self

    def shapes(self, task: str) -> tuple[Geometry, ...]:
        """What annotators draw, or choose: as declared, else the task's own."""
        if self.geometry:
            return self.geometry
        return ("bbox",) if task == "detection" else ("class",)


def _require(key: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key} has {name!r}, which is not {what}. {nearest(name, known)}")
