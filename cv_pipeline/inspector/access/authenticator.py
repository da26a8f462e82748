"""Finds out who asks, by a session's cookie or a token.

What is found is kept until anything in the database changes, which SQLite tells at once, also when
another process did it: a role that is taken away, or a session that is revoked, is gone with the
next request.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from cv_pipeline.inspector.access.access import NOBODY, Access
from cv_pipeline.inspector.access.cookies import session_cookie
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.access.secrets import derived
from cv_pipeline.inspector.access.sessions import Session, Sessions
from cv_pipeline.inspector.access.tokens import Token, Tokens
from cv_pipeline.inspector.problems import SignInNeeded

KEPT = 4096
T = TypeVar("T", Session, Token)


class AccountAuthenticator:
    """Finds out which account asks.

    Args:
        database: the inspector's own state.
        sessions: of that database.
        tokens: of that database.
        secure: whether cookies are kept to https even where a request came without.
    """

    def __init__(
        self, database: Engine, *, sessions: Sessions, tokens: Tokens, secure: bool = False
    ) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._secure = secure
        self._changes = _Changes(database)
        self._lock = threading.Lock()
        self._seen = -1
        self._kept_sessions: dict[str, Session] = {}
        self._kept_tokens: dict[str, Token] = {}

    def __call__(self, connection: HTTPConnection, /) -> Access:
        """Who asks.

        Raises:
            SignInNeeded: a token is expired, revoked or forged. A cookie that is stands for nobody,
                so that the page to sign in can be seen with it.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            return self._by_token(header)
        secret = session_cookie(connection, secure=self._secure)
        if secret is None:
            return NOBODY
        session = self._find(secret, self._sessions.find, self._kept_sessions)
        if session is None or not self._sessions.is_live(session):
            return NOBODY
        self._sessions.touch(secret, session)
        return Access(
            session.user,
            session.roles,
            means="session",
            csrf=derived(secret, "csrf"),
            credential=session.name,
        )

    def close(self) -> None:
        """Give the connection back."""
        self._changes.close()

    def _by_token(self, header: str) -> Access:
        scheme, _, value = header.partition(" ")
        token = None
        if scheme.lower() == "bearer":
            token = self._find(value.strip(), self._tokens.find, self._kept_tokens)
        if token is None:
            raise SignInNeeded(
                "The token is not known.", do="Send it as: Authorization: Bearer cvp_…"
            )
        if token.state != "good":
            raise SignInNeeded(
                f"The token {token.id} is {token.state}.", do="Make another: cvp token create"
            )
        self._tokens.touch(token)
        return Access(
            token.user,
            token.roles,
            scopes=_with_implied(token.scopes),
            means="token",
            credential=token.id,
        )

    def _find(self, secret: str, find: Callable[[str], T | None], kept: dict[str, T]) -> T | None:
        with self._lock:
            changes = self._changes.count()
            if changes != self._seen:
                self._kept_sessions.clear()
                self._kept_tokens.clear()
                self._seen = changes
            known = kept.get(secret)
        if known is not None:
            return known
        found = find(secret)
        if found is not None:
            with self._lock:
                if self._seen == changes and len(kept) < KEPT:
                    kept[secret] = found
        return found


def _with_implied(scopes: Iterable[Permission]) -> frozenset[Permission]:
    """Scopes with what they hold: who may see everything of a project may see what is assigned."""
    given = frozenset(scopes)
    return given | {Permission.ASSIGNED} if Permission.VIEW in given else given


class _Changes:
    """Counts the changes that others commit to a SQLite database; nothing is kept of any other."""

    def __init__(self, database: Engine) -> None:
        self._connection = None
        if database.dialect.name == "sqlite" and database.url.database:
            path = database.url.database
            self._connection = sqlite3.connect(path, check_same_thread=False)
        self._made_up = 0

    def count(self) -> int:
        """A number that is another after every change."""
        if self._connection is None:
            self._made_up += 1
            return self._made_up
        found: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return found

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
