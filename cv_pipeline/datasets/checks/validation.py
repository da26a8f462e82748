"""Expectations on a table, validated by Great Expectations.

Everything is first validated in its cheapest form; only what failed is validated again for the
rows that failed it. A table without rows, and a column that is not there, are failures here: the
library passes the one, and reports the other beside the results.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

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
EXAMPLES = 200
"""Most rows that are listed of one expectation."""


@dataclass(frozen=True)
class _Outcome:
    """What one validation said: ``error`` is set where it could not be made."""

    met: bool
    unmet_rows: int
    examples: tuple[tuple[str | None, str], ...]
    error: str


def check_expectations(
    frame: pd.DataFrame, expectations: Sequence[Expectation], *, key: str, threshold: float
) -> Finding:
    """Validate a table.

    Args:
        frame: the table.
        expectations: what is expected of it.
        key: column that identifies a row.
        threshold: most unmet expectations that pass.

    Returns:
        Rows of schema :data:`UNMET`.
    """
    metrics = {"rows": len(frame), "expectations": len(expectations)}
    if frame.empty:
        rows = _rows([("the table has rows", None, "no rows")])
        return Finding(False, "There are no rows to check.", {**metrics, "unmet": 1}, rows)
    validate = _Validation(frame, key)
    brief = validate(expectations, rows=False)
    again = [e for e, o in zip(expectations, brief, strict=True) if o.unmet_rows]
    detailed = dict(zip((e.says for e in again), validate(again, rows=True), strict=True))
    unmet = [(e, o) for e, o in zip(expectations, brief, strict=True) if not o.met]
    found: list[tuple[str, str | None, str]] = []
    for expectation, outcome in unmet:
        says = expectation.says
        examples = detailed[says].examples if says in detailed else ((None, outcome.error),)
        found += [(says, row, value) for row, value in examples]
    metrics |= {"unmet": len(unmet), "unmet_rows": sum(o.unmet_rows for _, o in unmet)}
    summary = _summary(unmet, len(frame), len(expectations))
    return Finding(len(unmet) <= threshold, summary, metrics, _rows(found))


def _summary(unmet: Sequence[tuple[Expectation, _Outcome]], rows: int, expectations: int) -> str:
    size = counted(rows, "row")
    if not unmet:
        return f"{size} meet all {expectations} expectations."
    told = [
        f"{e.says} ({counted(o.unmet_rows, 'row')})" if o.unmet_rows else f"{e.says} ({o.error})"
        for e, o in unmet[:4]
    ]
    more = f"; and {len(unmet) - 4} more" if len(unmet) > 4 else ""
    listed = "; ".join(told) + more
    return f"{len(unmet)} of {expectations} expectations on {size} are not met: {listed}."


class _Validation:
    """Great Expectations over one frame, in memory, without progress bars or analytics."""

    def __init__(self, frame: pd.DataFrame, key: str) -> None:
        gx = _great_expectations()
        types = gx.data_context.types.base
        settings = types.DataContextConfig(
            store_backend_defaults=types.InMemoryStoreBackendDefaults(),
            progress_bars=types.ProgressBarsConfig(globally=False, metric_calculations=False),
            analytics_enabled=False,
        )
        context = gx.get_context(mode="ephemeral", project_config=settings)
        asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
        whole = asset.add_batch_definition_whole_dataframe("whole")
        self._batch = whole.get_batch(batch_parameters={"dataframe": frame})
        self._gx = gx
        self._key = key

    def __call__(self, expectations: Sequence[Expectation], *, rows: bool) -> list[_Outcome]:
        """Validate, in the order given; with ``rows``, name those that are otherwise."""
        if not expectations:
            return []
        # results come back in another order: the place travels with each
        made = [
            getattr(self._gx.expectations, e.kind)(**e.arguments, meta={"place": place})
            for place, e in enumerate(expectations)
        ]
        form: dict[str, Any] = {"result_format": "BASIC"}
        if rows:
            form = {
                "result_format": "COMPLETE",
                "unexpected_index_column_names": [self._key],
                "return_unexpected_index_query": False,
            }
        suite = self._gx.ExpectationSuite(name="expectations", expectations=made)
        results = self._batch.validate(suite, result_format=form).results
        results.sort(key=lambda r: r.expectation_config.meta["place"])
        return [self._outcome(r) for r in results]

    def _outcome(self, result: Any) -> _Outcome:
        details = result.result or {}
        rows = details.get("unexpected_index_list", ())[:EXAMPLES]
        examples = tuple((str(row[self._key]), self._shown(row)) for row in rows)
        error = _exception(result.exception_info)
        if not error and "observed_value" in details:
            error = f"found {details['observed_value']}"
        return _Outcome(
            met=bool(result.success),
            unmet_rows=int(details.get("unexpected_count", 0)),
            examples=examples,
            error=error,
        )

    def _shown(self, row: Mapping[str, Any]) -> str:
        """What a row has in the columns that were looked at."""
        looked_at = [column for column in row if column != self._key] or [self._key]
        return ", ".join(f"{column} {row[column]}" for column in looked_at)


def _exception(info: Mapping[str, Any]) -> str:
    """Message of a validation that could not be made: one, or one for each metric."""
    parts = [info] if "raised_exception" in info else [p for p in info.values() if p]
    raised = [str(p["exception_message"]) for p in parts if p["raised_exception"]]
    return raised[0] if raised else ""


def _great_expectations() -> Any:
    """The library, which takes about ten seconds to import."""
    with warnings.catch_warnings():
        # it imports modules that Python has renamed
        warnings.filterwarnings("ignore", "module 'sre_(constants|parse)' is deprecated")
        import great_expectations
        import great_expectations.data_context.types.base
    return great_expectations


def _rows(found: Sequence[tuple[str, str | None, str]]) -> pa.Table:
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return pa.Table.from_arrays([pa.array(c, pa.string()) for c in columns], schema=UNMET)
