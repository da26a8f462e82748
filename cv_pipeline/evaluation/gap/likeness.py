"""Whether the images of two splits come from one distribution, by all that is known of them.

Two tests that look at different things: every property by itself, and a classifier that is to tell
the splits apart by measures and looks together. Both must find a difference that matters, not only
one that is none of chance, before splits are called different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.checks.properties import Property, of_numbers, of_texts
from cv_pipeline.datasets.checks.split_drift import CHANCE, compared, corrected
from cv_pipeline.evaluation.gap.two_samples import told_apart
from cv_pipeline.evaluation.slicing.facts import Column

SHIFT = 0.1
"""Population stability index from which a property counts as different: a moderate shift."""
TOLD_APART = 0.55
"""Share of images from which a classifier counts as telling the splits apart."""


@dataclass(frozen=True, eq=False)
class Images:
    """n images of one split.

    Attributes:
        columns: name to what is known of them under it.
        looks: (n, features) numbers that a classifier sees; NaN where unknown.
        unit: (n,) images that belong together have the same, in whatever split they are.
    """

    columns: dict[str, Column]
    looks: NDArray[np.float64]
    unit: NDArray[np.int64]


@dataclass(frozen=True)
class Likeness:
    """How alike two splits are.

    Attributes:
        alike: whether no test tells them apart.
        properties: what differs, the largest difference first.
        told_apart: share of images whose split a classifier gives right, cross-validated, each unit
            and each split counting the same; 0.5 is chance. None where there are too few to try.
        p_value: probability of so large a share by chance.
    """

    alike: bool
    properties: tuple[str, ...]
    told_apart: float | None
    p_value: float | None


def likeness(first: Images, second: Images) -> Likeness:
    """Test whether two splits come from one distribution.

    - Each property is compared as by the check ``split_drift``: Kolmogorov and Smirnov's test for
      numbers, Pearson's χ² for texts, corrected after Benjamini and Hochberg; it differs when
      p < 0.01 and its population stability index exceeds 0.1.
    - Classifier two-sample test with permuted units, as :func:`told_apart` makes it: it tells the
      splits apart when p < 0.01 and it is right on 55 % or more. What is unknown of an image is
      taken for the mean of both splits' images.
    """
    rows = []
    for name in sorted(first.columns.keys() & second.columns.keys()):
        both = _property(name, first.columns[name].values, second.columns[name].values)
        if both is not None:
            size = len(first.columns[name].values)
            split = (np.arange(len(both.code)) >= size).astype(np.int64)
            rows.append(compared(both, split, 1))
    p_values = corrected([row["p"] for row in rows])
    different = [
        (-row["psi"], row["property"])
        for row, p in zip(rows, p_values, strict=True)
        if p < CHANCE and row["psi"] > SHIFT
    ]
    share, p_value = told_apart(
        _filled(np.concatenate([first.looks, second.looks])),
        np.concatenate([first.unit, second.unit]),
        np.repeat([False, True], [len(first.unit), len(second.unit)]),
    )
    apart = share is not None and p_value is not None and p_value < CHANCE and share >= TOLD_APART
    return Likeness(
        alike=not different and not apart,
        properties=tuple(name for _, name in sorted(different)),
        told_apart=share,
        p_value=p_value,
    )


def looks_of(image_ids: pa.Array, tables: Sequence[tuple[pa.Table, str]]) -> NDArray[np.float64]:
    """(n, features) numbers of images, from columns of tables by image; NaN where unknown.

    Args:
        image_ids: the images.
        tables: tables with a column image_id, and the column of numbers or lists of them.
    """
    parts = []
    for table, name in tables:
        at = pc.index_in(image_ids, value_set=table["image_id"].combine_chunks())
        values = table[name].combine_chunks().take(at)
        if pa.types.is_fixed_size_list(values.type):
            width = values.type.list_size
            block = np.full((len(values), width), np.nan)
            known = values.is_valid().to_numpy(zero_copy_only=False)
            block[known] = values.drop_null().flatten().to_numpy().reshape(-1, width)
        else:
            block = values.cast(pa.float64()).to_numpy(zero_copy_only=False)[:, None]
        parts.append(block)
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(image_ids), 0))


def _filled(looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers with the mean of their feature where unknown; features without any are left out."""
    known = ~np.isnan(looks)
    some = known.any(axis=0)
    looks, known = looks[:, some], known[:, some]
    means = np.where(known, looks, 0.0).sum(axis=0) / known.sum(axis=0)
    filled: NDArray[np.float64] = np.where(known, looks, means)
    return filled


def _property(name: str, first: pa.Array, second: pa.Array) -> Property | None:
    values = pa.concat_arrays([first, second])
    if len(values.drop_null().unique()) < 2:
        return None
    if pa.types.is_string(values.type):
        return of_texts(name, values)
    if values.null_count:
        return None
    return of_numbers(name, values.cast(pa.float64()).to_numpy(zero_copy_only=False))
