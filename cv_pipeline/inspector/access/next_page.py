"""Where somebody goes after they signed in: a page here, and never another site."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path of this host: one slash first, no second, no backslash, blank or control sign."""


def safe_next(wanted: str | None) -> str:
    """The address when it is a page here; the first page when it is anything else."""
    if not wanted or not _PATH.fullmatch(wanted):
        return "/"
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or parts.path.startswith(("/signin", "/signout", "/setup")):
        return "/"
    return wanted
