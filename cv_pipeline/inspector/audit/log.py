"""The audit log: lines can be added and never changed, and each seals the one before it.

The lines lie in a SQLite file, the key of their seals and the head (number and seal of the last
line) beside it. A line is there wholly or not at all, whichever process ends when; several threads
and processes may write at once. Who alters, removes or inserts lines without the key is found by
:func:`~cv_pipeline.inspector.audit.verification.verify`, and so is who cuts off the end.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from cv_pipeline.errors import StorageError
from cv_pipeline.inspector.audit.entry import (
    FIRST,
    Entry,
    Line,
    line_text,
    parse_line,
    seal_of,
    storable,
)

RECOVERED, GAP, HEADLESS = "audit.recovered", "audit.gap", "audit.headless"
"""What the log says of itself: a process ended between a line and its head; lines are missing at
the end; the head is missing."""
_TABLE = """
CREATE TABLE IF NOT EXISTS lines (
    n INTEGER PRIMARY KEY, text TEXT NOT NULL, seal TEXT NOT NULL,
    at TEXT NOT NULL, user TEXT NOT NULL, action TEXT NOT NULL, project TEXT NOT NULL,
    target TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_user ON lines (user, n);
CREATE INDEX IF NOT EXISTS by_action ON lines (action, n);
CREATE INDEX IF NOT EXISTS by_project ON lines (project, n);
CREATE INDEX IF NOT EXISTS by_target ON lines (target, n);
CREATE INDEX IF NOT EXISTS by_time ON lines (at);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON lines
    BEGIN SELECT RAISE(ABORT, 'lines of the audit log are never changed'); END;
CREATE TRIGGER IF NOT EXISTS never_removed BEFORE DELETE ON lines
    BEGIN SELECT RAISE(ABORT, 'lines of the audit log are never removed'); END;
"""


COLUMNS = ("at", "user", "action", "project", "target")
"""What lines are found by."""


class AuditLogError(StorageError):
    """The audit log cannot be read or written."""


@dataclass(frozen=True)
class Head:
    """The last line: its number and seal."""

    n: int
    seal: str


@dataclass(frozen=True)
class Row:
    """A line as it lies there, believed or not.

    Attributes:
        n: its place.
        text: what it says, with its number.
        seal: what is said to be its seal.
        columns: what it is found by, as :data:`COLUMNS`.
    """

    n: int
    text: str
    seal: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """Which lines are wanted; what is None or empty does not matter.

    Attributes:
        user: by whom.
        action: what, or the beginning of it up to a dot: ``user`` means ``user.add`` too.
        project: in which project.
        target: to what.
        since: not earlier.
        until: earlier than this.
    """

    user: str = ""
    action: str = ""
    project: str = ""
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditLog:
    """The audit log of a state folder.

    Args:
        home: ``CV_HOME``.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "inspector" / "audit"
        self._lines = self.folder / "audit.db"
        self._key = self.folder / "audit.key"
        self._head = self.folder / "audit.head"
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened = 0

    def append(self, entry: Entry) -> Line:
        """Add a line.

        Raises:
            AuditLogError: it cannot be written, or the key is gone.
        """
        with self._alone() as key:
            connection = self._writing()
            connection.execute("BEGIN IMMEDIATE")
            try:
                head, remark = self._where(connection, key)
                for each in (*remark, storable(entry)):
                    line = _add(connection, key, head, each)
                    head = Head(line.n, line.seal)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            self._write_head(key, head)
            return line

    def close(self) -> None:
        """Give the file back; a line that is added later opens it again."""
        with self._turn:
            self._close()

    def read(self, wanted: Wanted, *, before: int | None = None, limit: int = 100) -> list[Line]:
        """Lines, the newest first.

        Args:
            wanted: which.
            before: only those with a smaller number.
            limit: how many at most.
        """
        condition, values = _condition(wanted)
        if before is not None:
            condition, values = f"{condition} AND n < ?", [*values, before]
        asked = f"SELECT text, seal FROM lines WHERE {condition} ORDER BY n DESC LIMIT ?"  # noqa: S608
        with self._read() as connection:
            if connection is None:
                return []
            rows = connection.execute(asked, [*values, limit]).fetchall()
        return [_shown(text, seal) for text, seal in rows]

    def count(self, wanted: Wanted) -> int:
        """How many lines there are."""
        condition, values = _condition(wanted)
        with self._read() as connection:
            if connection is None:
                return 0
            asked = f"SELECT count(*) FROM lines WHERE {condition}"  # noqa: S608
            found: int = connection.execute(asked, values).fetchone()[0]
        return found

    def export(self, wanted: Wanted) -> Iterator[Line]:
        """Lines, the oldest first, however many there are."""
        condition, values = _condition(wanted)
        asked = f"SELECT text, seal FROM lines WHERE {condition} ORDER BY n"  # noqa: S608
        with self._read() as connection:
            if connection is not None:
                for text, seal in connection.execute(asked, values):
                    yield _shown(text, seal)

    def actions(self) -> list[str]:
        """Every action that was ever written down, sorted."""
        with self._read() as connection:
            if connection is None:
                return []
            return [row[0] for row in connection.execute("SELECT DISTINCT action FROM lines")]

    @contextmanager
    def sealed(self) -> Iterator[tuple[bytes, Head | None, Iterator[Row]]]:
        """The key, the head, and every row as it lies there, for who checks them."""
        with self._alone() as key:
            head = self._read_head(key)
            connection = self._open() if self._lines.is_file() else None
            last = 0
            if connection is not None:
                last = connection.execute("SELECT coalesce(max(n), 0) FROM lines").fetchone()[0]
        try:
            rows: Iterator[Row] = iter(())
            if connection is not None:
                asked = f"SELECT n, text, seal, {', '.join(COLUMNS)} FROM lines"  # noqa: S608
                found = connection.execute(f"{asked} WHERE n <= ? ORDER BY n", [last])
                rows = (Row(row[0], row[1], row[2], row[3:]) for row in found)
            yield key, head, rows
        finally:
            if connection is not None:
                connection.close()

    @contextmanager
    def _alone(self) -> Iterator[bytes]:
        """The key, while no other thread or process writes."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._turn, FileLock(self.folder / "audit.lock", mode=0o600, timeout=60):
                yield self._read_key()
        except (OSError, sqlite3.Error) as error:
            raise AuditLogError(
                f"The audit log in {self.folder} cannot be used: {error}.",
                do="Check the free space and the permissions of CV_HOME.",
            ) from error

    def _read_key(self) -> bytes:
        if self._key.is_file():
            return bytes.fromhex(self._key.read_text().strip())
        if self._lines.is_file() or self._head.is_file():
            raise AuditLogError(
                f"The key of the audit log, {self._key}, is gone.",
                do="Restore it from a backup: without it no line can be checked or added.",
            )
        key = secrets.token_bytes(32)
        _write(self._key, key.hex())
        return key

    def _read_head(self, key: bytes) -> Head | None:
        """The head; None when it is missing or not of this key."""
        try:
            said = json.loads(self._head.read_text())
            head, seal = Head(int(said["n"]), str(said["seal"])), said["proof"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return head if seal == seal_of(key, f"head {head.n} {head.seal}") else None

    def _write_head(self, key: bytes, head: Head) -> None:
        proof = seal_of(key, f"head {head.n} {head.seal}")
        _write(self._head, json.dumps({"n": head.n, "seal": head.seal, "proof": proof}))

    def _where(self, connection: sqlite3.Connection, key: bytes) -> tuple[Head, list[Entry]]:
        """Which line the next one follows, and what the log has to say of itself there."""
        row = connection.execute("SELECT n, seal FROM lines ORDER BY n DESC LIMIT 1").fetchone()
        last = Head(*row) if row else Head(0, FIRST)
        head = self._read_head(key)
        if head is None:
            if last.n == 0:
                return last, []
            return last, [_remark(HEADLESS, "the head was missing", lines=last.n)]
        if head.n > last.n:
            return head, [_remark(GAP, "lines are missing at the end", lines=head.n - last.n)]
        if head.n < last.n:
            return last, [_remark(RECOVERED, "a process ended too early", lines=last.n - head.n)]
        return last, []

    def _open(self) -> sqlite3.Connection:
        """A connection that several threads may use one after the other."""
        connection = sqlite3.connect(self._lines, timeout=30, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _writing(self) -> sqlite3.Connection:
        """The connection that writes, to the file that is there now; made where there is none."""
        there = self._lines.stat().st_ino if self._lines.is_file() else 0
        if self._connection is None or there != self._opened:
            self._close()
            self._lines.touch(mode=0o600)  # its companions get the same
            self._connection = self._open()
            self._connection.executescript(_TABLE)
            self._opened = self._lines.stat().st_ino
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection | None]:
        """A connection for reading; None when there is no line yet."""
        if not self._lines.is_file():
            yield None
            return
        try:
            connection = self._open()
            try:
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise AuditLogError(
                f"The audit log in {self.folder} cannot be read: {error}.",
                do="Restore it from a backup; cvp audit verify tells what is wrong.",
            ) from error


def _add(connection: sqlite3.Connection, key: bytes, head: Head, entry: Entry) -> Line:
    n = head.n + 1
    text = line_text(n, entry, before=head.seal)
    seal = seal_of(key, text)
    columns = (entry.at.isoformat(), entry.user, entry.action, entry.project, entry.target)
    connection.execute(
        "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (n, text, seal, *columns)
    )
    return Line(n, entry, head.seal, seal)


def _remark(action: str, why: str, *, lines: int) -> Entry:
    return Entry(action, "audit", user="", why=why, details={"lines": lines})


def _condition(wanted: Wanted) -> tuple[str, list[str | int]]:
    tests: list[str] = ["1"]
    values: list[str | int] = []
    for column in ("user", "project", "target"):
        if value := getattr(wanted, column):
            tests.append(f"{column} = ?")
            values.append(value)
    if wanted.action:
        tests.append("(action = ? OR action >= ? AND action < ?)")
        values += [wanted.action, f"{wanted.action}.", f"{wanted.action}/"]
    if wanted.since is not None:
        tests.append("at >= ?")
        values.append(wanted.since.isoformat())
    if wanted.until is not None:
        tests.append("at < ?")
        values.append(wanted.until.isoformat())
    return " AND ".join(tests), values


def _shown(text: str, seal: str) -> Line:
    """A line as it lies there; one that is damaged says so instead of what it said."""
    try:
        return parse_line(text, seal)
    except ValueError:
        return Line(0, Entry("audit.unreadable", "audit", user="", why=text[:200]), "", seal)


def _write(path: Path, text: str) -> None:
    """Write a small file wholly or not at all, for nobody else to read."""
    other = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    other.replace(path)
