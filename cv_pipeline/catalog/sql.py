"""DuckDB over tables that are handed to it, and over nothing else.

A connection lives for one statement, reads only the relations that the caller names, reaches
neither files nor the network, and its configuration is locked. Values are bound, never formatted
into the text.
"""

from __future__ import annotations

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
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for setting in (
            "enable_external_access = false",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "python_enable_replacements = false",
            "TimeZone = 'UTC'",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        for name, relation in relations.items():
            connection.register(name, relation)
        return connection.sql(sql, params=dict(parameters or {})).to_arrow_table()
