"""The tables of a report, as texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.evaluation.evaluation import Evaluation
from cv_pipeline.evaluation.gap.gap import Gap
from cv_pipeline.evaluation.report.page import Grid
from cv_pipeline.evaluation.slicing.slices import WHOLE

MOST_SLICES = 40
_IN_WORDS = {
    "classification": "right place, wrong class",
    "localisation": "right class, badly placed",
    "both": "wrong class, badly placed",
    "duplicate": "an object found again",
    "background": "nothing is there",
    "missed": "an object not found",
}


def slice_grid(made: Evaluation) -> Grid:
    """Declared slices, all classes together: a ratio that can be tested, and the metric itself."""
    record = made.record
    rows = made.slices.filter(
        (pc.field("split") == record.split)
        & pc.field("label").is_null()
        & (pc.field("slice_key") != WHOLE)
    ).to_pylist()
    tested = "recall" if record.task == "detection" else "accuracy"
    metric = {(r["slice_key"], r["slice_value"]): r for r in rows if r["metric"] == record.metric}
    out = []
    for row in rows:
        if row["metric"] == tested:
            other = metric.get((row["slice_key"], row["slice_value"]))
            out.append(
                [
                    slice_name(row),
                    _number(row["value"]),
                    _ends(row),
                    _number(row["rest"]),
                    _difference(row),
                    _number(other["value"] if other else None),
                    f"{row['images']:,}",
                    f"{row['objects']:,}",
                ]
            )
    heads = ["slice", tested, "95 %", "elsewhere", "difference", record.metric, "images", "objects"]
    return Grid(heads, out[:MOST_SLICES])


def class_grid(made: Evaluation) -> Grid:
    """Every class on the whole split."""
    record = made.record
    rows = made.slices.filter(
        (pc.field("split") == record.split)
        & (pc.field("slice_key") == WHOLE)
        & pc.field("label").is_valid()
    ).to_pylist()
    wanted = ["AP50", "recall", "precision"]
    if record.task == "classification":
        wanted = ["recall", "precision", "f1"]
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["label"], {})[row["metric"]] = row
    out = []
    for label, metrics in found.items():
        cells = [label]
        for name in wanted:
            row = metrics.get(name)
            ends = f" ({_ends(row)})" if row and row["low"] is not None else ""
            cells.append(_number(row["value"] if row else None) + ends)
        any_row = next(iter(metrics.values()))
        out.append([*cells, f"{any_row['objects']:,}", f"{any_row['images']:,}"])
    return Grid(["class", *wanted, "objects", "images"], out)


def error_grid(errors: Mapping[str, tuple[int, float | None]]) -> Grid:
    """Kinds of error with what they mean, how many there are and what they cost."""
    rows = [
        [kind, _IN_WORDS[kind], f"{count:,}", "–" if cost is None else f"{cost:.3f}"]
        for kind, (count, cost) in errors.items()
    ]
    return Grid(["kind", "what it is", "errors", "AP50 lost"], rows, numbers=2)


def gap_grid(gap: Gap) -> Grid:
    """The error of every split."""
    rows = [
        [e.split, f"{e.error:.3f}", f"{e.low:.3f} to {e.high:.3f}", f"{e.images:,}"]
        for e in gap.errors
    ]
    return Grid(["split", "error", "95 %", "images"], rows)


def activation_grid(slices: pa.Table | None) -> Grid:
    """Activation shares, all classes first; of slices only all classes together."""
    heads = ["images", "class", "inside the boxes", "their area", "maps"]
    if slices is None:
        return Grid(heads, [], numbers=2)
    rows = [
        [
            slice_name(row) if row["slice_key"] else "all",
            row["label"] or "all",
            f"{row['share']:.0%}",
            f"{row['area']:.0%}",
            f"{row['maps']:,}",
        ]
        for row in slices.to_pylist()
        if row["label"] is None or row["slice_key"] == WHOLE
    ]
    return Grid(heads, rows, numbers=2)


def slice_name(row: Mapping[str, Any]) -> str:
    """A slice as people say it."""
    if row["slice_value"] is None:
        return f"{row['slice_key']} not set"
    return f"{row['slice_key']} = {row['slice_value']}"


def _difference(row: Mapping[str, Any]) -> str:
    if row["small"]:
        return "too few images to tell"
    if row["difference"] is None:
        return "–"
    told = f"{row['difference']:+.3f}"
    if row["adjusted_p"] is not None:
        told += f", p = {row['adjusted_p']:.2g}" if row["adjusted_p"] >= 1e-4 else ", p < 0.0001"
    return told + (" ✱" if row["significant"] else "")


def _ends(row: Mapping[str, Any]) -> str:
    return "–" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
