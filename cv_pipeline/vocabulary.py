"""The names and notations that values of ``project.yaml`` are taken from.

They are told apart here, where a project is loaded, and not in the middle of a run. The names of
what lives in modules too heavy to import for that are repeated here; tests hold them together.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo

from pydantic_core import PydanticCustomError

from cv_pipeline.errors import CatalogError, nearest

CHECK_NAMES = (
    "integrity",
    "images_schema",
    "annotations_schema",
    "leakage",
    "group_leakage",
    "class_coverage",
    "contradictions",
    "giveaway",
)
"""Checks on a dataset candidate, as in ``cv_pipeline.datasets.checks``."""

OWN_MODELS = {"detection": ("fcos_resnet18",), "classification": ("resnet18_small",)}
"""Models of ``cv_pipeline.training.models`` beside torchvision's, by task."""

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


def require_date_range(text: str) -> str:
    """Return ``text`` if it is a date range.

    Raises:
        PydanticCustomError: it is not; the error says why, and names the accepted forms.
    """
    # the catalogue's package imports Arrow, which a project without a date range does not need
    from cv_pipeline.catalog.date_range import parse_date_range

    try:
        parse_date_range(text)
    except CatalogError as error:
        raise _mistake(error.what.removesuffix("."), error.do) from error
    return text


def _mistake(what: str, do: str) -> PydanticCustomError:
    return PydanticCustomError(MISTAKE, "{what}", {"what": what, "do": do})
