"""The difference of two dataset versions: images and labels, each with the reason.

It is read from the two folders; reasons come from their records and, where it is at hand, from the
catalogue at the table versions that they recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.differences.change_reasons import (
    TABLES_ASKED,
    explain_images,
    explain_labels,
    query_change,
    rule_change,
)
from cv_pipeline.datasets.differences.changed_rows import compare_versions
from cv_pipeline.datasets.record import DatasetRecord
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.errors import CatalogError

_DETAIL = r" \([^;]*\)| at \d{4}-\d\d-\d\dT[0-9:]+Z"


@dataclass(frozen=True, eq=False)
class Difference:
    """How the later of two dataset versions differs from the earlier.

    Attributes:
        before: record of the earlier version.
        after: record of the later version.
        images: ``changed_rows.IMAGE_CHANGES``.
        labels: ``changed_rows.LABEL_CHANGES``.
        note: why reasons are no more than the records tell; empty where they were looked up.
    """

    before: DatasetRecord
    after: DatasetRecord
    images: pa.Table
    labels: pa.Table
    note: str

    @property
    def same(self) -> bool:
        """Whether no image and no label differs."""
        return not len(self.images) and not len(self.labels)

    @property
    def rules(self) -> tuple[str, ...]:
        """How query, split rule and ontology differ, in words."""
        old, new = self.before.ontology, self.after.ontology
        told = [query_change(self.before, self.after), rule_change(self.before, self.after)]
        if old.labels != new.labels:
            told.append(f"classes changed ({', '.join(old.labels)} → {', '.join(new.labels)})")
        if old.version != new.version:
            told.append(f"ontology {old.version} → {new.version}")
        if old.guideline_version != new.guideline_version:
            told.append(f"guideline {old.guideline_version} → {new.guideline_version}")
        return tuple(text for text in told if text)

    def to_json(self, *, rows: int | None = None) -> dict[str, Any]:
        """The difference as plain values.

        Args:
            rows: how many images, and how many labels, are listed; all by default.
        """
        return {
            "before": self.before.digest,
            "after": self.after.digest,
            "same": self.same,
            "note": self.note,
            "rules": list(self.rules),
            "images": {"counts": counts(self.images), "reasons": reasons(self.images)},
            "labels": {"counts": counts(self.labels), "reasons": reasons(self.labels)},
            "image_rows": self.images.slice(0, rows).to_pylist(),
            "label_rows": self.labels.slice(0, rows).to_pylist(),
        }


def difference(
    before: DatasetVersion,
    after: DatasetVersion,
    *,
    catalog: Catalog | None = None,
    progress: Callable[[float], None] | None = None,
) -> Difference:
    """Compare two dataset versions.

    Args:
        before: the earlier version.
        after: the later version.
        catalog: the tables of the project that both are of. Where there are none, or a version
            that was recorded is gone, reasons are coarser, and ``note`` says so.
        progress: told how much of the rows is compared, 0 to 1.

    Raises:
        DatasetError: a table of theirs cannot be read.
    """
    images, labels = compare_versions(before.folder, after.folder, progress=progress)
    note = _without_catalog(before.record, after.record, catalog)
    known = None if note else catalog
    return Difference(
        before=before.record,
        after=after.record,
        images=explain_images(images, before.record, after.record, known),
        labels=explain_labels(labels, before.record, after.record, known),
        note=note,
    )


def _without_catalog(before: DatasetRecord, after: DatasetRecord, catalog: Catalog | None) -> str:
    """Why the catalogue cannot tell what was when the versions were made; empty when it can."""
    if catalog is None:
        return "No catalogue was asked."
    if before.project != after.project:
        return f"They are of two projects, {before.project} and {after.project}."
    try:
        for record in (before, after):
            for name in TABLES_ASKED:
                catalog.table(name).relation(version=record.table_versions.get(name, 0))
    except CatalogError as error:
        return error.what
    return ""


def counts(changes: pa.Table) -> dict[str, int]:
    """How many changes there are of each kind."""
    found = pc.value_counts(changes["change"]).to_pylist()
    return dict(sorted((count["values"], count["counts"]) for count in found))


def plain_reasons(changes: pa.Table) -> pa.ChunkedArray:
    """The reason of each change without its details, so that those of one kind are one text."""
    return pc.replace_substring_regex(changes["reason"], _DETAIL, "")


def reasons(changes: pa.Table) -> list[dict[str, Any]]:
    """How many changes of each kind have each reason, without its details; the most first."""
    rows = pa.table({"change": changes["change"], "reason": plain_reasons(changes)})
    rows = rows.group_by(["change", "reason"]).aggregate([([], "count_all")])
    rows = rows.rename_columns(["change", "reason", "count"])
    found: list[dict[str, Any]] = rows.sort_by(
        [("count", "descending"), ("change", "ascending"), ("reason", "ascending")]
    ).to_pylist()
    return found
