"""The metrics of two models side by side, for all classes and for each, on the shared images.

What adds up over images is compared analytically; means over classes and average precision by a
paired bootstrap, in which both models are measured on the same resampled images.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.tallies import Tallies
from cv_pipeline.evaluation.comparison.paired import (
    Difference,
    Ratio,
    ratio_difference,
    sampled_difference,
)
from cv_pipeline.evaluation.comparison.sides import (
    Shared,
    Side,
    all_labels,
    answer_codes,
    answer_counts,
    boxes_of,
    object_counts,
)
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.coco import IOU_50, IOU_75, MAX_DETECTIONS, CocoEvaluation
from cv_pipeline.evaluation.detection.scorer import DEFAULT_SCORE, DetectionScorer
from cv_pipeline.evaluation.measure import Counts
from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.evaluation.slicing.ratios import Terms, ratio_terms

RESAMPLING = Resampling()
AP_RESAMPLES = 200
"""Resamples for average precision, which is costly."""

CLASS_METRICS = ("recall", "precision", "f1")
CLASS_MEANS = ("macro_f1", "balanced_accuracy", "precision")


@dataclass(frozen=True, eq=False)
class Paired:
    """Two models' counts on the same images.

    Attributes:
        labels: classes; None where the counts are of all classes as one.
        images: number of images.
        before: of the first model.
        after: of the second.
    """

    labels: tuple[str, ...] | None
    images: int
    before: Counts
    after: Counts
    _known: dict[str, tuple[Terms, Terms]] = field(default_factory=dict, init=False, repr=False)

    def sums(self, metric: str, label: int | None = None) -> tuple[Ratio, Ratio]:
        """The sums of accuracy, recall, precision or f1 of a class, or of all."""
        before, after = self._terms(metric)
        images = self.images
        return (
            Ratio(*before.by_image(label, images=images)),
            Ratio(*after.by_image(label, images=images)),
        )

    def _terms(self, metric: str) -> tuple[Terms, Terms]:
        """The terms of a metric, of all classes: made once."""
        if metric not in self._known:
            classes = len(self.labels) if self.labels is not None else 1
            self._known[metric] = (
                ratio_terms(self.before, metric, images=self.images, labels=classes),
                ratio_terms(self.after, metric, images=self.images, labels=classes),
            )
        return self._known[metric]

    def holding(self, label: int) -> NDArray[np.bool_]:
        """(images,) mask of those that hold a class in the labels of either."""
        out = np.zeros(self.images, dtype=bool)
        for counts in (self.before, self.after):
            out[counts.image[(counts.label == label) & (counts.objects > 0)]] = True
        return out


@dataclass(frozen=True, eq=False)
class Found:
    """All differences.

    Attributes:
        overall: metric to its difference, over all classes.
        classes: class to the same.
        paired: the counts behind them.
    """

    overall: dict[str, Difference]
    classes: dict[str, dict[str, Difference]]
    paired: Paired


def differences(
    before: Side, after: Side, shared: Shared, *, resampling: Resampling = RESAMPLING
) -> Found:
    """Compare two models on the images that they share.

    Args:
        before: the first model.
        after: the second.
        shared: the images.
        resampling: of the images.
    """
    labels = all_labels(before.evaluation, after.evaluation)
    if before.evaluation.record.task == "classification":
        return _classification(shared, labels, resampling)
    return _detection(before, after, shared, labels, resampling)


def _classification(shared: Shared, labels: tuple[str, ...], resampling: Resampling) -> Found:
    paired = Paired(
        labels,
        shared.images,
        answer_counts(shared.before, labels),
        answer_counts(shared.after, labels),
    )
    overall = {
        "accuracy": ratio_difference(*(_accuracy(rows) for rows in (shared.before, shared.after))),
        **_class_means(shared, labels, resampling),
    }
    return Found(overall, _by_class(paired), paired)


def _accuracy(rows: pa.Table) -> Ratio:
    return Ratio(rows["correct"].to_numpy().astype(np.float64), np.ones(len(rows)))


def _class_means(
    shared: Shared, labels: tuple[str, ...], resampling: Resampling
) -> dict[str, Difference]:
    """Means over classes, from resampled counts of what the two models say together."""
    size = len(labels)
    side = size + 1
    answers = [answer_codes(rows, labels) for rows in (shared.before, shared.after)]
    codes = ((answers[0][0] * side + answers[0][1]) * side + answers[1][0]) * side + answers[1][1]
    cells, count = np.unique(codes, return_counts=True)
    blocks = list(resampling.cells(count))
    values, samples = [], []
    for place, (truth, predicted) in enumerate(answers):
        values.append(Tallies.of(_bare(truth, predicted), labels=size).overall())
        code = cells // side ** (2 * (1 - place))
        true, said = code // side % side, code % side
        made = [Tallies.of_cells(true, said, drawn, labels=size).overall() for drawn in blocks]
        samples.append({m: np.concatenate([block[m] for block in made]) for m in CLASS_MEANS})
    return {
        metric: sampled_difference(
            float(values[0][metric][0]),
            float(values[1][metric][0]),
            samples_before=samples[0][metric],
            samples_after=samples[1][metric],
        )
        for metric in CLASS_MEANS
        if not any(np.isnan(v[metric][0]) for v in values)
    }


def _bare(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> Answers:
    unknown = np.full(len(truth), np.nan)
    return Answers(truth, predicted, unknown, unknown)


def _detection(
    before: Side, after: Side, shared: Shared, labels: tuple[str, ...], resampling: Resampling
) -> Found:
    boxes = [boxes_of(side, shared.image_ids, labels) for side in (before, after)]
    if boxes[0] is None or boxes[1] is None:
        paired = Paired(
            None, shared.images, object_counts(shared.before), object_counts(shared.after)
        )
        return Found(_all_classes(paired), {}, paired)
    counts = [
        _scored(pair, side, labels, shared.images).counts()
        for pair, side in zip((boxes[0], boxes[1]), (before, after), strict=True)
    ]
    paired = Paired(labels, shared.images, *counts)
    overall, classes = _precisions(boxes[0], boxes[1], labels, shared.images, resampling)
    of_class = _by_class(paired)
    return Found(
        overall | _all_classes(paired),
        {label: classes.get(label, {}) | of_class[label] for label in of_class},
        paired,
    )


def _scored(
    boxes: tuple[Boxes, Detections], side: Side, labels: tuple[str, ...], images: int
) -> DetectionScorer:
    score = side.evaluation.record.operating_point
    return DetectionScorer(
        *boxes,
        images=images,
        labels=labels,
        score=DEFAULT_SCORE if score is None else score,
    )


def _precisions(
    before: tuple[Boxes, Detections],
    after: tuple[Boxes, Detections],
    labels: tuple[str, ...],
    images: int,
    resampling: Resampling,
) -> tuple[dict[str, Difference], dict[str, dict[str, Difference]]]:
    """AP, AP50 and AP75: over all classes, and AP and AP50 of each."""
    rankings = [
        CocoEvaluation(
            truth, detections.strongest(MAX_DETECTIONS), images=images, labels=len(labels)
        ).ranking()
        for truth, detections in (before, after)
    ]
    fewer = replace(resampling, resamples=min(resampling.resamples, AP_RESAMPLES))
    whole = [_families(r.average_precision()) for r in rankings]
    samples = [
        [_families(r.average_precision(weights.astype(np.int64))) for r in rankings]
        for block in fewer.weights(images)
        for weights in block
    ]
    drawn = [np.stack([s[place] for s in samples]) for place in (0, 1)]  # (samples, 3, labels)

    def difference(
        values: list[NDArray[np.float64]], sampled: list[NDArray[np.float64]]
    ) -> Difference:
        return sampled_difference(
            float(values[0]), float(values[1]), samples_before=sampled[0], samples_after=sampled[1]
        )

    overall: dict[str, Difference] = {}
    classes: dict[str, dict[str, Difference]] = {}
    for row, metric in enumerate(("AP", "AP50", "AP75")):
        means = [_mean_of_known(w[row]) for w in whole]
        if not np.isnan(means).any():
            overall[metric] = difference(means, [_mean_of_known(d[:, row]) for d in drawn])
        for k in np.flatnonzero(~np.isnan(whole[0][row]) & ~np.isnan(whole[1][row])).tolist():
            classes.setdefault(labels[k], {})[metric] = difference(
                [w[row, k] for w in whole], [d[:, row, k] for d in drawn]
            )
    return overall, classes


def _families(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, labels) AP, AP50 and AP75 of (labels, 10) average precisions."""
    return np.stack([precision.mean(axis=1), precision[:, IOU_50], precision[:, IOU_75]])


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what is not NaN; NaN without any."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _all_classes(paired: Paired) -> dict[str, Difference]:
    return {metric: ratio_difference(*paired.sums(metric)) for metric in CLASS_METRICS}


def _by_class(paired: Paired) -> dict[str, dict[str, Difference]]:
    return {
        label: {metric: ratio_difference(*paired.sums(metric, k)) for metric in CLASS_METRICS}
        for k, label in enumerate(paired.labels or ())
        if paired.holding(k).any()
    }
