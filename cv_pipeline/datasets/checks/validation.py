"""Expectations on a table, validated by Great Expectations.

Everything is first validated in its cheapest form; only what failed is validated again for the
rows that failed it. What depends on single values is validated on witnesses: the distinct values,
the extremes of a range, one value and one null; so that a million rows of three values cost as much
as three. A column that is not there is a failure here: the library reports it beside the results.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
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
_OF_PRESENCE = ("ExpectColumnValuesToBeNull", "ExpectColumnValuesToNotBeNull")
_OF_EXTREMES = ("ExpectColumnValuesToBeBetween",)


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
        witnesses = {n: w for n, e in enumerate(expectations) if (w := self._witnesses(e))}
        unmet: dict[int, _Unmet] = {}
        by_row = [n for n in range(len(expectations)) if n not in witnesses]
        for place, outcome in self._of_witnesses(expectations, witnesses):
            expectation = expectations[place]
            if witnesses[place].all_values and outcome.rows:
                wrong = [min(row[_POSITION], len(witnesses[place]) - 1) for row in outcome.rows]
                values = witnesses[place].values.take(pa.array(sorted(set(wrong))))
                unmet[place] = self._with_values(expectation, values, outcome)
            else:
                by_row.append(place)
        for place, outcome in self._of_rows(expectations, sorted(by_row)):
            unmet[place] = self._with_rows(expectations[place], outcome)
        return [unmet.get(n) for n in range(len(expectations))]

    def _witnesses(self, expectation: Expectation) -> _Witnesses | None:
        """A few values on which the expectation holds exactly where it holds on the column."""
        name = expectation.of_values
        if name is None or name not in self._table.column_names:
            return None
        values = self._table[name]
        odd = values.filter(_is_odd(values)).slice(0, 2)  # null, or not a number
        if expectation.kind in _OF_PRESENCE:
            some = values.filter(pc.invert(_is_odd(values))).slice(0, 1)
            return _Witnesses(_joined(some, odd), all_values=False)
        if expectation.kind in _OF_EXTREMES and not pa.types.is_nested(values.type):
            least = pc.min_max(values)
            ends = pa.array([least["min"].as_py(), least["max"].as_py()], values.type).drop_null()
            return _Witnesses(_joined(ends, odd), all_values=False)
        distinct = pc.unique(values)
        return _Witnesses(distinct, all_values=True) if len(distinct) <= FEW_VALUES else None

    def _of_witnesses(
        self, expectations: Sequence[Expectation], witnesses: Mapping[int, _Witnesses]
    ) -> Iterator[tuple[int, _Outcome]]:
        """The outcome of each expectation that its witnesses do not meet, by its place."""
        if not witnesses:
            return
        position = pa.array(range(max(map(len, witnesses.values()))))
        columns, made = {_POSITION: position}, []
        for place, of_one in witnesses.items():
            # shorter columns are filled up with a value that they have
            at = pc.min_element_wise(position, len(of_one) - 1)
            columns[str(place)] = of_one.values.take(at)
            made.append(expectations[place].on(str(place)))
        frame = pa.table(columns).to_pandas()
        for expectation, outcome in self._suite.unmet(frame, made, key=_POSITION):
            yield int(expectation.columns[0]), outcome

    def _with_values(self, expectation: Expectation, wrong: pa.Array, outcome: _Outcome) -> _Unmet:
        """The rows that have one of the wrong values."""
        name = expectation.columns[0]
        rows = self._table.filter(pc.is_in(self._table[name], value_set=wrong))
        shown = rows.slice(0, ROWS_NAMED)
        text = pc.coalesce(_text(shown[name]), "nothing")
        found = pc.binary_join_element_wise(name, text, " ")
        named = _rows(expectation.says, shown[self._key], found)
        return _Unmet(expectation.says, len(rows), outcome.error, named)

    def _of_rows(
        self, expectations: Sequence[Expectation], places: Sequence[int]
    ) -> Iterator[tuple[int, _Outcome]]:
        """The outcome of each expectation that the rows do not meet, by its place."""
        if not places:
            return
        # only what is looked at: the library hashes every frame that it is given
        looked_at = {c for n in places for c in expectations[n].columns}
        looked_at &= set(self._table.column_names)
        frame = self._table.select(sorted(looked_at | {self._key})).to_pandas()
        place_of = {id(expectations[n]): n for n in places}
        for expectation, outcome in self._suite.unmet(
            frame, [expectations[n] for n in places], key=self._key
        ):
            yield place_of[id(expectation)], outcome

    def _with_rows(self, expectation: Expectation, outcome: _Outcome) -> _Unmet:
        rows: list[Mapping[str, Any] | None] = [*outcome.rows[:ROWS_NAMED]] or [None]
        ids = [str(row[self._key]) if row else None for row in rows]
        found = [self._shown(row) if row else outcome.error for row in rows]
        named = _rows(expectation.says, ids, found)
        return _Unmet(expectation.says, outcome.unmet_rows, outcome.error, named)

    def _shown(self, row: Mapping[str, Any]) -> str:
        """What a row has in the columns that were looked at."""
        looked_at = [column for column in row if column != self._key] or [self._key]
        return ", ".join(f"{column} {row[column]}" for column in looked_at)


@dataclass(frozen=True, eq=False)
class _Witnesses:
    """Values that stand for a column: all distinct ones, or those that decide."""

    values: pa.Array
    all_values: bool

    def __len__(self) -> int:
        return len(self.values)


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


def _is_odd(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether a value is null or not a number, both of which the library takes for null."""
    return pc.is_null(values, nan_is_null=True)


def _joined(values: pa.Array | pa.ChunkedArray, more: pa.ChunkedArray) -> pa.Array:
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    return pa.concat_arrays([*chunks, *more.chunks, pa.array([], more.type)])


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as text, as Python writes them."""
    if pa.types.is_string(values.type):
        return values
    return pa.chunked_array(
        [pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())]
    )


def _rows(says: str, rows: Any, found: Any) -> pa.Table:
    return pa.table([pa.repeat(says, len(rows)), rows, found], schema=UNMET)
