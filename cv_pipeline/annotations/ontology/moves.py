"""Which labels go where when an ontology changes, with images that show it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cv_pipeline.annotations.ontology.migrate import RELABEL, SIBLING, Migrated
from cv_pipeline.catalog.sql import run_sql

ROW = "row"
"""Column that numbers rows before they are migrated, so that each is known again after."""
EXAMPLES = 5
"""Images that are named of each move."""

_SQL = """
WITH fates AS (
    SELECT b.image_id, b.label, b.ontology_version, coalesce(a.label, '') AS "into",
        coalesce(l.reason, '') AS reason, coalesce(l.detail, '') AS detail,
        max((b.x_max - b.x_min) * (b.y_max - b.y_min)) AS area, count(*) AS labels
    FROM before AS b LEFT JOIN after AS a USING (row) LEFT JOIN lost AS l USING (row)
    WHERE b.kind <> 'tag' AND (a.label IS NULL OR a.label <> b.label)
    GROUP BY ALL
),
moves AS (
    SELECT label, ontology_version AS version, "into", reason, detail,
        sum(labels)::BIGINT AS labels, count(DISTINCT image_id) AS images,
        -- those whose objects are large, for they are seen best when small; what several threads
        -- found comes in no order
        list_transform(
            list_reverse_sort(
                max(struct_pack(area := coalesce(area, 0), image_id := image_id), $examples)
            ),
            lambda one: one.image_id
        ) AS examples
    FROM fates
    GROUP BY ALL
)
SELECT * FROM moves
ORDER BY label, version, "into" = '', labels DESC, "into", reason, detail
"""


@dataclass(frozen=True)
class Move:
    """Labels of one class that become the same, or are lost for the same reason.

    Attributes:
        label: the class that they are of now.
        version: that they were made under.
        into: the class that they become; empty for those that cannot come along.
        reason: why they cannot, as the quarantine calls it; empty for those that can.
        detail: the same as a sentence.
        labels: how many.
        images: on how many images.
        examples: ids of some of these, the ones with the largest objects first.
    """

    label: str
    version: str
    into: str
    reason: str
    detail: str
    labels: int
    images: int
    examples: tuple[str, ...]

    @property
    def relabel(self) -> bool:
        """Whether people must look at the images again, so that they go to a relabelling batch."""
        return self.reason in (RELABEL, SIBLING)


def moves_of(rows: pa.Table, migrated: Migrated) -> tuple[Move, ...]:
    """Every move of labels from class to class, and out of the labels; what stays is none.

    Args:
        rows: before, with a column ``row`` that numbers them, and with their edges.
        migrated: what became of them.
    """
    found = run_sql(
        _SQL,
        relations={
            "before": rows,
            "after": migrated.rows.select([ROW, "label"]),
            "lost": migrated.unconverted.select([ROW, "reason", "detail"]),
        },
        parameters={"examples": EXAMPLES},
    ).to_pylist()
    return tuple(
        Move(**{**row, "examples": tuple(dict.fromkeys(row["examples"]))}) for row in found
    )
