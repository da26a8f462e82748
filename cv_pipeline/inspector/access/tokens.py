"""Tokens for programs: limited to permissions and projects, expiring, shown once.

A token can never do more than its account can at that moment.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    ForeignKey,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from cv_pipeline.inspector.access.accounts import (
    USERS,
    AccountError,
    require_project_name,
    roles_of,
)
from cv_pipeline.inspector.access.roles import EVERY_PROJECT, SCOPES, Permission, Role
from cv_pipeline.inspector.access.secrets import new_secret, same, secret_hash
from cv_pipeline.inspector.database import METADATA
from cv_pipeline.inspector.problems import NotFound

TOKENS = Table(
    "tokens",
    METADATA,
    # the part of it that is no secret
    Column("id", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    # what it is for, in words
    Column("name", String, nullable=False),
    # SHA-256 of the whole token
    Column("hash", String, nullable=False),
    # permissions, separated by spaces
    Column("scopes", String, nullable=False),
    # projects, separated by spaces; * for all that the account has a role in
    Column("projects", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    # when it was last used, to the minute
    Column("used_at", DateTime),
    Column("revoked_at", DateTime),
)
LONGEST = timedelta(days=366)
TOUCH = timedelta(minutes=1)
_TOKEN = re.compile(r"cvp_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Token:
    """A token and whose it is.

    Attributes:
        id: what it is called in lists and logs; no secret.
        user: name of the account.
        name: what it is for, in words.
        scopes: what it is limited to.
        projects: names of the projects that it is limited to, or ``*``.
        created_at: when it was made.
        expires_at: until when it is good.
        used_at: when it was last used, to the minute.
        revoked_at: when it was revoked.
        roles: of the account now, in the projects that the token is limited to.
    """

    id: str
    user: str
    name: str
    scopes: tuple[Permission, ...]
    projects: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    roles: dict[str, Role]

    @property
    def state(self) -> str:
        """``good``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "good" if datetime.now(UTC) < self.expires_at else "expired"


class Tokens:
    """The tokens of a database.

    Args:
        database: the inspector's own state.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database

    def create(
        self,
        user: str,
        *,
        name: str,
        scopes: Collection[Permission],
        projects: Collection[str] = (EVERY_PROJECT,),
        lasts: timedelta = timedelta(days=90),
    ) -> tuple[str, Token]:
        """Make a token.

        Args:
            user: name of the account that it acts for.
            name: what it is for, in words.
            scopes: what it may do, of :data:`SCOPES`.
            projects: where; ``*`` for wherever the account has a role.
            lasts: how long it is good, at most a year.

        Returns:
            The token itself, which is not kept and cannot be shown again, and what is kept of it.

        Raises:
            NotFound: there is no such account.
            AccountError: it would be good for nothing, or for too long.
        """
        wrong = [scope for scope in scopes if scope not in SCOPES]
        if wrong or not scopes or not projects:
            raise AccountError(
                f"A token cannot be limited to {', '.join(wrong) or 'nothing'}.",
                do=f"Name projects, and permissions of: {', '.join(SCOPES)}.",
            )
        if not timedelta(0) < lasts <= LONGEST:
            raise AccountError(
                f"A token is good for 1 to {LONGEST.days} days, not {lasts.days}.",
                do="Make another before it expires.",
            )
        if not 1 <= len(name.strip()) <= 100:
            raise AccountError("A token needs a name of 1 to 100 signs.", do="Say what it is for.")
        for project in projects:
            require_project_name(project)
        token_id, now = secrets.token_hex(6), _now()
        token = f"cvp_{token_id}_{new_secret()}"
        with self._database.begin() as connection:
            user_id = connection.execute(
                select(USERS.c.id).where((USERS.c.name == user) & ~USERS.c.disabled)
            ).scalar()
            if user_id is None:
                raise NotFound(f"There is no account {user!r} that can be used.")
            row = {
                "id": token_id,
                "user_id": user_id,
                "name": name.strip(),
                "hash": secret_hash(token),
                "scopes": " ".join(sorted(set(scopes))),
                "projects": " ".join(sorted(set(projects))),
                "created_at": now,
                "expires_at": now + lasts,
            }
            connection.execute(insert(TOKENS).values(row))
        return token, self._get(token_id)

    def find(self, token: str) -> Token | None:
        """What is known of a token; None when it is forged or its account is disabled."""
        shape = _TOKEN.fullmatch(token)
        if shape is None:
            return None
        with self._database.connect() as connection:
            row = connection.execute(
                select(TOKENS, USERS.c.name.label("user"))
                .join(USERS)
                .where((TOKENS.c.id == shape[1]) & ~USERS.c.disabled)
            ).one_or_none()
            if row is None or not same(secret_hash(token), row.hash):
                return None
            return _token(row, _limited(roles_of(connection, row.user_id), row.projects))

    def touch(self, token: Token) -> None:
        """Remember that a token is used; written down once a minute."""
        now = datetime.now(UTC)
        if token.used_at is not None and now - token.used_at < TOUCH:
            return
        with self._database.begin() as connection:
            used = now.replace(tzinfo=None)
            connection.execute(update(TOKENS).where(TOKENS.c.id == token.id).values(used_at=used))

    def list(self, user: str | None = None) -> list[Token]:
        """Tokens of an account, or of all, the newest first; those of the past too."""
        asked = select(TOKENS, USERS.c.name.label("user")).join(USERS)
        if user is not None:
            asked = asked.where(USERS.c.name == user)
        with self._database.connect() as connection:
            rows = connection.execute(asked.order_by(TOKENS.c.created_at.desc())).all()
        return [_token(row, {}) for row in rows]

    def counts(self) -> dict[str, int]:
        """Name of an account to how many good tokens it has; those without are left out."""
        is_good = TOKENS.c.revoked_at.is_(None) & (TOKENS.c.expires_at > _now())
        with self._database.connect() as connection:
            rows = connection.execute(
                select(USERS.c.name, func.count())
                .select_from(TOKENS.join(USERS))
                .where(is_good)
                .group_by(USERS.c.name)
            ).all()
        return {row[0]: row[1] for row in rows}

    def revoke(self, token_id: str, *, user: str | None = None) -> Token:
        """Revoke a token.

        Args:
            token_id: what it is called.
            user: only when it is of this account.

        Raises:
            NotFound: there is no such token.
        """
        found = next((token for token in self.list(user) if token.id == token_id), None)
        if found is None:
            raise NotFound(f"There is no token {token_id!r}.", do="List them: cvp token list")
        with self._database.begin() as connection:
            connection.execute(
                update(TOKENS)
                .where((TOKENS.c.id == token_id) & TOKENS.c.revoked_at.is_(None))
                .values(revoked_at=_now())
            )
        return self._get(token_id)

    def revoke_all(self, user: str) -> int:
        """Revoke every token of an account; returns how many were good."""
        with self._database.begin() as connection:
            of_user = select(USERS.c.id).where(USERS.c.name == user).scalar_subquery()
            done = connection.execute(
                update(TOKENS)
                .where((TOKENS.c.user_id == of_user) & TOKENS.c.revoked_at.is_(None))
                .values(revoked_at=_now())
            )
            return done.rowcount

    def _get(self, token_id: str) -> Token:
        return next(token for token in self.list() if token.id == token_id)


def _limited(roles: dict[str, Role], projects: str) -> dict[str, Role]:
    """Roles in the projects that a token is limited to."""
    named = projects.split()
    if EVERY_PROJECT in named:
        return roles
    everywhere = roles.get(EVERY_PROJECT)
    found = {
        project: everywhere if everywhere is Role.ADMIN else roles.get(project) or everywhere
        for project in named
    }
    return {project: role for project, role in found.items() if role is not None}


def _token(row: Any, roles: dict[str, Role]) -> Token:
    return Token(
        id=row.id,
        user=row.user,
        name=row.name,
        scopes=tuple(Permission(scope) for scope in row.scopes.split()),
        projects=tuple(row.projects.split()),
        created_at=row.created_at.replace(tzinfo=UTC),
        expires_at=row.expires_at.replace(tzinfo=UTC),
        used_at=row.used_at.replace(tzinfo=UTC) if row.used_at else None,
        revoked_at=row.revoked_at.replace(tzinfo=UTC) if row.revoked_at else None,
        roles=roles,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
