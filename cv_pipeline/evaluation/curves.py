"""Precision-recall curves, thinned to what can be seen, and operating points on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

RECALL_STEPS = 100
GOALS = (0.9, 0.95, 0.99)
"""Precision, or recall, that operating points are found for."""


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class, or of all, by descending score.

    Attributes:
        score: (n,) from which upwards predictions count; distinct, descending.
        recall: (n,) ascending.
        precision: (n,) as it is, not interpolated.
    """

    score: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def of(cls, score: NDArray[np.float64], right: NDArray[np.bool_], *, objects: int) -> Curve:
        """Count predictions by score; those of one score together.

        Args:
            score: (predictions,) scores.
            right: (predictions,) whether a prediction matches an object.
            objects: how many there are; without any, the curve is empty.
        """
        order = np.argsort(-score, kind="stable")
        last = np.append(np.diff(score[order]) != 0, True)[: len(order)]
        said = np.flatnonzero(last) + 1
        if objects == 0 or len(order) == 0:
            return cls(np.empty(0), np.empty(0), np.empty(0))
        found = np.cumsum(right[order])[last]
        return cls(score[order][last], found / objects, found / said)

    @property
    def f1(self) -> NDArray[np.float64]:
        """(n,) harmonic mean of precision and recall; 0 where both are."""
        total = self.precision + self.recall
        return np.where(
            total > 0, 2 * self.precision * self.recall / np.where(total > 0, total, 1), 0
        )

    def thinned(self) -> Curve:
        """Where each hundredth of recall is first reached, where F1 is highest, and both ends."""
        if len(self.score) == 0:
            return self
        steps = np.arange(RECALL_STEPS + 1) / RECALL_STEPS
        reached = np.searchsorted(self.recall, steps[steps <= self.recall[-1]])
        kept = np.unique([0, *reached, int(np.argmax(self.f1)), len(self.score) - 1])
        return Curve(self.score[kept], self.recall[kept], self.precision[kept])

    def table(self, label: str | None) -> pa.Table:
        """The columns of schema CURVES but for split."""
        return pa.table(
            {
                "label": pa.repeat(pa.scalar(label, pa.string()), len(self.score)),
                "score": self.score,
                "recall": self.recall,
                "precision": self.precision,
                "f1": self.f1,
            }
        )

    def operating_points(self) -> dict[str, dict[str, float]]:
        """Scores to choose from: the best F1, and the least or greatest that reaches a goal.

        Returns:
            ``best_f1``, and where they can be reached ``precision_0.9`` (the lowest score from
            which on, so the highest recall) and ``recall_0.9`` (the highest score, so the fewest
            predictions) and so on, to score, precision, recall and F1.
        """
        if len(self.score) == 0:
            return {}
        chosen = {"best_f1": int(np.argmax(self.f1))}
        for goal in GOALS:
            precise = np.flatnonzero(self.precision >= goal)
            if len(precise):
                chosen[f"precision_{goal:g}"] = int(precise[-1])
            complete = np.flatnonzero(self.recall >= goal)
            if len(complete):
                chosen[f"recall_{goal:g}"] = int(complete[0])
        return {
            name: {
                "score": float(self.score[n]),
                "precision": float(self.precision[n]),
                "recall": float(self.recall[n]),
                "f1": float(self.f1[n]),
            }
            for name, n in chosen.items()
        }


def curves_table(
    score: NDArray[np.float64],
    right: NDArray[np.bool_],
    label: NDArray[np.int64],
    *,
    objects: NDArray[np.int64],
    labels: tuple[str, ...],
) -> pa.Table:
    """Thinned curves of all classes together and of each.

    Args:
        score: (predictions,) scores.
        right: (predictions,) whether a prediction matches an object.
        label: (predictions,) index of its class.
        objects: (labels,) objects of each class.
        labels: classes, by index.

    Returns:
        The columns of schema CURVES but for split: all first, then the classes that have both
        objects and predictions.
    """
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(len(labels) + 1))
    made = [Curve.of(score, right, objects=int(objects.sum())).thinned().table(None)]
    for k, name in enumerate(labels):
        rows = order[bounds[k] : bounds[k + 1]]
        curve = Curve.of(score[rows], right[rows], objects=int(objects[k]))
        made.append(curve.thinned().table(name))
    return pa.concat_tables(made)
