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
from cv_pipeline.evaluation.slicing.facts import Column

SHIFT = 0.1
"""Population stability index from which a property counts as different: a moderate shift."""
TOLD_APART = 0.55
"""Share of images from which a classifier counts as telling the splits apart."""
_IMAGES = 2000
_FOLDS = 4


@dataclass(frozen=True, eq=False)
class Images:
    """n images of one split.

    Attributes:
        columns: name to what is known of them under it.
        looks: (n, features) numbers that a classifier sees; no feature is NaN.
        unit: (n,) images that belong together have the same.
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
        told_apart: share of images whose split a classifier gives right, cross-validated; 0.5 is
            chance. None where there are too few images to try.
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
    - Classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests",
      ICLR 2017): logistic regression on equally many images of both splits, cross-validated; under
      one distribution its accuracy is normal about 1/2 with variance 1/(4 n). Images that belong
      together share a fold, and n counts them once. It tells the splits apart when p < 0.01 and it
      is right on 55 % or more.
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
    share, p_value = _told_apart(first, second)
    apart = share is not None and p_value is not None and p_value < CHANCE and share >= TOLD_APART
    return Likeness(
        alike=not different and not apart,
        properties=tuple(name for _, name in sorted(different)),
        told_apart=share,
        p_value=p_value,
    )


def looks_of(image_ids: pa.Array, tables: Sequence[tuple[pa.Table, str]]) -> NDArray[np.float64]:
    """(n, features) numbers of images, from columns of tables by image; the mean where unknown.

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
    every = np.concatenate(parts, axis=1) if parts else np.zeros((len(image_ids), 0))
    sums = np.nansum(every, axis=0) / np.maximum((~np.isnan(every)).sum(axis=0), 1)
    filled: NDArray[np.float64] = np.where(np.isnan(every), sums, every)
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


def _told_apart(first: Images, second: Images) -> tuple[float | None, float | None]:
    from scipy.stats import norm
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    size = min(len(first.unit), len(second.unit), _IMAGES)
    features = first.looks.shape[1]
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(len(s.unit))[:size] for s in (first, second)]
    units = np.concatenate([s.unit[d] for s, d in zip((first, second), drawn, strict=True)])
    number = len(np.unique(units))
    if features == 0 or number < 2 * _FOLDS or size < 10 * _FOLDS:
        return None, None
    looks = np.concatenate([s.looks[d] for s, d in zip((first, second), drawn, strict=True)])
    split = np.repeat([0, 1], size)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    parts = list(folds.split(looks, split, units))
    if any(len(np.unique(split[learned])) < 2 for learned, _ in parts):
        return None, None  # images that belong together make up most of a split
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    said = cross_val_predict(model, looks, split, cv=parts)
    share = float((said == split).mean())
    return share, float(norm.sf((share - 0.5) * 2 * np.sqrt(number)))
