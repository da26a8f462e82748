"""What was asked of a lake, and the names that people gave to queries.

Both are logs of events: a name stands for what was saved under it last. Table versions that a
saved query cites are tagged first, so that they are there as long as the name is.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import QUERY_LOG, SAVED_QUERIES
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import QueryError, nearest

Origin = Literal["python", "cli", "http", "dataset"]
"""Where a query came from."""

_ALL = 2**62
_OBJECTS = ("table_versions", "pins")
"""Columns of both tables that are JSON objects."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class AskedQuery:
    """A query that was asked: one row of the log.

    Attributes:
        query_id: its id, 12 hex digits.
        text: its canonical text form.
        sql: the statement that it compiled to.
        parameters: values that were bound in it.
        table_versions: table to the version that was read.
        pins: reference in it to the folder that it meant.
        count: images that it selected.
        digest: SHA-256 of their ids in order.
        seconds: how long it took.
        origin: where it came from.
        actor: who asked.
        at: when, UTC.
    """

    query_id: str
    text: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    pins: dict[str, str]
    count: int
    digest: str
    seconds: float
    origin: str
    actor: str
    at: datetime


@dataclass(frozen=True)
class SavedQuery:
    """What a name stands for.

    Attributes:
        name: the name.
        text: the query in its canonical text form.
        table_versions: table to the version that was read when it was saved.
        pins: reference in it to the folder that it meant then.
        count: images that it selected then.
        digest: SHA-256 of their ids in order.
        actor: who saved it.
        at: when, UTC.
    """

    name: str
    text: str
    table_versions: dict[str, int]
    pins: dict[str, str]
    count: int
    digest: str
    actor: str
    at: datetime


class QueryLog:
    """The queries of one project.

    Args:
        catalog: the project's tables.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def append(self, asked: AskedQuery) -> None:
        """Add a query that was asked.

        Raises:
            CatalogError: too many others were writing.
            OSError: the store cannot be written.
        """
        table = self._catalog.table("query_log")
        row = asdict(asked)
        for name in ("parameters", *_OBJECTS):
            row[name] = canonical_json(row[name])
        table.append(pa.Table.from_pylist([row], QUERY_LOG))
        table.optimize()

    def recent(self, *, limit: int | None = None) -> list[AskedQuery]:
        """The queries that were asked, the newest first."""
        rows = run_sql(
            'FROM asked ORDER BY "at" DESC, query_id LIMIT $most',
            relations={"asked": self._catalog.table("query_log").relation()},
            parameters={"most": _ALL if limit is None else limit},
        )
        return [_asked(row) for row in rows.to_pylist()]

    def find(self, query_id: str) -> AskedQuery | None:
        """The query of an id."""
        wanted = pc.field("query_id") == query_id
        rows = self._catalog.table("query_log").read(filter=wanted).to_pylist()
        return _asked(rows[0]) if rows else None

    def save(self, saved: SavedQuery) -> None:
        """Give a query a name, which it takes from the query that had it.

        Raises:
            QueryError: it is not a name.
            CatalogError: a table version that it cites is gone.
        """
        checked_name(saved.name)
        for table, version in sorted(saved.table_versions.items()):
            self._catalog.table(table).tag(f"query-{saved.name}-v{version}", version)
        row = asdict(saved)
        for name in _OBJECTS:
            row[name] = canonical_json(row[name])
        self._append_saved(row)

    def forget(self, name: str, *, actor: str) -> None:
        """Take a name away; the log keeps what was asked.

        Raises:
            QueryError: there is no such name.
        """
        named = asdict(self.saved(name)) | {
            "text": None,
            **dict.fromkeys(_OBJECTS, "{}"),
            "actor": actor,
            "at": datetime.now(UTC),
        }
        self._append_saved(named)

    def saved(self, name: str) -> SavedQuery:
        """What a name stands for.

        Raises:
            QueryError: there is no such name; the message names the nearest.
        """
        known = {query.name: query for query in self.all_saved()}
        if name not in known:
            raise QueryError(
                f"Project {self._catalog.project} has no saved query {name!r}.",
                do=nearest(name, known),
            )
        return known[name]

    def all_saved(self) -> list[SavedQuery]:
        """Every name and what it stands for, sorted."""
        rows = (
            self._catalog.table("saved_queries")
            .read()
            .sort_by([("name", "ascending"), ("at", "ascending"), ("digest", "ascending")])
        )
        latest = {row["name"]: row for row in rows.to_pylist()}
        return [_saved(row) for row in latest.values() if row["text"] is not None]

    def _append_saved(self, row: dict[str, Any]) -> None:
        table = self._catalog.table("saved_queries")
        table.append(pa.Table.from_pylist([row], SAVED_QUERIES))
        table.optimize()


def new_query_id() -> str:
    """An id for a row of the log."""
    return secrets.token_hex(6)


def is_query_id(text: str) -> bool:
    """Whether a text has the form of an id rather than that of a name."""
    return _ID.fullmatch(text) is not None


def checked_name(name: str) -> str:
    """Return ``name`` when a query can be saved under it.

    Raises:
        QueryError: it cannot.
    """
    if not _NAME.fullmatch(name) or is_query_id(name):
        raise QueryError(
            f"{name!r} is no name for a query.",
            do="Begin with a letter, and go on with at most 62 letters, digits, '_' and '-'; 12"
            " hex digits are the form of ids.",
        )
    return name


def canonical_json(value: Mapping[str, Any]) -> str:
    """A mapping as JSON: the same mapping gives the same text."""
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _asked(row: dict[str, Any]) -> AskedQuery:
    for name in ("parameters", *_OBJECTS):
        row[name] = json.loads(row[name])
    return AskedQuery(**row)


def _saved(row: dict[str, Any]) -> SavedQuery:
    return SavedQuery(**row | {name: json.loads(row[name]) for name in _OBJECTS})
