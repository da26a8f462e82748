"""Whether every class can be learned, chosen by and tested."""

from __future__ import annotations

import pyarrow as pa

from cv_pipeline.datasets.checks.context import CheckContext, rows_of
from cv_pipeline.datasets.checks.coverage import COUNTS, count_statuses, cover, told
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.datasets.splitting.splits import SPLITS

COVERAGE = pa.schema(
    [
        # class of the ontology
        pa.field("label", pa.string(), nullable=False),
        *COUNTS,
    ]
)


def check_class_coverage(context: CheckContext, threshold: float) -> Finding:
    """Look for classes that a split, or a fold, is without although it could have some.

    What could be and is not is *missing* (see :func:`coverage.cover`), and fails. Classes that are
    *too rare* or *absent* are told and do not fail, for no division could mend them.

    Args:
        context: the candidate.
        threshold: least images of a class in each split.

    Returns:
        Rows of schema :data:`COVERAGE`, one a class, in the ontology's order.
    """
    labels = list(context.record.ontology.labels)
    shown = context.shown
    of_ontology = rows_of(pa.chunked_array([shown.names]), pa.array(labels))[shown.label]
    known = of_ontology >= 0
    columns = cover(
        context, shown.image[known], of_ontology[known], size=len(labels), least=threshold
    )
    rows = pa.Table.from_arrays([pa.array(labels), *columns], schema=COVERAGE)
    count = count_statuses(rows)
    rarest = min(sum(r[split] for split in SPLITS) for r in rows.to_pylist())
    total = counted(len(rows), "class", "classes")
    uncovered = told(rows["label"], rows["status"], "class", "classes")
    summary = f"Of {total}: {uncovered}." if uncovered else f"All {total} are in every split."
    if count["missing"] and context.record.table_versions.get("split_assignments"):
        summary += (
            " Images keep the split that earlier versions gave them: label more of these, or change"
            " dataset.split.seed to divide anew."
        )
    metrics = {"classes": len(labels), **count, "rarest_images": rarest}
    return Finding(not count["missing"], summary, metrics, rows)
