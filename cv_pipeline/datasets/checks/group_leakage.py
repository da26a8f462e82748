"""Whether one patient, camera or site is in two splits or folds."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import DIVIDE_ANEW, Finding, counted
from cv_pipeline.datasets.checks.leakage import parts_of

CROSSING_GROUPS = pa.schema(
    [
        # metadata key
        pa.field("key", pa.string(), nullable=False),
        # its value
        pa.field("value", pa.string(), nullable=False),
        # images of that value in each split, or fold where there are any: test 3, train 20
        pa.field("splits", pa.string(), nullable=False),
        # images of that value
        pa.field("images", pa.int64(), nullable=False),
    ]
)


def check_group_leakage(context: CheckContext, threshold: float) -> Finding:
    """Count the values of the project's group keys that lie in more than one split or fold.

    The keys are those of ``dataset.split.group_by``. The split rule keeps groups together, so that
    they cross only where an official split parts them.

    Args:
        context: the candidate.
        threshold: most crossing values that pass.

    Returns:
        Rows of schema :data:`CROSSING_GROUPS`.
    """
    keys = context.record.rule.group_by
    if not keys:
        rows = CROSSING_GROUPS.empty_table()
        summary = "No group keys are set (dataset.split.group_by), so any value may cross splits."
        return Finding(True, summary, {"groups": 0, "groups_across_splits": 0}, rows)
    metadata = context.metadata.filter(pc.is_in(context.metadata["key"], pa.array(keys)))
    row = pc.index_in(metadata["image_id"], value_set=context.manifest["image_id"].combine_chunks())
    placed = metadata.append_column("split", parts_of(context.manifest).take(row))
    parts = placed.group_by(["key", "value", "split"]).aggregate([([], "count_all")])
    parts = parts.sort_by([(name, "ascending") for name in ("key", "value", "split")])
    text = pc.binary_join_element_wise(parts["split"], parts["count_all"].cast(pa.string()), " ")
    parts = parts.append_column("part", text)
    groups = parts.group_by(["key", "value"], use_threads=False).aggregate(
        [("part", "list"), ("count_all", "sum")]
    )
    crossing = groups.filter(pc.greater(pc.list_value_length(groups["part_list"]), 1))
    rows = pa.Table.from_arrays(
        [
            crossing["key"],
            crossing["value"],
            pc.binary_join(crossing["part_list"], ", "),
            crossing["count_all_sum"],
        ],
        schema=CROSSING_GROUPS,
    )
    named = " and ".join(keys)
    summary = f"{len(rows):,} of {counted(len(groups), 'value')} of {named} in several splits."
    if len(rows) and context.record.rule.sticky:
        summary += DIVIDE_ANEW
    metrics = {"groups": len(groups), "groups_across_splits": len(rows)}
    return Finding(len(rows) <= threshold, summary, metrics, rows)
