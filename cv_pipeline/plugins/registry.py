"""Which plug-ins are installed, by point and name; the built-in ones are registered the same way.

A name stands for one plug-in or for none: of two distributions that bring the same name at the same
point neither is guessed at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from cv_pipeline.errors import CVPipelineError, PluginError, nearest

Point = Literal["label", "sample", "review", "augment"]

GROUPS: dict[Point, str] = {
    "label": "cv_pipeline.label",
    "sample": "cv_pipeline.sample",
    "review": "cv_pipeline.review",
    "augment": "cv_pipeline.augment",
}
"""Plug-in point to the group of entry points that its plug-ins are in."""


def plugin_names(point: Point) -> list[str]:
    """Names of the installed plug-ins of a point, sorted."""
    return sorted({found.name for found in _installed(GROUPS[point], tuple(sys.path))})


def require_plugin(point: Point) -> Callable[[str], str]:
    """A validator of names: the name, or a ValueError that names the nearest."""

    def check(name: str) -> str:
        known = plugin_names(point)
        if name not in known:
            raise ValueError(f"no {point} algorithm is called {name!r}; {nearest(name, known)}")
        return name

    return check


def load_plugin(point: Point, name: str) -> Any:
    """A new instance of a plug-in.

    Args:
        point: where it plugs in.
        name: its name.

    Raises:
        PluginError: there is none of that name (the message names the nearest), two distributions
            bring one, or it cannot be imported or made.
    """
    found = _found(point, name)
    if not found:
        raise PluginError(
            f"No {point} algorithm is called {name!r}.", do=nearest(name, plugin_names(point))
        )
    if len(found) > 1:
        sources = " and ".join(sorted(map(_source, found)))
        raise PluginError(
            f"The {point} algorithm {name!r} is brought by {sources}.",
            do="Uninstall one of them, or rename its entry point.",
        )
    with blamed_on(point, name, doing="could not be loaded"):
        return found[0].load()()


@contextmanager
def blamed_on(point: Point, name: str, *, doing: str = "failed") -> Iterator[None]:
    """Whatever a plug-in raises becomes a PluginError that names it."""
    try:
        yield
    except CVPipelineError:
        raise
    except Exception as error:
        raise PluginError(
            f"The {point} algorithm {name!r} {doing}: {type(error).__name__}: {error}.",
            do=f"It comes from {', '.join(map(_source, _found(point, name))) or 'nowhere'}.",
        ) from error


def _found(point: Point, name: str) -> list[EntryPoint]:
    """Entry points of a name, each way to say the same one once."""
    every = [one for one in _installed(GROUPS[point], tuple(sys.path)) if one.name == name]
    return list({_source(one): one for one in every}.values())


@lru_cache(maxsize=64)
def _installed(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group; every distribution is looked at, so once for a search path."""
    return tuple(entry_points(group=group))


def _source(found: EntryPoint) -> str:
    distribution = found.dist
    return f"{distribution.name} ({found.value})" if distribution else found.value
