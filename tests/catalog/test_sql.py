from __future__ import annotations

import pyarrow as pa
import pytest

from cv_pipeline.catalog import sql
from cv_pipeline.catalog.sql import run_sql, workspace
from cv_pipeline.errors import QueryError


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "SET enable_external_access = true",
        "ATTACH '/tmp/other.db'",
        "SELECT * FROM secret_table",
    ],
)
def test_sql_reaches_nothing_but_its_relations(statement: str) -> None:
    import duckdb

    secret_table = pa.table({"x": [1]})
    assert secret_table.num_rows == 1
    with pytest.raises(duckdb.Error, match=r"(?i)disabled|locked|does not exist|cannot change"):
        run_sql(statement, relations={})


def test_statements_see_nothing_of_each_other() -> None:
    import duckdb

    table = pa.table({"x": [1]})
    assert run_sql("SELECT x FROM t", relations={"t": table}).num_rows == 1
    with pytest.raises(duckdb.Error, match="does not exist"):
        run_sql("SELECT x FROM t", relations={})


def test_times_are_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    sql._database.cache_clear()
    text = "SELECT CAST(CAST('2025-11-03T08:00' AS TIMESTAMPTZ) AS VARCHAR) AS t"
    assert run_sql(text, relations={})["t"].to_pylist() == ["2025-11-03 08:00:00+00"]


def test_a_statement_that_takes_too_long_is_broken_off_and_the_next_is_not() -> None:
    endless = "SELECT count(*) AS n FROM range(10_000_000) a, range(10_000_000) b"
    endless += " WHERE a.range > b.range"
    with sql.time_limit(0.2):
        with pytest.raises(QueryError, match=r"longer than 0.2 s.*fewer conditions"):
            run_sql(endless, relations={})
        assert run_sql("SELECT 1 AS n", relations={})["n"].to_pylist() == [1]
    assert run_sql("SELECT 1 AS n", relations={})["n"].to_pylist() == [1]


def test_a_workspace_goes_on_in_files_where_memory_does_not_suffice(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sql, "_WORK_MEMORY", "100MB")
    text = "SELECT count(*) AS n FROM (SELECT hash(i) AS h, repeat('x', 100) AS s"
    text += " FROM range(2_000_000) AS t(i) ORDER BY h) WHERE s <> ''"
    with workspace(tmp_path) as run:
        assert run(text)["n"].to_pylist() == [2_000_000]
        with pytest.raises(Exception, match="locked"):
            run("SET memory_limit = '1GB'")
