"""Expectations on a table, validated by Great Expectations.

Everything is first validated in its cheapest form; only what failed is validated again for the
rows that failed it. What depends on single values is validated on the distinct ones, so that a
million rows of three values cost as much as three. A column that is not there is a failure here:
the library reports it beside the results.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.expectation import Expectation
from cv_pipeline.datasets.checks.finding import Finding, counted

if TYPE_CHECKING:
    import pandas as pd

UNMET = pa.schema(
    [
        # what was expected, in words
        pa.field("expected", pa.string(), nullable=False),
        # id of a row that is otherwise; null when the table as a whole is
        pa.field("row", pa.string()),
        # what it has
        pa.field("found", pa.string(), nullable=False),
    ]
)
ROWS_NAMED = 100_000
"""Most rows that are listed of one expectation."""
FEW_VALUES = 10_000
"""A column with more distinct values is validated row by row."""
_POSITION = "position"


@dataclass(frozen=True)
class _Outcome:
    """What one validation said.

    Attributes:
        met: whether the expectation is met.
        unmet_rows: rows of the frame that are otherwise.
        rows: the first of them, as the library names them.
        error: why it could not be made, or what an expectation on the whole table found.
    """

    met: bool
    unmet_rows: int
    rows: Sequence[Mapping[str, Any]]
    error: str


def check_expectations(
    table: pa.Table,
    expectations: Sequence[Expectation],
    *,
    key: str,
    threshold: float,
    may_be_empty: bool = False,
) -> Finding:
    """Validate a table.

    Args:
        table: the table.
        expectations: what is expected of it.
        key: column that identifies a row.
        threshold: most unmet expectations that pass.
        may_be_empty: whether a table without rows is as it should be; the library passes it.

    Returns:
        Rows of schema :data:`UNMET`, at most ``ROWS_NAMED`` of each expectation.
    """
    metrics = {"rows": len(table), "expectations": len(expectations)}
    if not len(table) and may_be_empty:
        return Finding(True, "There are none.", {**metrics, "unmet": 0}, UNMET.empty_table())
    if not len(table):
        rows = _rows("the table has rows", [None], ["no rows"])
        return Finding(False, "There are no rows to check.", {**metrics, "unmet": 1}, rows)
    validate = _Validation(table, key)
    unmet = [u for u in validate(expectations) if u is not None]
    metrics |= {"unmet": len(unmet), "unmet_rows": sum(u.rows for u in unmet)}
    named = pa.concat_tables([UNMET.empty_table(), *(u.named for u in unmet)])
    summary = _summary(unmet, len(table), len(expectations))
    return Finding(len(unmet) <= threshold, summary, metrics, named)


@dataclass(frozen=True, eq=False)
class _Unmet:
    """An expectation that is not met: how many rows are otherwise, and which, as :data:`UNMET`."""

    says: str
    rows: int
    error: str
    named: pa.Table


def _summary(unmet: Sequence[_Unmet], rows: int, expectations: int) -> str:
    size = counted(rows, "row")
    if not unmet:
        return f"{size} meet all {expectations} expectations."
    told = [
        f"{u.says} ({counted(u.rows, 'row')})" if u.rows else f"{u.says} ({u.error})"
        for u in unmet[:4]
    ]
    more = f"; and {len(unmet) - 4} more" if len(unmet) > 4 else ""
    listed = "; ".join(told) + more
    return f"{len(unmet)} of {expectations} expectations on {size} are not met: {listed}."


class _Validation:
    """The validation of one table."""

    def __init__(self, table: pa.Table, key: str) -> None:
        self._table = table
        self._key = key
        self._suite = _Suite()

    def __call__(self, expectations: Sequence[Expectation]) -> list[_Unmet | None]:
        """What each expectation finds; None where it is met."""
        values = self._values({e.of_values for e in expectations if e.of_values})
        by_value = [e for e in expectations if e.of_values in values]
        by_row = [e for e in expectations if e.of_values not in values]
        found = {**self._by_value(by_value, values), **self._by_row(by_row)}
        return [found.get(n) for n in map(id, expectations)]

    def _values(self, columns: set[str]) -> dict[str, pa.Array]:
        """The distinct values of the columns that have few."""
        found = {}
        for name in sorted(columns & set(self._table.column_names)):
            values = pc.unique(self._table[name])
            if len(values) <= FEW_VALUES:
                found[name] = values
        return found

    def _by_value(
        self, expectations: Sequence[Expectation], values: Mapping[str, pa.Array]
    ) -> dict[int, _Unmet]:
        if not expectations:
            return {}
        size = max(map(len, values.values()))
        # shorter columns are filled up with a value that they have
        places = {
            n: pc.min_element_wise(pa.array(range(size)), len(v) - 1) for n, v in values.items()
        }
        frame = pa.table(
            {_POSITION: pa.array(range(size)), **{n: v.take(places[n]) for n, v in values.items()}}
        ).to_pandas()
        unmet = {}
        for expectation, outcome in self._suite.unmet(frame, expectations, key=_POSITION):
            name = expectation.of_values or ""
            wrong = sorted({min(row[_POSITION], len(values[name]) - 1) for row in outcome.rows})
            unmet[id(expectation)] = self._of_wrong(expectation, values[name].take(wrong), outcome)
        return unmet

    def _of_wrong(self, expectation: Expectation, wrong: pa.Array, outcome: _Outcome) -> _Unmet:
        """The rows that have one of the wrong values."""
        name = expectation.of_values or ""
        rows = self._table.filter(pc.is_in(self._table[name], value_set=wrong))
        shown = rows.slice(0, ROWS_NAMED)
        text = pc.coalesce(_text(shown[name]), "nothing")
        found = pc.binary_join_element_wise(name, text, " ")
        named = _rows(expectation.says, shown[self._key], found)
        if not len(rows):  # it could not be made
            named = _rows(expectation.says, [None], [outcome.error])
        return _Unmet(expectation.says, len(rows), outcome.error, named)

    def _by_row(self, expectations: Sequence[Expectation]) -> dict[int, _Unmet]:
        if not expectations:
            return {}
        # only what is looked at: the library hashes every frame that it is given
        looked_at = {c for e in expectations for c in e.columns} & set(self._table.column_names)
        frame = self._table.select(sorted(looked_at | {self._key})).to_pandas()
        unmet = {}
        for expectation, outcome in self._suite.unmet(frame, expectations, key=self._key):
            rows = outcome.rows[:ROWS_NAMED] or [None]
            ids = [str(row[self._key]) if row else None for row in rows]
            found = [self._shown(row) if row else outcome.error for row in rows]
            named = _rows(expectation.says, ids, found)
            unmet[id(expectation)] = _Unmet(
                expectation.says, outcome.unmet_rows, outcome.error, named
            )
        return unmet

    def _shown(self, row: Mapping[str, Any]) -> str:
        """What a row has in the columns that were looked at."""
        looked_at = [column for column in row if column != self._key] or [self._key]
        return ", ".join(f"{column} {row[column]}" for column in looked_at)


class _Suite:
    """Great Expectations in memory, without progress bars or analytics."""

    def __init__(self) -> None:
        gx = load_great_expectations()
        types = gx.data_context.types.base
        settings = types.DataContextConfig(
            store_backend_defaults=types.InMemoryStoreBackendDefaults(),
            progress_bars=types.ProgressBarsConfig(globally=False, metric_calculations=False),
            analytics_enabled=False,
        )
        self._gx = gx
        self._sources = gx.get_context(mode="ephemeral", project_config=settings).data_sources
        self._frames = 0

    def unmet(
        self, frame: pd.DataFrame, expectations: Sequence[Expectation], *, key: str
    ) -> list[tuple[Expectation, _Outcome]]:
        """The expectations that a frame does not meet, with the rows that are otherwise."""
        source = self._sources.add_pandas(f"frame-{self._frames}")
        self._frames += 1
        whole = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")
        batch = whole.get_batch(batch_parameters={"dataframe": frame})
        brief = self._validate(batch, expectations, {"result_format": "BASIC"})
        again = [e for e, o in zip(expectations, brief, strict=True) if o.unmet_rows]
        form = {
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [key],
            "return_unexpected_index_query": False,
        }
        detailed = dict(zip(map(id, again), self._validate(batch, again, form), strict=True))
        return [
            (e, detailed.get(id(e), o))
            for e, o in zip(expectations, brief, strict=True)
            if not o.met
        ]

    def _validate(
        self, batch: Any, expectations: Sequence[Expectation], form: Mapping[str, Any]
    ) -> list[_Outcome]:
        """Validate, in the order given."""
        if not expectations:
            return []
        # results come back in another order: the place travels with each
        made = [
            getattr(self._gx.expectations, e.kind)(**e.arguments, meta={"place": place})
            for place, e in enumerate(expectations)
        ]
        suite = self._gx.ExpectationSuite(name="expectations", expectations=made)
        results = batch.validate(suite, result_format=form).results
        results.sort(key=lambda r: r.expectation_config.meta["place"])
        return [_outcome(r) for r in results]


def _outcome(result: Any) -> _Outcome:
    details = result.result or {}
    error = _exception(result.exception_info)
    if not error and "observed_value" in details:
        error = f"found {details['observed_value']}"
    return _Outcome(
        met=bool(result.success),
        unmet_rows=int(details.get("unexpected_count", 0)),
        rows=details.get("unexpected_index_list", ()),
        error=error,
    )


def _exception(info: Mapping[str, Any]) -> str:
    """Message of a validation that could not be made: one, or one for each metric."""
    parts = [info] if "raised_exception" in info else [p for p in info.values() if p]
    raised = [str(p["exception_message"]) for p in parts if p["raised_exception"]]
    return raised[0] if raised else ""


def load_great_expectations() -> Any:
    """The library, which takes about ten seconds to import."""
    with warnings.catch_warnings():
        # it imports modules that Python has renamed
        warnings.filterwarnings("ignore", "module 'sre_(constants|parse)' is deprecated")
        import great_expectations
        import great_expectations.data_context.types.base
    return great_expectations


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as text, as Python writes them."""
    if pa.types.is_string(values.type):
        return values
    return pa.chunked_array(
        [pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())]
    )


def _rows(says: str, rows: Any, found: Any) -> pa.Table:
    return pa.table([pa.repeat(says, len(rows)), rows, found], schema=UNMET)
