"""Whether a model's normalisation was fitted on its training images alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cv_pipeline.training.fitted_on import fitted_on
from cv_pipeline.training.model_folder import ModelCard
from cv_pipeline.training.parts import part_examples


@dataclass(frozen=True)
class NormalisationVerdict:
    """What the check says.

    Attributes:
        passed: whether the card names exactly the training images that a fit looks at.
        summary: one sentence.
        images: images that the card names.
    """

    passed: bool
    summary: str
    images: int


def check_normalisation(
    card: ModelCard, dataset: Path, *, taken_out: Sequence[str]
) -> NormalisationVerdict:
    """Compare the images that a model's card names with the training images of its dataset.

    Args:
        card: the model's card.
        dataset: folder of the dataset version that it was trained on.
        taken_out: images that were left out of the training.

    Raises:
        TrainingError: an annotation has a label that the model has not.
    """
    expected = fitted_on(
        part_examples(
            "train",
            dataset=dataset,
            task=card.task,
            labels=card.labels,
            folds=card.folds,
            taken_out=taken_out,
        )
    )
    named = card.normalised_on
    if named is None:
        return NormalisationVerdict(
            False, "The model does not say which images its normalisation was fitted on.", 0
        )
    if named != expected:
        return NormalisationVerdict(
            False,
            f"The normalisation was fitted on {named.images:,} images that are not the training"
            " images of its dataset version.",
            named.images,
        )
    where = f"folds {', '.join(map(str, card.folds.train))}" if card.folds else "the train split"
    return NormalisationVerdict(
        True,
        f"The normalisation was fitted on {named.images:,} images, all of {where}.",
        named.images,
    )
