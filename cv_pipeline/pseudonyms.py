"""Names of annotators: an account of the annotation tool, and nobody else, is ``studio-7``.

People whom files name are somebody else until a project says otherwise: number 7 of an export may
be another person than account 7 of the tool that runs here.
"""

from __future__ import annotations

import re

ACCOUNT = "studio-"
"""What the names of accounts of the annotation tool begin with."""
_ACCOUNT = re.compile(rf"{ACCOUNT}[1-9][0-9]{{0,17}}")


def account_name(account: int) -> str:
    """The name of an account of the annotation tool."""
    return f"{ACCOUNT}{account}"


def account_of(name: str) -> int | None:
    """The account of the annotation tool that has a name; None for names of other people."""
    return int(name.removeprefix(ACCOUNT)) if _ACCOUNT.fullmatch(name) else None


def require_person(name: str) -> str:
    """Return the name of somebody whom files know.

    Raises:
        ValueError: it is none, or that of an account of the annotation tool.
    """
    if account_of(name) is not None:
        raise ValueError(f"{name!r} is an account of the tool; name the person whom files know")
    if not name.strip() or name != name.strip() or "," in name or "@" in name or name.isdigit():
        raise ValueError(f"{name!r} is not how annotators are called here, as in annotator-3")
    if name.lower() in ("gold", "unknown"):
        raise ValueError(f"{name!r} is nobody's name")
    return name
