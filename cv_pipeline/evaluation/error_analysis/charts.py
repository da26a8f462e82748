"""Charts of an evaluation as PNG: confusion, kinds of error, correctness by confidence.

Colours are of the Okabe-Ito palette and of ``cividis``, which colour-blind readers tell apart;
what a colour says is written beside it too. The same numbers give the same picture.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

RIGHT, WRONG, NEUTRAL = "#0072B2", "#D55E00", "#999999"
MOST_CLASSES = 20
_BINS = 10
_DPI = 110
_LONGEST_NAME = 24


def confusion_chart(confusion: pa.Table, *, split: str, labels: Sequence[str]) -> bytes:
    """True classes by predicted ones: the share of each true class, with counts in the cells.

    Of more than twenty classes those with most mistakes are shown.

    Args:
        confusion: schema CONFUSION.
        split: train, val or test.
        labels: classes, in their order.

    Returns:
        PNG.
    """
    counts = _matrix(confusion.filter(pc.equal(confusion["split"], split)), labels)
    shown = _most_confused(counts)
    names = [_short(labels[k]) for k in shown] + ["none"]
    kept = counts[np.ix_([*shown, len(labels)], [*shown, len(labels)])]
    share = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
    side = min(11.0, 2.6 + 0.55 * len(names))
    figure, axes = _figure(side + 1.2, side)
    image = axes.imshow(share, vmin=0, vmax=1, cmap="cividis")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted class (none: missed)")
    axes.set_ylabel("true class (none: nothing is there)")
    left_out = len(labels) - len(shown)
    more = f"; without the {left_out} classes of fewest mistakes" if left_out else ""
    axes.set_title(f"Confusion on {split}: counts{more}", loc="left", fontsize=11)
    size = 9 if len(names) <= 12 else 6
    for (row, column), count in np.ndenumerate(kept):
        if count:
            colour = "white" if share[row, column] < 0.55 else "black"
            axes.text(
                column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=size
            )
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("share of the true class")
    return _png(figure)


def errors_chart(errors: Mapping[str, tuple[int, float | None]], *, split: str) -> bytes:
    """Kinds of error: how many there are, and the AP50 that each costs.

    Args:
        errors: kind to its count and its cost, without the right ones; in the order to show.
        split: train, val or test.

    Returns:
        PNG.
    """
    kinds = list(errors)
    costs = [cost for _, cost in errors.values()]
    with_costs = any(cost is not None for cost in costs)
    figure, parts = _figures(
        9.5 if with_costs else 6.0, 0.9 + 0.42 * max(len(kinds), 2), with_costs
    )
    _bars(parts[0], kinds, [float(count) for count, _ in errors.values()], "{:,.0f}")
    parts[0].xaxis.set_major_locator(_whole_numbers())
    parts[0].set_xlabel(f"errors on {split}")
    if with_costs:
        _bars(parts[1], kinds, [cost or 0.0 for cost in costs], "{:.3f}")
        parts[1].set_xlabel("AP50 lost by them")
        parts[1].set_yticklabels([])
    return _png(figure)


def correctness_chart(matches: pa.Table, *, split: str) -> bytes:
    """Right and wrong predictions by how sure the model was of them.

    Args:
        matches: schema MATCHES.
        split: train, val or test.

    Returns:
        PNG.
    """
    rows = matches.filter(pc.and_(pc.equal(matches["split"], split), pc.is_valid(matches["score"])))
    score = rows["score"].to_numpy()
    right = pc.equal(rows["kind"], "correct").to_numpy()
    edges = np.linspace(0, 1, _BINS + 1)
    good = np.histogram(score[right], edges)[0]
    bad = np.histogram(score[~right], edges)[0]
    figure, axes = _figure(7.2, 3.6)
    centres, width = (edges[:-1] + edges[1:]) / 2, 0.9 / _BINS
    axes.bar(centres, good, width, color=RIGHT, label="right")
    axes.bar(centres, bad, width, bottom=good, color=WRONG, label="wrong", hatch="///", ec="white")
    for x, g, b in zip(centres, good, bad, strict=True):
        if g + b:
            axes.text(x, g + b, f"{g / (g + b):.0%}", ha="center", va="bottom", fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1, (good + bad).max()) * 1.12)
    axes.yaxis.set_major_locator(_whole_numbers())
    axes.set_xlabel("score of the prediction")
    axes.set_ylabel(f"predictions on {split}")
    axes.set_title("Right and wrong by score; above each bar the share that is right", loc="left",
                   fontsize=11)  # fmt: skip
    axes.legend(frameon=False, loc="upper left")
    return _png(figure)


def curve_chart(curves: pa.Table, *, split: str, labels: Sequence[str]) -> bytes:
    """Precision against recall, for all classes together and for the first six of them.

    Args:
        curves: schema CURVES.
        split: train, val or test.
        labels: classes, in their order.

    Returns:
        PNG.
    """
    rows = curves.filter(pc.equal(curves["split"], split))
    figure, axes = _figure(6.2, 4.6)
    for label, (colour, dash) in zip([None, *labels], _STYLES, strict=False):
        same = pc.is_null(rows["label"]) if label is None else pc.equal(rows["label"], label)
        line = rows.filter(pc.fill_null(same, False))
        if len(line):
            name = "all" if label is None else _short(label)
            axes.plot(
                line["recall"].to_numpy(),
                line["precision"].to_numpy(),
                color=colour,
                ls=dash,
                lw=2.2 if label is None else 1.4,
                label=name,
            )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_title(f"Precision and recall on {split}", loc="left", fontsize=11)
    if axes.lines:
        axes.legend(frameon=False, loc="lower left")
    axes.grid(alpha=0.25)
    return _png(figure)


def reliability_chart(bars: Sequence[tuple[float, float, int]], *, of: str, split: str) -> bytes:
    """How often what has a score is right: on the diagonal, scores can be believed.

    Args:
        bars: mean score, share that is right and number of each bin that is not empty.
        of: what is scored, in words.
        split: train, val or test.

    Returns:
        PNG.
    """
    figure, axes = _figure(6.2, 4.6)
    axes.plot([0, 1], [0, 1], color=NEUTRAL, ls="--", label="scores that can be believed")
    if bars:
        score, right, count = (np.array(values) for values in zip(*bars, strict=True))
        area = 20 + 380 * count / count.max()
        axes.scatter(score, right, s=area, color=RIGHT, alpha=0.8, edgecolor="white")
        axes.plot(score, right, color=RIGHT, lw=1, label=_short(of))
        for x, y, n in bars:
            axes.annotate(f"{n:,}", (x, y), (0, -14), textcoords="offset points", ha="center",
                          fontsize=7)  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.06, 1.06)
    axes.set_xlabel("mean score")
    axes.set_ylabel("share that is right")
    axes.set_title(f"Reliability on {split}; beside each point how many", loc="left", fontsize=11)
    axes.legend(frameon=False, loc="upper left")
    axes.grid(alpha=0.25)
    return _png(figure)


_STYLES = (
    ("#000000", "-"), ("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"),
    ("#56B4E9", "-"), ("#E69F00", "--"),
)  # fmt: skip


def _matrix(confusion: pa.Table, labels: Sequence[str]) -> NDArray[np.int64]:
    """(classes + 1, classes + 1) counts; the last row and column are no class."""
    names = pa.array(labels, pa.string())
    index = [
        pc.fill_null(pc.index_in(confusion[side], value_set=names), len(labels))
        .to_numpy()
        .astype(np.int64)
        for side in ("truth", "predicted")
    ]
    out = np.zeros((len(labels) + 1, len(labels) + 1), np.int64)
    np.add.at(out, (index[0], index[1]), confusion["count"].to_numpy())
    return out


def _most_confused(counts: NDArray[np.int64]) -> list[int]:
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    worst = np.argsort(-wrong[:-1], kind="stable")[:MOST_CLASSES]
    return sorted(worst.tolist())


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], form: str) -> None:
    places = np.arange(len(names))[::-1]
    axes.barh(places, values, color=WRONG, height=0.65)
    axes.set_yticks(places, list(names))
    top = max([*values, 0.0]) or 1.0
    axes.set_xlim(0, top * 1.2)
    for place, value in zip(places, values, strict=True):
        axes.text(value + top * 0.015, place, form.format(value), va="center", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure, parts = _figures(width, height, False)
    return figure, parts[0]


def _figures(width: float, height: float, two: bool) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    parts: Any = figure.subplots(1, 2 if two else 1, squeeze=False)
    return figure, list(parts[0])


def _whole_numbers() -> Locator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins="auto", integer=True)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()


def _short(name: str) -> str:
    # a dollar sign would begin a formula
    plain = name.replace("$", r"\$")
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[: _LONGEST_NAME - 1]}…"
