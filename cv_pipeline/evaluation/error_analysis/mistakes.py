"""The mistakes of an evaluation, and its right answers, picked by kind, classes and split."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.detection.error_kinds import CORRECT, KINDS, MISSED

NOTHING = "none"
"""Stands for no class: what an unmatched detection means, or what a missed object was called."""


def pick_mistakes(
    matches: pa.Table,
    *,
    split: str,
    kind: str | None = None,
    truth: str | None = None,
    predicted: str | None = None,
) -> pa.Table:
    """Rows of an evaluation's matches, the most confident first; missed objects come last.

    Any kind of error is one such pick, and any cell of a classification's confusion. What a
    detection means is told by its kind: of a detection's confusion, which matches what is left
    regardless of class, :func:`cv_pipeline.evaluation.error_analysis.confused.confused` has the
    cells.

    Args:
        matches: schema MATCHES.
        split: train, val or test.
        kind: a kind; by default every kind of error, unless classes are named.
        truth: true class, or ``none``.
        predicted: predicted class, or ``none``.

    Returns:
        Schema MATCHES.

    Raises:
        EvaluationError: there is no such kind, class or split.
    """
    if kind is not None and kind not in KINDS:
        raise EvaluationError(f"{kind!r} is no kind of error.", do=nearest(kind, KINDS))
    splits = matches["split"].unique().to_pylist()
    if split not in splits:
        raise EvaluationError(f"The split {split!r} was not evaluated.", do=nearest(split, splits))
    wanted = pc.equal(matches["split"], split)
    if kind is not None:
        wanted = pc.and_(wanted, pc.equal(matches["kind"], kind))
    elif truth is None and predicted is None:
        wanted = pc.and_(wanted, pc.not_equal(matches["kind"], CORRECT))
    for column, name in (("truth", truth), ("predicted", predicted)):
        if name is not None:
            wanted = pc.and_(wanted, _is_class(matches, column, name))
    return matches.filter(wanted).sort_by(
        [("score", "descending"), ("image_id", "ascending"), ("rank", "ascending")]
    )


def hardest_images(per_image: pa.Table, *, split: str, n: int) -> pa.Table:
    """The images of a split that the model does worst on.

    Args:
        per_image: schema PER_IMAGE.
        split: train, val or test.
        n: at most this many.

    Returns:
        Schema PER_IMAGE: wrong ones only, the lowest score first, among equals those of most
        mistakes.
    """
    rows = per_image.filter(
        pc.and_(pc.equal(per_image["split"], split), pc.invert(per_image["correct"]))
    )
    wrong = pc.add(rows["false_positives"], rows["false_negatives"])
    order = [("score", "ascending"), ("wrong", "descending"), ("image_id", "ascending")]
    return rows.append_column("wrong", wrong).sort_by(order).slice(0, n).drop_columns(["wrong"])


def confident_mistakes(matches: pa.Table, *, split: str, n: int) -> pa.Table:
    """The wrong predictions of a split that the model is surest of: schema MATCHES."""
    rows = matches.filter(pc.equal(matches["split"], split))
    wrong = pc.and_(
        pc.not_equal(rows["kind"], CORRECT), pc.not_equal(rows["kind"], pa.scalar(MISSED))
    )
    rows = rows.filter(wrong)
    order = [("score", "descending"), ("image_id", "ascending"), ("rank", "ascending")]
    return rows.sort_by(order).slice(0, n)


def _is_class(matches: pa.Table, column: str, name: str) -> pa.ChunkedArray:
    if name == NOTHING:
        return pc.is_null(matches[column])
    known = matches[column].unique().drop_null().to_pylist()
    other = "predicted" if column == "truth" else "truth"
    known = sorted({*known, *matches[other].unique().drop_null().to_pylist()})
    if name not in known:
        raise EvaluationError(
            f"No object and no prediction of the evaluation is a {name!r}.",
            do=nearest(name, [*known, NOTHING]),
        )
    return pc.fill_null(pc.equal(matches[column], name), False)
