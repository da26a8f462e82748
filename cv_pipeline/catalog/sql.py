"""DuckDB over tables that are handed to it, and over nothing else.

A statement reads only the relations that the caller names, reaches neither files nor the network,
and cannot change the configuration. Values are bound, never formatted into the text. Times are
UTC.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from cv_pipeline.errors import QueryError

_WORK_MEMORY = "3GB"
"""What a statement over whole tables may hold before it goes on in files."""


_seconds: ContextVar[float | None] = ContextVar("cv_pipeline_sql_seconds", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Within it, a statement of this thread or task that takes longer is broken off.

    Raises:
        QueryError: one was.
    """
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


def run_sql(
    sql: str,
    *,
    relations: Mapping[str, Any],
    parameters: Mapping[str, str | int | float | bool] | None = None,
) -> pa.Table:
    """Run one SELECT and return its rows.

    Args:
        sql: the statement, with ``$name`` for each parameter.
        relations: name in the statement to an Arrow table or a Lance dataset.
        parameters: values to bind, each used in the statement.

    Raises:
        QueryError: it took longer than the :func:`time_limit`.
    """
    with _database(os.getpid()).cursor() as connection, _broken_off(connection):
        return _run(connection, sql, relations, parameters or {})


class RunSQL(Protocol):
    """Runs one SELECT over the relations that it is given, and returns its rows."""

    def __call__(self, sql: str, **relations: Any) -> pa.Table:
        """Run ``sql`` over Arrow tables and Lance datasets, by their names in it."""


@contextmanager
def workspace(folder: Path) -> Iterator[RunSQL]:
    """A database of its own, for statements over whole tables in bounded memory.

    Args:
        folder: existing folder for what does not fit into memory while a statement runs.
    """
    spill = str(folder).replace("'", "''")
    connection = _locked_database(f"temp_directory = '{spill}'", f"memory_limit = '{_WORK_MEMORY}'")
    with connection:
        yield lambda sql, **relations: _run(connection, sql, relations, {})


@contextmanager
def _broken_off(connection: Any) -> Iterator[None]:
    """Keep to the time limit, where there is one."""
    seconds = _seconds.get()
    if seconds is None:
        yield
        return
    import duckdb

    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise QueryError(
            f"The query takes longer than {seconds:g} s and was broken off.",
            do="Ask with fewer conditions, or from Python or cvp query, which wait.",
        ) from None
    finally:
        timer.cancel()


def _run(
    connection: Any, sql: str, relations: Mapping[str, Any], parameters: Mapping[str, Any]
) -> pa.Table:
    for name, relation in relations.items():
        connection.register(name, relation)
    try:
        return connection.sql(sql, params=dict(parameters)).to_arrow_table()
    finally:  # what is registered stays in memory
        for name in relations:
            connection.unregister(name)


@functools.cache
def _database(process: int) -> Any:  # noqa: ARG001 - a forked process must have its own
    """An empty database in memory, whose cursors see nothing of each other."""
    return _locked_database()


def _locked_database(*settings: str) -> Any:
    import duckdb

    database = duckdb.connect(":memory:")
    for setting in (
        *settings,
        "enable_external_access = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "python_enable_replacements = false",
        "TimeZone = 'UTC'",
        "lock_configuration = true",
    ):
        database.execute(f"SET GLOBAL {setting}")
    return database
