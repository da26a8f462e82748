"""Which folds of a cross-validation are trained on, and which is validated on."""

from __future__ import annotations

from dataclasses import dataclass

from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split


@dataclass(frozen=True)
class Folds:
    """The parts of one training.

    Attributes:
        train: folds that are trained on.
        validation: the fold that is validated on.
    """

    train: tuple[int, ...]
    validation: int


def folds_of(rule: Split, fold: int) -> Folds:
    """The parts of the training that validates on one fold.

    All other folds are trained on; with strategy ``time`` only those before it, fold 0 among them.

    Args:
        rule: the split rule of a dataset version.
        fold: the fold to validate on, from 1.

    Raises:
        DatasetError: the rule has no folds, or not that one.
    """
    if rule.folds is None:
        raise DatasetError(
            f"Fold {fold} cannot be validated on: the dataset version has no folds.",
            do="Set dataset.split.folds in project.yaml and make a dataset version.",
        )
    if not 1 <= fold <= rule.folds:
        raise DatasetError(
            f"There is no fold {fold}: the dataset version has {rule.folds}.",
            do=f"Name a fold from 1 to {rule.folds}.",
        )
    by_time = rule.strategy == "time"
    others = range(fold) if by_time else (k for k in range(1, rule.folds + 1) if k != fold)
    return Folds(tuple(others), fold)
