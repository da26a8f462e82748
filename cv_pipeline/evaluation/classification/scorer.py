"""Scores one predicted class per image, with scikit-learn.

Accuracy counts an image without any prediction as wrong; macro F1, recall and precision are the
means over the classes that have ground truth.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.summary import WHOLE_METRICS, Summary, summarise
from cv_pipeline.evaluation.curves import curves_table
from cv_pipeline.evaluation.measure import (
    Counts,
    Interval,
    Measure,
    WholeMetrics,
    confusion_columns,
    defined,
    ratio,
)

_OVERALL = ("accuracy", "macro_f1", "recall", "precision")


class ClassificationScorer:
    """The answers of one split.

    Args:
        answers: true and predicted class of each image.
        labels: classes, by index.
    """

    def __init__(self, answers: Answers, *, labels: tuple[str, ...]) -> None:
        self._answers = answers
        self._labels = labels

    def measure(self, images: NDArray[np.int64]) -> list[Measure]:
        """Accuracy, macro F1, mean recall and precision; recall, precision and F1 of each class.

        A class that is never predicted has no precision and is left out of its mean.

        Args:
            images: indices.
        """
        from sklearn.metrics import precision_recall_fscore_support

        truth, predicted = self._answers.truth[images], self._answers.predicted[images]
        if len(images) == 0:
            return [Measure(None, metric, None, 0, 0) for metric in _OVERALL]
        present = np.unique(truth)
        precision, recall, f1, support = precision_recall_fscore_support(
            truth, predicted, labels=present, zero_division=np.nan
        )
        right = int((truth == predicted).sum())
        predicted_at_all = precision[~np.isnan(precision)]
        whole = (
            ratio(right, len(images)),
            float(f1.mean()),
            float(recall.mean()),
            ratio(predicted_at_all.sum(), len(predicted_at_all)),
        )
        out = [
            Measure(None, metric, value, len(images), len(images))
            for metric, value in zip(_OVERALL, whole, strict=True)
        ]
        for i, k in enumerate(present):
            held = int(support[i])
            for metric, values in (("recall", recall), ("precision", precision), ("f1", f1)):
                out.append(Measure(self._labels[k], metric, defined(values[i]), held, held))
        return out

    def per_image(self) -> pa.Table:
        """The columns of schema PER_IMAGE but for image_id and split, in the images' order."""
        answers = self._answers
        names = pa.array([*self._labels, None], pa.string())
        right = answers.truth == answers.predicted
        answered = answers.predicted < len(self._labels)
        return pa.table(
            {
                "objects": np.ones(len(right), dtype=np.int64),
                "true_positives": right.astype(np.int64),
                "false_positives": (answered & ~right).astype(np.int64),
                "false_negatives": (~right).astype(np.int64),
                "correct": right,
                "score": answers.truth_score,
                "truth": names.take(pa.array(answers.truth)),
                "predicted": names.take(pa.array(answers.predicted)),
                "confidence": pa.array(answers.confidence, mask=~answered),
            }
        )

    def counts(self) -> Counts:
        """Labels, those that were predicted, and predictions, by image and class."""
        truth, predicted = self._answers.truth, self._answers.predicted
        answered = np.flatnonzero(predicted < len(self._labels))
        return Counts.of(
            objects=(np.arange(len(truth)), truth),
            predicted=(answered, predicted[answered]),
            right=(truth == predicted)[answered],
            labels=len(self._labels),
        )

    def confusion(self) -> pa.Table:
        """The columns of schema CONFUSION but for split."""
        return confusion_columns(self._answers.truth, self._answers.predicted, labels=self._labels)

    def matches(self) -> pa.Table:
        """The columns of schema MATCHES with the image's index for id and split; a row each."""
        per_image = self.per_image()
        answered = per_image["predicted"].is_valid()
        size = len(per_image)
        return pa.table(
            {
                "image": np.arange(size),
                "rank": pa.nulls(size, pa.int32()),
                "annotation_id": pa.nulls(size, pa.string()),
                "truth": per_image["truth"],
                "predicted": per_image["predicted"],
                "score": per_image["confidence"],
                "iou": pa.nulls(size, pa.float64()),
                "kind": pc.if_else(
                    per_image["correct"],
                    "correct",
                    pc.if_else(answered, "classification", "missed"),
                ),
            }
        )

    def whole(self) -> WholeMetrics:
        """What is measured over all images beside the metrics of :meth:`measure`."""
        metrics, classes = self._summary.metrics, self._summary.classes
        return WholeMetrics(
            {name: i.value for name, i in metrics.items() if name in WHOLE_METRICS},
            {k: {name: i.value for name, i in of_k.items()} for k, of_k in classes.items()},
        )

    def intervals(self) -> dict[str, Interval]:
        """Metric to its 95 % interval, over all images; those of the scores too."""
        return self._summary.metrics

    def class_intervals(self) -> dict[str, dict[str, Interval]]:
        """Likewise of each class with labels."""
        return self._summary.classes

    @cached_property
    def _summary(self) -> Summary:
        return summarise(self._answers, labels=self._labels)

    def curves(self) -> pa.Table:
        """The columns of schema CURVES but for split, by the score of the predicted class."""
        answers, size = self._answers, len(self._labels)
        answered = np.flatnonzero(answers.predicted < size)
        return curves_table(
            answers.confidence[answered],
            (answers.truth == answers.predicted)[answered],
            answers.predicted[answered],
            objects=np.bincount(answers.truth, minlength=size),
            labels=self._labels,
        )

    def error_costs(self) -> dict[str, float]:
        """Nothing: every error costs one image."""
        return {}
