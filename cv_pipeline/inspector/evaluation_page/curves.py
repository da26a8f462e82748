"""Curves of an evaluation as charts: precision and recall by class, and reliability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.evaluation import Evaluation
from cv_pipeline.inspector.charts import Chart, Sample, Tick, line_chart

MOST_SAMPLES = 80
MOST_LINES = 5
_UNIT = [Tick(at=n / 4, text=f"{n / 4:g}") for n in range(5)]
_WIDTH, _HEIGHT = 400.0, 260.0
_IDEAL = "as it should be"


def precision_recall(made: Evaluation, worst: Sequence[str]) -> Chart | None:
    """Precision by recall of all classes together and of the worst ones.

    Args:
        made: the evaluation.
        worst: classes, the worst first.
    """
    record = made.record
    rows = made.curves.filter(pc.field("split") == record.split)
    lines = []
    for label in (None, *worst[: MOST_LINES - 1]):
        of_label = rows.filter(
            pc.is_null(rows["label"]) if label is None else pc.equal(rows["label"], label)
        )
        samples = _samples(of_label, label or "all classes")
        if samples:
            lines.append((label or "all classes", samples))
    if not lines:
        return None
    return line_chart(
        lines,
        title="Precision and recall",
        words=f"Precision by recall on {record.split}, as the score from which predictions count"
        " falls.",
        width=_WIDTH,
        height=_HEIGHT,
        axis=_UNIT,
        across=(0.0, 1.0),
        dots=False,
    )


def reliability(made: Evaluation) -> Chart | None:
    """Share that is right by score, beside the line on which scores can be believed."""
    known = made.record.calibration
    if known is None:
        return None
    bars = [
        (b.confidence, b.accuracy, b.count)
        for b in known.as_predicted.reliability
        if b.confidence is not None and b.accuracy is not None
    ]
    if not bars:
        return None
    samples = [
        Sample(
            x=score,
            value=right,
            words=f"{count:,} with a mean score of {score:.2f}: {right:.0%} are right",
        )
        for score, right, count in bars
    ]
    ideal = [Sample(x=n, value=n, words="") for n in (0.0, 1.0)]
    return line_chart(
        [("as predicted", samples), (_IDEAL, ideal)],
        guides=(_IDEAL,),
        title="Reliability",
        words=f"Share that is right by score, of the {known.of}.",
        width=_WIDTH,
        height=_HEIGHT,
        axis=_UNIT,
        across=(0.0, 1.0),
    )


def _samples(rows: pa.Table, name: str) -> list[Sample]:
    """Points of a curve, evenly thinned."""
    if len(rows) == 0:
        return []
    take = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_SAMPLES)).astype(int))
    kept = rows.take(pa.array(take))
    return [
        Sample(
            x=r["recall"],
            value=r["precision"],
            words=f"{name}: precision {r['precision']:.2f} and recall {r['recall']:.2f} from score"
            f" {r['score']:.2f}",
        )
        for r in kept.select(["recall", "precision", "score"]).to_pylist()
    ]
