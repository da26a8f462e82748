"""A verdict as a table, for Dagster's pages and for reports."""

from __future__ import annotations

import pyarrow as pa

from cv_pipeline.evaluation.verdict.verdict import Verdict

VERDICT = pa.schema(
    [
        # the requirement in words
        pa.field("requirement", pa.string(), nullable=False),
        # what was found; null where it was not measured
        pa.field("value", pa.float64()),
        # ends of its 95 % confidence interval, where one is known
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        # whether it is met
        pa.field("passed", pa.bool_(), nullable=False),
        # why, in words
        pa.field("why", pa.string(), nullable=False),
    ]
)


def verdict_table(verdict: Verdict) -> pa.Table:
    """Schema VERDICT, a row for each requirement."""
    rows = [{name: getattr(one, name) for name in VERDICT.names} for one in verdict.requirements]
    return pa.Table.from_pylist(rows, schema=VERDICT)
