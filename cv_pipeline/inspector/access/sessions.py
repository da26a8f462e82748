"""Sessions of browsers: they survive a restart, expire, and are gone when they are revoked.

Only a hash of the cookie is kept, so that whoever reads the database cannot sign in with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Engine,
    ForeignKey,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from cv_pipeline.inspector.access.accounts import USERS, roles_of
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.secrets import new_secret, secret_hash
from cv_pipeline.inspector.database import METADATA

SESSIONS = Table(
    "sessions",
    METADATA,
    # SHA-256 of the cookie
    Column("hash", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", DateTime, nullable=False),
    # when it was last used, to the minute
    Column("seen_at", DateTime, nullable=False),
    # from where, and with which browser, it was begun
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
)
SHORT = 16
"""Characters of its hash that a session is called by."""
TOUCH = timedelta(minutes=1)
"""How old the time of the last use may be."""


@dataclass(frozen=True)
class Session:
    """A session and whose it is.

    Attributes:
        name: what it is called in lists and logs; no secret.
        user: name of the account.
        roles: of the account.
        created_at: when it began.
        seen_at: when it was last used, to the minute.
        address: from where it was begun.
        agent: the browser that it was begun with.
    """

    name: str
    user: str
    roles: dict[str, Role]
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


class Sessions:
    """The sessions of a database.

    Args:
        database: the inspector's own state.
        idle: how long one lasts that is not used.
        longest: how long one lasts at most.
    """

    def __init__(
        self,
        database: Engine,
        *,
        idle: timedelta = timedelta(hours=12),
        longest: timedelta = timedelta(days=14),
    ) -> None:
        self._database = database
        self.idle = idle
        self.longest = longest

    def begin(self, user: str, *, address: str, agent: str) -> str:
        """Begin a session; returns the secret for its cookie, which is not kept."""
        secret, now = new_secret(), _now()
        with self._database.begin() as connection:
            connection.execute(delete(SESSIONS).where(self._is_expired(now)))
            user_id = connection.execute(
                select(USERS.c.id).where((USERS.c.name == user) & ~USERS.c.disabled)
            ).scalar_one()
            row = {"hash": secret_hash(secret), "user_id": user_id, "created_at": now}
            row |= {"seen_at": now, "address": address, "agent": agent[:200]}
            connection.execute(insert(SESSIONS).values(row))
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of a cookie; None when it is forged, expired, revoked or disabled."""
        with self._database.connect() as connection:
            row = connection.execute(
                select(SESSIONS, USERS.c.name)
                .join(USERS)
                .where((SESSIONS.c.hash == secret_hash(secret)) & ~USERS.c.disabled)
            ).one_or_none()
            if row is None:
                return None
            return _session(row, roles_of(connection, row.user_id))

    def is_live(self, session: Session) -> bool:
        """Whether a session is not expired."""
        now = datetime.now(UTC)
        return now - session.seen_at < self.idle and now - session.created_at < self.longest

    def touch(self, secret: str, session: Session) -> None:
        """Remember that a session is used; written down once a minute."""
        now = datetime.now(UTC)
        if now - session.seen_at < TOUCH:
            return
        with self._database.begin() as connection:
            connection.execute(
                update(SESSIONS)
                .where(SESSIONS.c.hash == secret_hash(secret))
                .values(seen_at=now.replace(tzinfo=None))
            )

    def of_user(self, user: str) -> list[Session]:
        """Live sessions of an account, the one used last first."""
        with self._database.connect() as connection:
            rows = connection.execute(
                select(SESSIONS, USERS.c.name)
                .join(USERS)
                .where((USERS.c.name == user) & ~self._is_expired(_now()))
                .order_by(SESSIONS.c.seen_at.desc(), SESSIONS.c.created_at.desc())
            ).all()
        return [_session(row, {}) for row in rows]

    def counts(self) -> dict[str, int]:
        """Name of an account to how many live sessions it has; those without are left out."""
        with self._database.connect() as connection:
            rows = connection.execute(
                select(USERS.c.name, func.count())
                .select_from(SESSIONS.join(USERS))
                .where(~self._is_expired(_now()))
                .group_by(USERS.c.name)
            ).all()
        return {row[0]: row[1] for row in rows}

    def end(self, secret: str) -> None:
        """Revoke the session of a cookie."""
        with self._database.begin() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.hash == secret_hash(secret)))

    def end_named(self, user: str, name: str) -> bool:
        """Revoke a session of an account by what it is called; whether there was one."""
        if len(name) != SHORT:
            return False
        with self._database.begin() as connection:
            of_user = select(USERS.c.id).where(USERS.c.name == user).scalar_subquery()
            done = connection.execute(
                delete(SESSIONS).where(
                    (SESSIONS.c.user_id == of_user)
                    & SESSIONS.c.hash.startswith(name, autoescape=True)
                )
            )
            return done.rowcount > 0

    def end_all(self, user: str) -> int:
        """Revoke every session of an account; returns how many there were."""
        with self._database.begin() as connection:
            of_user = select(USERS.c.id).where(USERS.c.name == user).scalar_subquery()
            done = connection.execute(delete(SESSIONS).where(SESSIONS.c.user_id == of_user))
            return done.rowcount

    def _is_expired(self, now: datetime) -> ColumnElement[bool]:
        return (SESSIONS.c.seen_at <= now - self.idle) | (
            SESSIONS.c.created_at <= now - self.longest
        )


def _session(row: Any, roles: dict[str, Role]) -> Session:
    return Session(
        name=row.hash[:SHORT],
        user=row.name,
        roles=roles,
        created_at=row.created_at.replace(tzinfo=UTC),
        seen_at=row.seen_at.replace(tzinfo=UTC),
        address=row.address,
        agent=row.agent,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
