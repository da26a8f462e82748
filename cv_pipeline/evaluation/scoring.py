"""Scores every split of a dataset version that was predicted.

The operating point of detection is chosen on val and applied to every split, so that the numbers
on test are not fitted to test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.evaluation.classification.answers import Answers, unlike_probabilities
from cv_pipeline.evaluation.classification.scorer import ClassificationScorer
from cv_pipeline.evaluation.detection.scorer import DEFAULT_SCORE, DetectionScorer
from cv_pipeline.evaluation.inputs import classification_inputs, detection_inputs, outside_frame
from cv_pipeline.evaluation.measure import Scorer
from cv_pipeline.evaluation.metrics import CLASSIFICATION_CONVENTIONS, detection_conventions

TUNING_SPLIT = "val"


@dataclass(frozen=True, eq=False)
class ScoredSplit:
    """The results of one split.

    Attributes:
        name: train, val or test.
        image_ids: its evaluated images, in the scorer's order.
        scorer: their results.
    """

    name: str
    image_ids: pa.Array
    scorer: Scorer


@dataclass(frozen=True, eq=False)
class Scoring:
    """The results of every split.

    Attributes:
        splits: those that have images, by name.
        operating_point: score from which upwards a detection counts; None for classification.
        conventions: what the numbers mean, in words.
        notes: sentences on what is unusual about the inputs.
        answers: split to the answers of its images; none for detection.
    """

    splits: tuple[ScoredSplit, ...]
    operating_point: float | None
    conventions: dict[str, str]
    notes: tuple[str, ...]
    answers: Mapping[str, Answers] = field(default_factory=dict)


def score_detection(
    *,
    images: pa.Table,
    annotations: pa.Table,
    predictions: pa.Table,
    labels: tuple[str, ...],
    splits: tuple[str, ...],
) -> Scoring:
    """Score detections.

    Args:
        images: columns image_id, split, width, height; also those of other splits.
        annotations: schema ANNOTATIONS.
        predictions: schema PREDICTIONS.
        labels: classes.
        splits: those that were predicted.

    Raises:
        EvaluationError: the tables do not fit together.
    """
    truth, detections = detection_inputs(
        images=images, annotations=annotations, predictions=predictions, labels=labels
    )
    scorers = {
        name: DetectionScorer(
            truth.of_images(chosen),
            detections.of_images(chosen),
            images=int(chosen.sum()),
            labels=labels,
        )
        for name, chosen in _masks(images, splits).items()
    }
    notes = []
    outside = outside_frame(predictions, images)
    if outside:
        notes.append(
            f"{outside} of {len(predictions)} predicted boxes reach outside their image; they are"
            " used as they are."
        )
    tuned = scorers[TUNING_SPLIT].best_score() if TUNING_SPLIT in scorers else None
    score = DEFAULT_SCORE if tuned is None else tuned
    chosen_on = f"{score:.4f}, the best F1 on {TUNING_SPLIT}"
    if tuned is None:
        chosen_on = f"{score:g}, the default"
        notes.append(
            f"No detection on {TUNING_SPLIT} matches an object there, so the operating point is"
            f" the default score of {score:g}."
        )
    at_score = {name: scorer.at(score) for name, scorer in scorers.items()}
    return Scoring(
        splits=_scored(images, _masks(images, splits), at_score),
        operating_point=score,
        conventions=detection_conventions(chosen_on),
        notes=tuple(notes),
    )


def score_classification(
    *,
    images: pa.Table,
    annotations: pa.Table,
    predictions: pa.Table,
    labels: tuple[str, ...],
    splits: tuple[str, ...],
) -> Scoring:
    """Score one class per image; arguments and errors as for detection."""
    answers, labelled = classification_inputs(
        images=images, annotations=annotations, predictions=predictions, labels=labels
    )
    masks = _masks(images.filter(pa.array(labelled)), splits)
    of_split = {name: answers.take(chosen) for name, chosen in masks.items()}
    scorers = {name: ClassificationScorer(a, labels=labels) for name, a in of_split.items()}
    in_splits = np.isin(images["split"].to_numpy(), splits)
    unlabelled = int((in_splits & ~labelled).sum())
    notes = []
    if unlabelled:
        notes.append(f"{unlabelled} of {in_splits.sum()} images have no label and are left out.")
    unlike = unlike_probabilities(answers)
    if unlike:
        notes.append(
            f"The scores of {unlike} images do not sum to 1, so log loss, Brier score and"
            " calibration are not those of probabilities."
        )
    return Scoring(
        splits=_scored(images.filter(pa.array(labelled)), masks, scorers),
        operating_point=None,
        conventions=dict(CLASSIFICATION_CONVENTIONS),
        notes=tuple(notes),
        answers=of_split,
    )


def _masks(images: pa.Table, splits: tuple[str, ...]) -> dict[str, NDArray[np.bool_]]:
    """(images,) mask of each of the splits that has images."""
    of_image = images["split"].to_numpy()
    masks = {name: np.asarray(of_image == name, dtype=bool) for name in sorted(splits)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def _scored(
    images: pa.Table, masks: Mapping[str, NDArray[np.bool_]], scorers: Mapping[str, Scorer]
) -> tuple[ScoredSplit, ...]:
    return tuple(
        ScoredSplit(name, images["image_id"].filter(pa.array(mask)).combine_chunks(), scorers[name])
        for name, mask in masks.items()
    )
