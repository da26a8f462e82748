"""Who acts: the name that logs, tags and take-outs are recorded under."""

from __future__ import annotations

import getpass
import os

MACHINE_PREFIXES = ("auto:", "model:")
"""How the names of actors begin that are no people: rules and models."""


def current_actor() -> str:
    """The person who acts here: ``CV_ACTOR``, or else the operating system's user."""
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
