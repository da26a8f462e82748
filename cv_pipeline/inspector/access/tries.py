"""Tries to get in, kept in the inspector's database: every process counts the same ones.

This is a storage of the library ``limits``, which has none for SQLite. A try is a row that is
deleted when it is old, and whose key is a digest: what somebody typed as a name may be a password.
"""

from __future__ import annotations

import hashlib
import time

from limits.storage import MovingWindowSupport, Storage
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from cv_pipeline.inspector.database import METADATA

TRIES = Table(
    "signin_tries",
    METADATA,
    Column("id", Integer, primary_key=True),
    # SHA-256 of what is counted
    Column("key", String(64), nullable=False),
    # seconds since 1970
    Column("at", Float, nullable=False),
    # when it no longer counts, likewise
    Column("until", Float, nullable=False, index=True),
    Index("signin_tries_of_key", "key", "at"),
)


class TriesInDatabase(Storage, MovingWindowSupport):
    """Counts tries in a database, within windows of time that move along.

    Args:
        database: the inspector's own state.
    """

    STORAGE_SCHEME = None

    def __init__(self, database: Engine) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can go wrong with the database."""
        return SQLAlchemyError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count tries, unless there were as many as may be within the window already."""
        digest, now = _digest(key), time.time()
        with self._database.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))  # another process counts too
            connection.execute(delete(TRIES).where(TRIES.c.until < now))
            room = _count(connection, digest, now - expiry) + amount <= limit
            if room:
                row = {"key": digest, "at": now, "until": now + expiry}
                connection.execute(insert(TRIES), [row] * amount)
            connection.commit()
        return room

    def get_moving_window(
        self,
        key: str,
        limit: int,  # noqa: ARG002 - the library's signature
        expiry: int,
    ) -> tuple[float, int]:
        """When the window begins that counts now, and how many tries are in it."""
        digest, now = _digest(key), time.time()
        with self._database.connect() as connection:
            first = connection.scalar(
                select(func.min(TRIES.c.at)).where(TRIES.c.key == digest, TRIES.c.at > now - expiry)
            )
            return first or now, _count(connection, digest, now - expiry)

    def clear(self, key: str) -> None:
        """Forget the tries of a key."""
        with self._database.begin() as connection:
            connection.execute(delete(TRIES).where(TRIES.c.key == _digest(key)))

    def reset(self) -> int:
        """Forget all tries; returns how many there were."""
        with self._database.begin() as connection:
            return connection.execute(delete(TRIES)).rowcount

    def check(self) -> bool:
        """Whether the database answers."""
        with self._database.connect() as connection:
            return connection.scalar(select(func.count()).select_from(TRIES)) is not None

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not for windows that move along."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Not for windows that move along."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Not for windows that move along."""
        raise NotImplementedError


def _count(connection: Connection, digest: str, since: float) -> int:
    counted = select(func.count()).select_from(TRIES)
    return connection.scalar(counted.where(TRIES.c.key == digest, TRIES.c.at > since)) or 0


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
