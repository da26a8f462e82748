"""``dataset.query`` of a ``project.yaml``: which images a dataset is made of.

It is the keyword form of the query language, or a text of it; mistakes are told where the project
is loaded, each with its own key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from cv_pipeline.section import Section
from cv_pipeline.vocabulary import query_mistakes

if TYPE_CHECKING:
    from cv_pipeline.catalog.query import QueryNode


class Query(Section):
    """Which images a dataset is made of.

    Beside the keys named here it takes every other keyword of the query language, as docs/query.md
    has them. A bare text stands for itself alone: labelled or not is then for it to say.
    """

    model_config = ConfigDict(extra="allow")

    where: str | None = Field(
        None, description="text of the query language, which the other keys are added to"
    )
    labelled: bool | None = Field(True, description="only images with labels; null for all")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="key to what its value should be"
    )
    tags_any: tuple[str, ...] = Field((), description="at least one of these tags")
    date_range: str | None = Field(
        None,
        coerce_numbers_to_str=True,
        description="capture time, UTC: 2025, 2025-Q4, 2025-11 or START/END (END exclusive)",
    )

    @model_validator(mode="before")
    @classmethod
    def _keywords_make_sense(cls, given: Any) -> Any:
        said = {"where": given} if isinstance(given, str) else given
        if not isinstance(said, dict):
            return given
        mistakes = query_mistakes(_said(said))
        if said is not given:  # the text has no key of its own
            mistakes = [{**mistake, "loc": ()} for mistake in mistakes]
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return said if said is given else {**said, "labelled": None}

    def to_ast(self) -> QueryNode:
        """The query as the catalogue understands it."""
        from cv_pipeline.catalog.query import from_keywords

        return from_keywords(**_said(dict(self)))


class SliceQuery(Query):
    """Which images a slice is made of: labelled or not, unless it says so."""

    labelled: bool | None = Field(None, description="only images with labels, or without")


def _said(given: dict[str, Any]) -> dict[str, Any]:
    """Keys that say something: what is null or empty does not."""
    return {name: value for name, value in given.items() if value not in (None, (), [], {})}
