"""Who acts: the name that logs, tags and take-outs are recorded under."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MACHINE_PREFIXES = ("auto:", "model:")
"""How the names of actors begin that are no people: rules and models."""

_acting: ContextVar[str | None] = ContextVar("cv_pipeline_actor", default=None)


@contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Within it, this thread or task acts as somebody: a server's, as who is signed in."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_actor() -> str:
    """The person who acts here: :func:`acting_as`, ``CV_ACTOR``, or the system's user."""
    acting = _acting.get()
    if acting:
        return acting
    named = os.environ.get("CV_ACTOR", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        return f"uid-{os.getuid()}"


def is_person(actor: str) -> bool:
    """Whether an actor is a person or a source that people keep, and not a model or a rule."""
    return not actor.startswith(MACHINE_PREFIXES)
