"""Metrics of every declared slice of a split, each with its interval, and beside the rest.

A slice is the images that share a value of one metadata key, or that a declared query selects. The
slices of one key, with those on which it is not set, make up the split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.slices import SLICES
from cv_pipeline.evaluation.measure import LEVEL, Measure, Scorer
from cv_pipeline.evaluation.slicing.facts import CHOSEN, Declared, metadata_columns
from cv_pipeline.evaluation.slicing.ratios import Terms, ratio_terms
from cv_pipeline.evaluation.slicing.statistics import (
    Comparison,
    compare,
    corrected,
    ratio_interval,
)

WHOLE = ""
CONVENTIONS = {
    "slices": "recall, precision, F1 and accuracy of a slice are ratios of sums over its images,"
    " with a 95 % interval (Wilson's, of the objects divided by the design effect) and a test"
    " against all other images of the split, corrected after Benjamini and Hochberg; AP and means"
    " over classes have their value alone",
    "worst_slices": "every value and pair of values of all that is known of the images, by recall,"
    " on the headline split; corrected for all that was looked at; ranked by shortfall × √objects",
}
"""What the numbers of slices mean."""
HEADLINE_ORDER = ("test", "val", "train")
_RATIOS = ("recall", "precision", "f1")
_STATISTICS = ("low", "high", "rest", "difference", "p_value", "adjusted_p")


def evaluate_slices(
    scorer: Scorer,
    *,
    split: str,
    image_ids: pa.Array,
    metadata: pa.Table,
    keys: Sequence[str],
    min_slice: int,
    labels: tuple[str, ...],
    declared: Mapping[str, Declared] | None = None,
) -> pa.Table:
    """Measure the whole split and each slice, for all classes and for each.

    What is a ratio of sums over images (recall, precision, F1 and accuracy, but no mean over
    classes) has an interval, and is compared with the images outside of the slice; see
    :func:`compare`. Probabilities are corrected for all comparisons of the split.

    Args:
        scorer: the results of the split.
        split: its name.
        image_ids: its images, in the scorer's order.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        keys: metadata keys; one that is set on none of the images gives no slices.
        min_slice: images below which a slice is small: it is measured, and not compared.
        labels: classes.
        declared: name to the images that a query selects.

    Returns:
        Schema SLICES, by class (all first), key (whole first), value and metric; no value for a
        metric that is not defined.
    """
    place = {label: n for n, label in enumerate(labels)} | {None: len(labels)}
    counts = scorer.counts()
    everything = np.arange(len(image_ids))
    measured = scorer.measure(everything)
    with_ratios = _ratios(measured)
    terms = {
        metric: ratio_terms(counts, metric, images=len(image_ids), labels=len(labels))
        for metric in sorted({metric for _, metric in with_ratios})
    }
    rows = []
    for m in measured:
        row = _row(m, WHOLE, WHOLE, split, min_slice)
        if (m.label is None, m.metric) in with_ratios:
            ends = ratio_interval(terms[m.metric].whole()[place[m.label]])
            row |= _defined({"low": ends[1], "high": ends[2]})
        rows.append(row)
    for part in _parts(image_ids, metadata, keys, declared or {}):
        compared = {metric: _compared(t, part) for metric, t in terms.items()}
        for code, value in enumerate(part.values):
            images = np.flatnonzero(part.codes == code)
            for m in scorer.measure(images):
                row = _row(m, part.key, value, split, min_slice)
                if (m.label is None, m.metric) in with_ratios:
                    of_slice = compared[m.metric][code, place[m.label]]
                    row |= _defined({name: getattr(of_slice, name) for name in _STATISTICS[:-1]})
                    if row["small"]:
                        row["p_value"] = None
                rows.append(row)
    p_values = np.array([np.nan if r["p_value"] is None else r["p_value"] for r in rows])
    for row, p in zip(rows, corrected(p_values).tolist(), strict=True):
        row |= {"adjusted_p": None if np.isnan(p) else p, "significant": bool(p <= LEVEL)}
    rows.sort(key=_reading_order)
    return pa.Table.from_pylist(rows, schema=SLICES)


def headline_split(slices: pa.Table) -> str | None:
    """The split whose metrics stand for the model: test, else val, else train.

    The first of them that has ground truth; None when none has.
    """
    whole = slices.filter(
        pc.and_(pc.equal(slices["slice_key"], WHOLE), pc.greater(slices["objects"], 0))
    )
    present = whole["split"].unique().to_pylist()
    return next((split for split in HEADLINE_ORDER if split in present), None)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Slices that have no image in common.

    Attributes:
        key: metadata key, or name of a query.
        codes: (images,) which slice an image is in; the number of slices for none.
        values: what each slice is called.
    """

    key: str
    codes: NDArray[np.int64]
    values: list[str | None]


def _parts(
    image_ids: pa.Array, metadata: pa.Table, keys: Sequence[str], declared: Mapping[str, Declared]
) -> list[_Parts]:
    found = []
    for key, column in metadata_columns(image_ids, metadata, keys).items():
        values = column.dictionary_encode()
        if values.null_count == len(values):
            continue
        names = sorted(values.dictionary.to_pylist())
        codes = pc.index_in(values.cast(pa.string()), value_set=pa.array(names, pa.string()))
        parts: list[str | None] = [*names, None] if values.null_count else [*names]
        found.append(_Parts(key, codes.fill_null(len(names)).to_numpy().astype(np.int64), parts))
    for name, query in declared.items():
        inside = pc.is_in(image_ids, value_set=query.image_ids)
        chosen = inside.to_numpy(zero_copy_only=False)
        if chosen.any():
            found.append(_Parts(name, np.where(chosen, 0, 1), [CHOSEN]))
    return found


def _ratios(measured: Sequence[Measure]) -> set[tuple[bool, str]]:
    """Of all classes or not, and metric: those that are ratios of sums over images."""
    overall = {m.metric for m in measured if m.label is None}
    # where there is an accuracy, recall and precision of all classes are means over classes
    whole = {"accuracy"} if "accuracy" in overall else overall & {*_RATIOS}
    of_class = {m.metric for m in measured if m.label is not None} & {*_RATIOS}
    return {(True, metric) for metric in whole} | {(False, metric) for metric in of_class}


def _compared(terms: Terms, part: _Parts) -> Comparison:
    """(slices, classes + 1) each slice beside all images outside of it."""
    sums = terms.sums(terms.of_rows(part.codes), len(part.values) + 1)[: len(part.values)]
    return compare(sums, terms.whole() - sums)


def _row(
    measure: Measure, key: str, value: str | None, split: str, min_slice: int
) -> dict[str, Any]:
    return {
        "slice_key": key,
        "slice_value": value,
        "split": split,
        "label": measure.label,
        "metric": measure.metric,
        "value": measure.value,
        "images": measure.images,
        "objects": measure.objects,
        "small": measure.images < min_slice,
        **dict.fromkeys(_STATISTICS),
    }


def _defined(numbers: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers, with None for NaN."""
    return {name: None if np.isnan(n) else float(n) for name, n in numbers.items()}


def _reading_order(row: dict[str, Any]) -> tuple[bool | str, ...]:
    label, value = row["label"], row["slice_value"]
    return (
        label is not None,
        label or "",
        row["slice_key"],
        value is not None,
        value or "",
        row["metric"],
    )
