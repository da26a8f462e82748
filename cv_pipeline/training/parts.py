"""The images that a training trains or validates on: splits of its dataset version, or folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cv_pipeline.project import Task
from cv_pipeline.training.examples import Examples, read_examples
from cv_pipeline.training.spec import FoldParts


def part_examples(
    part: Literal["train", "val"],
    *,
    dataset: Path,
    task: Task,
    labels: Sequence[str],
    folds: FoldParts | None,
    taken_out: Sequence[str],
) -> Examples:
    """The labelled images that are trained on (``train``) or validated on (``val``).

    Args:
        part: which of the two.
        dataset: folder of the dataset version.
        task: decides which annotations are targets.
        labels: class names in training order.
        folds: folds to train and validate on; None for the splits train and val.
        taken_out: images to leave out.

    Raises:
        TrainingError: an annotation has a label that is not among ``labels``.
    """
    wanted = {"train": folds.train, "val": (folds.validation,)}[part] if folds else None
    examples = read_examples(
        dataset,
        splits=[part] if folds is None else ["train", "val"],
        folds=wanted,
        task=task,
        labels=labels,
    )
    return examples.without(taken_out).labelled()
