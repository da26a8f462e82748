"""``checks`` and ``expectations`` of a ``project.yaml``: what a dataset candidate must pass."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from cv_pipeline.project.names import Severity
from cv_pipeline.section import Section
from cv_pipeline.vocabulary import (
    require_arguments,
    require_check,
    require_expectation,
    require_table,
)

CheckName = Annotated[str, AfterValidator(require_check)]
TableName = Annotated[str, AfterValidator(require_table)]
ExpectationName = Annotated[str, AfterValidator(require_expectation)]


class Check(Section):
    """One check on a dataset candidate."""

    severity: Severity = Field("error", description="error blocks the version, warn only tells")
    threshold: float | None = Field(None, ge=0, description="limit; null for the check's own")


class Expectation(Section):
    """One expectation on a table of a dataset candidate, in Great Expectations' words."""

    name: ExpectationName = Field(
        description="name of the expectation, such as expect_column_values_to_be_between"
    )
    column: str | None = Field(None, description="column that it is about, where it is about one")
    arguments: dict[str, Any] = Field(default_factory=dict, description="its other arguments")

    @property
    def all_arguments(self) -> dict[str, Any]:
        """Its arguments, the column among them."""
        return self.arguments if self.column is None else {"column": self.column, **self.arguments}

    @model_validator(mode="after")
    def _arguments_fit(self) -> Expectation:
        require_arguments(self.name, self.all_arguments)
        return self
