"""The names and notations that values of ``project.yaml`` are taken from.

They are told apart here, where a project is loaded, and not in the middle of a run. The names of
what lives in modules too heavy to import for that are repeated here; tests hold them together.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from cv_pipeline.errors import QueryError, nearest
from cv_pipeline.expectation_names import EXPECTATIONS, TABLE_NAMES, argument_mistakes, columns_of

if TYPE_CHECKING:
    from pydantic_core import InitErrorDetails

CHECK_NAMES = (
    "integrity",
    "images_schema",
    "annotations_schema",
    "metadata_schema",
    "near_duplicates_schema",
    "leakage",
    "group_leakage",
    "time_leakage",
    "class_coverage",
    "attribute_coverage",
    "contradictions",
    "giveaway",
    "representation",
    "split_drift",
    "preprocessing",
)
"""Checks on a dataset candidate, as in ``cv_pipeline.datasets.checks``."""

OWN_MODELS = {"detection": ("fcos_resnet18",), "classification": ("resnet18_small",)}
"""Models of ``cv_pipeline.training.models`` beside torchvision's, by task."""

IMAGE_PROPERTIES = (
    "format",
    "dtype",
    "bands",
    "width",
    "height",
    "brightness",
    "contrast",
    "sharpness",
    "saturation",
    "hue",
    "date_range",
    "annotations_count",
)
"""What slices are made of beside metadata, as in ``cv_pipeline.evaluation.slicing.facts``."""

MISTAKE = "project_mistake"
"""Type of the validation errors raised here; their context has ``what`` and ``do``."""

# nearer to a name of ours than any of torchvision's is, resnet18 and fcos_resnet50_fpn included
_MISSPELT = 0.85


def require_check(name: str) -> str:
    """Return ``name`` if it is the name of a check.

    Raises:
        PydanticCustomError: it is not; the error names the nearest.
    """
    if name not in CHECK_NAMES:
        raise _mistake("expected the name of a check", nearest(name, CHECK_NAMES))
    return name


def require_table(name: str) -> str:
    """Return ``name`` if expectations can be declared on a table of that name.

    Raises:
        PydanticCustomError: they cannot; the error names the nearest.
    """
    if name not in TABLE_NAMES:
        raise _mistake("expected the name of a table", nearest(name, TABLE_NAMES))
    return name


def require_expectation(name: str) -> str:
    """Return ``name`` if it is the name of an expectation.

    Raises:
        PydanticCustomError: it is not; the error names the nearest.
    """
    if name not in EXPECTATIONS:
        raise _mistake("expected the name of an expectation", nearest(name, EXPECTATIONS))
    return name


def require_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Pass if these are arguments of an expectation.

    Raises:
        ValueError: they are not; the message says why.
    """
    found = argument_mistakes(name, arguments)
    if found:
        raise ValueError("; ".join(found))


def require_columns(table: str, place: int, name: str, arguments: Mapping[str, Any]) -> None:
    """Pass if a table has the columns that an expectation looks at.

    Raises:
        ValueError: it has not; the message begins with the expectation's key.
    """
    looked_at = columns_of(name, arguments)
    if not looked_at:
        return
    # Arrow, which a project without expectations does not need
    from cv_pipeline.datasets.checks.declared import COLUMNS, METADATA_PREFIX

    for column in looked_at:
        of_metadata = table == "images" and column.startswith(METADATA_PREFIX)
        if column not in COLUMNS[table] and not of_metadata:
            raise ValueError(
                f"expectations.{table}.{place} names {column!r}, which is no column of {table}."
                f" {nearest(column, COLUMNS[table])}"
            )


def require_model(name: str) -> str:
    """Return ``name`` if there may be a model of that name.

    Which ones torchvision has is only known once it is imported, which training does.

    Raises:
        PydanticCustomError: no model can have that name, or it is a misspelt one of ours.
    """
    own = [model for models in OWN_MODELS.values() for model in models]
    if name in own:
        return name
    meant = difflib.get_close_matches(name.lower(), own, cutoff=_MISSPELT)
    if meant:
        raise _mistake("expected the name of a model", nearest(name.lower(), meant))
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise _mistake(
            "expected the name of a model, of lower-case letters, digits and _",
            f"Use torchvision's name, or one of {', '.join(own)}.",
        )
    return name


def require_timezone(name: str) -> str:
    """Return ``name`` if it is an IANA time zone.

    Raises:
        PydanticCustomError: it is not; the error names the nearest.
    """
    known = zoneinfo.available_timezones()
    if name not in known:
        raise _mistake("expected an IANA time zone", nearest(name, known))
    return name


def require_query(text: str) -> str:
    """Return ``text`` if it is a text of the query language.

    Raises:
        PydanticCustomError: it cannot be understood; the error says where.
    """
    from cv_pipeline.catalog.query import parse

    try:
        parse(text)
    except QueryError as error:
        raise _of_query(error) from None
    return text


def query_keywords() -> tuple[str, ...]:
    """Names of the keys that the query of a dataset may have."""
    from cv_pipeline.catalog.query.keywords import KEYWORDS

    return KEYWORDS


def query_mistakes(keywords: Mapping[str, Any]) -> list[InitErrorDetails]:
    """What is wrong with the query of a dataset: an error for every key that has a mistake.

    Args:
        keywords: the query in its keyword form.
    """
    from cv_pipeline.catalog.query import from_keywords

    mistakes: list[InitErrorDetails] = []
    for name, value in keywords.items():
        # these two are about a sample, and make no sense without one
        beside: dict[str, Any] = {"sample": 1} if name in ("sample_by", "seed") else {}
        if name not in query_keywords():
            mistakes.append({"type": "extra_forbidden", "loc": (name,), "input": value})
            continue
        try:
            from_keywords(**{name: value}, **beside)
        except QueryError as error:
            mistakes.append({"type": _of_query(error), "loc": (name,), "input": value})
    if not mistakes:
        try:
            from_keywords(**keywords)
        except QueryError as error:
            mistakes.append({"type": _of_query(error), "loc": (), "input": dict(keywords)})
    return mistakes


def _of_query(error: QueryError) -> PydanticCustomError:
    return _mistake(error.what.removesuffix("."), error.do)


def _mistake(what: str, do: str) -> PydanticCustomError:
    return PydanticCustomError(MISTAKE, "{what}", {"what": what, "do": do})
