"""The cookie of a session: out of reach of scripts, and of other sites' changes."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Response
from starlette.requests import HTTPConnection

PLAIN = "cvp_session"
SECURE = f"__Host-{PLAIN}"
"""Browsers take a cookie of this name only over https, and for this very host."""


def is_secure(connection: HTTPConnection, *, secure: bool) -> bool:
    """Whether cookies are kept to https.

    Args:
        connection: the request.
        secure: even where it came without.
    """
    return secure or connection.url.scheme == "https"


def session_cookie(connection: HTTPConnection, *, secure: bool) -> str | None:
    """The secret that a browser sent."""
    name = SECURE if is_secure(connection, secure=secure) else PLAIN
    return connection.cookies.get(name) or None


def set_session_cookie(
    connection: HTTPConnection, response: Response, secret: str, *, lasts: timedelta, secure: bool
) -> None:
    """Give a browser the secret of its session."""
    safe = is_secure(connection, secure=secure)
    response.set_cookie(
        SECURE if safe else PLAIN,
        secret,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=safe,
        httponly=True,
        samesite="lax",
    )


def drop_session_cookie(response: Response) -> None:
    """Have a browser forget its session."""
    response.delete_cookie(PLAIN, path="/", httponly=True, samesite="lax")
    response.delete_cookie(SECURE, path="/", secure=True, httponly=True, samesite="lax")
