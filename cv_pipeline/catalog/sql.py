"""DuckDB over tables that are handed to it, and over nothing else.

A statement reads only the relations that the caller names, reaches neither files nor the network,
and cannot change the configuration. Values are bound, never formatted into the text. Times are
UTC.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa


def run_sql(
    sql: str, *, relations: Mapping[str, Any], parameters: Mapping[str, str] | None = None
) -> pa.Table:
    """Run one SELECT and return its rows.

    Args:
        sql: the statement, with ``$name`` for each parameter.
        relations: name in the statement to an Arrow table or a Lance dataset.
        parameters: texts to bind, each used in the statement.
    """
    with _database(os.getpid()).cursor() as connection:
        for name, relation in relations.items():
            connection.register(name, relation)
        return connection.sql(sql, params=dict(parameters or {})).to_arrow_table()


@functools.cache
def _database(process: int) -> Any:  # noqa: ARG001 - a forked process must have its own
    """An empty database in memory, whose cursors see nothing of each other."""
    import duckdb

    database = duckdb.connect(":memory:")
    for setting in (
        "enable_external_access = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "python_enable_replacements = false",
        "TimeZone = 'UTC'",
        "lock_configuration = true",
    ):
        database.execute(f"SET GLOBAL {setting}")
    return database
