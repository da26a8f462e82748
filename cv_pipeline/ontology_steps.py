"""``ontology.migrations`` of a ``project.yaml``: the words in which a change is declared.

A migration leads from one version to the next by steps, one after the other. Each step does one
thing; what its names must be is checked against the whole chain, where a project is loaded.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from cv_pipeline.section import Section

Name = Annotated[str, Field(min_length=1)]
Then = Literal["drop", "relabel"]


class Split(Section):
    """One class becomes several: by an attribute, or by people who label its images again."""

    label: Name = Field(description="class that is split")
    by: str | None = Field(None, description="attribute whose value decides; null: people decide")
    into: dict[str, Name] | tuple[Name, ...] = Field(
        description="value of the attribute to its class; without an attribute, the new classes"
    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it is split into, each once."""
        names = self.into.values() if isinstance(self.into, dict) else self.into
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _fits_together(self) -> Split:
        if self.by is not None and not isinstance(self.into, dict):
            raise ValueError("into maps each value of the attribute to a class: {yes: …, no: …}")
        if self.by is None and isinstance(self.into, dict):
            raise ValueError("by is missing: the attribute whose values into maps to classes")
        if not self.into:
            raise ValueError("into names no class")
        return self


class Merge(Section):
    """Several classes become one."""

    labels: tuple[Name, ...] = Field(min_length=1, description="classes that are merged")
    into: Name = Field(description="class that they become: one of them, another, or a new one")


class Delete(Section):
    """A class goes."""

    label: Name = Field(description="class that goes")
    then: Then = Field(
        description="drop: its labels go; relabel: they go, and their images are labelled again"
    )


class AddAttribute(Section):
    """Labels get an attribute."""

    name: Name = Field(description="name of the attribute")
    values: tuple[Name, ...] = Field((), description="allowed values; empty means yes or no")
    value: str | None = Field(None, description="what it is on labels that there are; null: none")
    then: Literal["keep", "relabel"] = Field(
        "keep", description="relabel: images that have labels are labelled again for it"
    )


class Step(Section):
    """One change; each step has exactly one of these keys."""

    add: tuple[Name, ...] = Field((), description="new classes")
    rename: dict[str, Name] = Field(
        default_factory=dict, description="class to its new name; all at once, so two may swap"
    )
    split: Split | None = Field(None, description="one class becomes several")
    merge: Merge | None = Field(None, description="several classes become one")
    delete: Delete | None = Field(None, description="a class goes")
    add_attribute: AddAttribute | None = Field(None, description="labels get an attribute")
    rename_attributes: dict[str, Name] = Field(
        default_factory=dict, description="attribute to its new name"
    )
    remove_attributes: tuple[Name, ...] = Field((), description="attributes that go")
    add_values: dict[str, tuple[Name, ...]] = Field(
        default_factory=dict, description="attribute to values that it may have from now on"
    )
    rename_values: dict[str, dict[str, Name]] = Field(
        default_factory=dict, description="attribute to its values, each with its new name"
    )
    remove_values: dict[str, tuple[Name, ...]] = Field(
        default_factory=dict, description="attribute to values that go, and its labels lose it"
    )

    @property
    def kind(self) -> str:
        """Which key it has."""
        return next(name for name in type(self).model_fields if getattr(self, name))

    @model_validator(mode="after")
    def _does_one_thing(self) -> Step:
        given = [name for name in type(self).model_fields if getattr(self, name)]
        if len(given) != 1:
            told = ", ".join(given) or "none"
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"a step has exactly one of {known}; this one has {told}")
        return self


class Migration(Section):
    """What leads from one version to the next."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    from_version: Name = Field(alias="from", description="version that it begins with")
    to: Name = Field(description="version that it leads to")
    steps: tuple[Step, ...] = Field(description="changes, one after the other; may be none")
