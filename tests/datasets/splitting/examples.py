"""Dividing images that are described by lists: what the tests of splits share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cv_pipeline.datasets.splitting.bonds import bonds_of
from cv_pipeline.datasets.splitting.splits import SplitAssignment, assign_splits, places_of
from cv_pipeline.project import Split

Labels = Sequence[Sequence[str]]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ids(size: int, prefix: str = "") -> list[str]:
    return sorted(sha(f"{prefix}{n}") for n in range(size))


@dataclass(frozen=True)
class Divided:
    """Images after a division: ids, splits and folds of those that were not left out."""

    ids: list[str]
    splits: list[str]
    folds: list[int | None]
    left_out: list[str]
    assignment: SplitAssignment

    @property
    def split_of(self) -> dict[str, str]:
        return dict(zip(self.ids, self.splits, strict=True))

    @property
    def fold_of(self) -> dict[str, int | None]:
        return dict(zip(self.ids, self.folds, strict=True))


def divide(
    labels: Labels,
    *,
    image_ids: Sequence[str] | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    groups: Sequence[Sequence[str | None]] = (),
    official: Sequence[str | None] | None = None,
    times: Sequence[int | None] | None = None,
    before: Divided | None = None,
    **rule: object,
) -> Divided:
    """Divide images, as a candidate does, after an earlier version ``before``.

    ``pairs`` are near-duplicates by row, ``times`` capture times in days.
    """
    size = len(labels)
    names = list(image_ids or ids(size))
    kept = before.split_of if before else {}
    kept_folds = before.fold_of if before else {}
    bonds = bonds_of(
        size,
        pairs=np.array(pairs, np.int64).reshape(-1, 2),
        groups=[pa.array(g, pa.string()) for g in groups],
    )
    places, torn = places_of(
        official=pa.array(official or [None] * size, pa.string()),
        kept=pa.array([kept.get(i) for i in names], pa.string()),
        kept_folds=pa.array([kept_folds.get(i) for i in names], pa.int32()),
        bonds=bonds,
    )
    rows = np.flatnonzero(~torn)
    shown = [(names[r], x) for r in rows for x in labels[r]]
    days = [None if t is None else t * 86_400_000_000 for t in times or [None] * size]
    stay = [names[r] for r in rows]
    assignment = assign_splits(
        image_ids=pa.array(stay, pa.string()),
        labels=pa.table(
            {
                "image_id": pa.array([i for i, _ in shown], pa.string()),
                "label": pa.array([x for _, x in shown], pa.string()),
            }
        ),
        captured_at=pa.array(days, pa.timestamp("us", "UTC")).take(pa.array(rows)),
        bonds=bonds.take(rows),
        places=places.take(rows),
        rule=Split.model_validate(rule),
    )
    return Divided(
        stay,
        assignment.splits.to_pylist(),
        assignment.folds.to_pylist(),
        [names[r] for r in np.flatnonzero(torn)],
        assignment,
    )


def shown(labels: Labels, splits: Sequence[str]) -> Counter[tuple[str, str]]:
    """Images of each (class, split)."""
    return Counter((x, s) for row, s in zip(labels, splits, strict=True) for x in set(row))
