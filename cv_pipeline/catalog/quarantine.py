"""The quarantine: what came from outside and was refused, with the reason.

A stage states what it refuses now, and the table follows: new refusals come in, those that no
longer hold go, and the others keep the time at which they were first seen. Whoever is killed on the
way leaves too many refusals, and never too few.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import QUARANTINE
from cv_pipeline.catalog.tables import Catalog, one_of

_AT_ONCE = 100
_CONTENT = [name for name in QUARANTINE.names if name != "at"]


@dataclass(frozen=True)
class Refusal:
    """One thing that was refused.

    Attributes:
        file: path of the file.
        field: which part of it: empty for the whole file, else such as ``row 7: captured_at``.
        reason: machine-readable kind, such as ``corrupt_image``.
        detail: a sentence for people.
        fingerprint: state of the file when it was refused.
    """

    file: str
    field: str
    reason: str
    detail: str
    fingerprint: str = ""


def reconcile_refusals(
    catalog: Catalog,
    *,
    stage: str,
    refusals: Iterable[Refusal],
    within: pc.Expression | None = None,
) -> None:
    """Make ``refusals`` all that the quarantine holds of a stage, or of a part of it.

    Args:
        catalog: the project's tables.
        stage: stage that refuses, such as ``raw_images``.
        refusals: what is refused there now; of several for one part of a file the first counts.
        within: condition on the columns of ``QUARANTINE`` that tells which rows of the stage are
            meant, and the others stay as they are; all by default.
    """
    table = catalog.table("quarantine")
    scope = pc.field("stage") == stage
    if within is not None:
        scope &= within
    old = table.read(filter=scope)
    new = _rows(refusals, stage=stage)
    if old.num_rows == new.num_rows == 0:
        return
    gone = old.join(new.select(["file", "field"]), ["file", "field"], join_type="left anti")
    changed = new.join(old.select(_CONTENT), _CONTENT, join_type="left anti")
    table.merge(changed, on=table.key)
    for condition in _conditions(gone, new):
        table.delete(scope & condition)


def _conditions(gone: pa.Table, new: pa.Table) -> Iterator[pc.Expression]:
    """Conditions that, together, are met by the rows that are gone and by none that is new."""
    partly = pc.is_in(gone["file"], value_set=pc.unique(new["file"]))
    whole = pc.unique(gone.filter(pc.invert(partly))["file"]).to_pylist()
    if whole:
        yield one_of("file", whole)
    fields = gone.filter(partly).group_by("file").aggregate([("field", "list")]).to_pylist()
    for first in range(0, len(fields), _AT_ONCE):
        yield functools.reduce(
            operator.or_,
            (
                (pc.field("file") == row["file"]) & one_of("field", row["field_list"])
                for row in fields[first : first + _AT_ONCE]
            ),
        )


def _rows(refusals: Iterable[Refusal], *, stage: str) -> pa.Table:
    now = datetime.now(UTC)
    first = {(r.file, r.field): r for r in reversed(list(refusals))}
    rows = [
        {
            "stage": stage,
            "file": r.file,
            "field": r.field,
            "reason": r.reason,
            "detail": r.detail,
            "fingerprint": r.fingerprint,
            "at": now,
        }
        for r in first.values()
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE)
