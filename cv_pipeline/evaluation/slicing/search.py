"""Counts every single value and every pair of values of all facts, and keeps what may be bad.

Each pair of facts is one pass over integers; what is kept of it are the values that are worse than
elsewhere and unlikely to be so by chance, with how many were looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.measure import LEVEL
from cv_pipeline.evaluation.slicing.facts import Fact
from cv_pipeline.evaluation.slicing.ratios import Sums, Terms
from cv_pipeline.evaluation.slicing.statistics import Comparison, compare

_MOST_PAIRS = 4096
"""Pairs of values of two facts; facts with more are not paired."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Slices that may be bad: one row for each slice and class.

    Attributes:
        first: (n,) index of the first fact.
        first_value: (n,) its value.
        second: (n,) index of the second fact; -1 for a slice by one fact alone.
        second_value: (n,) its value; -1 likewise.
        label: (n,) class; the number of classes stands for all.
        sums: (n,) of the slice.
        compared: (n,) with the images outside of it.
        tests: slices and classes that were compared, the good ones included.
    """

    first: NDArray[np.int64]
    first_value: NDArray[np.int64]
    second: NDArray[np.int64]
    second_value: NDArray[np.int64]
    label: NDArray[np.int64]
    sums: Sums
    compared: Comparison
    tests: int

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.label)

    def values(self, row: int) -> list[tuple[int, int]]:
        """The fact and value of a row; two of a pair."""
        both = [
            (int(self.first[row]), int(self.first_value[row])),
            (int(self.second[row]), int(self.second_value[row])),
        ]
        return both if both[1][0] >= 0 else both[:1]

    def take(self, rows: NDArray[np.int64]) -> Candidates:
        """Some of the rows."""
        return Candidates(
            first=self.first[rows],
            first_value=self.first_value[rows],
            second=self.second[rows],
            second_value=self.second_value[rows],
            label=self.label[rows],
            sums=self.sums[rows],
            compared=self.compared[rows],
            tests=self.tests,
        )


def search(terms: Terms, facts: Sequence[Fact], *, least: int) -> Candidates:
    """Compare every value and pair of values with the images outside of it, for every class.

    Args:
        terms: the ratio to compare by.
        facts: what is known of the images.
        least: images (of a class, those that hold it) below which a slice is not compared.

    Returns:
        The slices that are worse than elsewhere with an uncorrected probability of at most 0.05.
    """
    whole = terms.whole()
    found: list[tuple[NDArray[np.int64], ...]] = []
    kept: list[tuple[Sums, Comparison]] = []
    tests = 0
    of_rows = [terms.of_rows(fact.codes) for fact in facts]

    def look(first: int, second: int) -> int:
        sizes = [len(facts[f].values) + 1 for f in (first, second) if f >= 0]
        cells = int(np.prod(sizes))
        if second >= 0 and cells > _MOST_PAIRS:
            return 0
        cell = of_rows[first]
        if second >= 0:
            cell = cell * np.int32(sizes[1]) + of_rows[second]
        sums = terms.sums(cell, cells)
        inside = np.ones(cells, dtype=bool).reshape(sizes)
        inside[-1] = False
        inside[..., -1] = False
        large = (sums.images >= least) & (sums.images < whole.images)
        at, label = np.nonzero(large & inside.reshape(-1, 1))
        part = sums[at, label]
        compared = compare(part, whole[label] - part)
        bad = np.flatnonzero((compared.difference < 0) & (compared.p_value <= LEVEL))
        if len(bad):
            values = np.unravel_index(at[bad], sizes)
            none = np.full(len(bad), -1)
            found.append(
                (
                    np.full(len(bad), first),
                    values[0],
                    np.full(len(bad), second),
                    values[1] if second >= 0 else none,
                    label[bad],
                )
            )
            kept.append((part[bad], compared[bad]))
        return len(at)

    for first in range(len(facts)):
        tests += look(first, -1)
        for second in range(first + 1, len(facts)):
            tests += look(first, second)
    return _joined(found, kept, tests)


def _joined(
    found: list[tuple[NDArray[np.int64], ...]], kept: list[tuple[Sums, Comparison]], tests: int
) -> Candidates:
    empty = np.zeros(0, dtype=np.int64)
    columns = [
        np.concatenate([empty, *(np.asarray(row[n], dtype=np.int64) for row in found)])
        for n in range(5)
    ]

    def all_of(kind: type, place: int) -> list[NDArray[np.float64]]:
        return [
            np.concatenate([np.zeros(0), *(getattr(parts[place], f.name) for parts in kept)])
            for f in fields(kind)
        ]

    first, first_value, second, second_value, label = columns
    return Candidates(
        first=first,
        first_value=first_value,
        second=second,
        second_value=second_value,
        label=label,
        sums=Sums(*all_of(Sums, 0)),
        compared=Comparison(*all_of(Comparison, 1)),
        tests=tests,
    )
