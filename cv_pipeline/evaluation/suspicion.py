"""Results that are too good to be true, each with the checks that tell whether they are.

None of this proves a mistake; each is what a leak or a giveaway looks like from the outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.evaluation.measure import Counts
from cv_pipeline.evaluation.slicing.facts import Fact
from cv_pipeline.evaluation.slicing.ratios import Sums
from cv_pipeline.evaluation.slicing.statistics import compare

NEAR_PERFECT = 0.99
"""Value of the optimizing metric from which it is suspicious."""
SURE = 0.01
"""Probability of chance below which a test split counts as easier than training."""
GAIN = 0.3
"""Share of the errors of always giving the commoner answer that a property must avoid."""
FEWEST = 30
"""Images below which nothing is suspected."""
LEAKS = ("leakage", "group_leakage", "time_leakage", "giveaway", "split_drift")
GIVEAWAYS = ("giveaway", "representation")


class CheckSaid(BaseModel):
    """What a check said of the dataset version.

    Attributes:
        check: its name.
        passed: whether it found nothing; None where it was not made.
        summary: its sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    passed: bool | None
    summary: str


class Suspicion(BaseModel):
    """One thing that is too good to be true.

    Attributes:
        kind: near_perfect, better_than_train or property.
        sentence: what it is, with the numbers.
        checks: the checks that follow from it, with what they said; those that failed first.
        do: the command to run next, and what to do then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["near_perfect", "better_than_train", "property"]
    sentence: str
    checks: tuple[CheckSaid, ...]
    do: str


def near_perfect(
    *, metric: str, value: float | None, split: str, images: int, verdicts: Sequence[Verdict]
) -> list[Suspicion]:
    """Whether the optimizing metric is almost 1."""
    if value is None or value < NEAR_PERFECT or images < FEWEST:
        return []
    sentence = (
        f"{metric} is {value:.4f} on {images:,} images of {split}: few real problems are solved so"
        " well, and a leak looks like this."
    )
    return [_suspicion("near_perfect", sentence, LEAKS, verdicts)]


def better_than_train(
    sums: Mapping[str, Sums], *, split: str, what: str, verdicts: Sequence[Verdict]
) -> list[Suspicion]:
    """Whether the model does better on a held-out split than on its own training images.

    Args:
        sums: split to its sums of what is right and of all.
        split: the held-out split.
        what: what is right, in words.
        verdicts: what the checks said of the dataset version.
    """
    if split == "train" or "train" not in sums or split not in sums:
        return []
    compared = compare(sums[split], sums["train"])
    if sums[split].images < FEWEST or not (compared.difference > 0 and compared.p_value < SURE):
        return []
    sentence = (
        f"{what} is {float(compared.value):.3f} on {split} and {float(compared.rest):.3f} on the"
        f" training images themselves (p = {float(compared.p_value):.1g}): what was never seen"
        " should not be easier."
    )
    return [_suspicion("better_than_train", sentence, LEAKS, verdicts)]


def property_alone(
    counts: Counts,
    facts: Sequence[Fact],
    *,
    images: int,
    labels: tuple[str, ...],
    verdicts: Sequence[Verdict],
) -> list[Suspicion]:
    """Whether one property alone says which images show a class, as well as the model does.

    The property's answer is the commoner one among all other images of its value. It is suspicious
    when it is right at least as often as the model and avoids 30 % or more of the errors of always
    giving the commoner answer.

    Args:
        counts: of the split.
        facts: what is known of its images.
        images: how many there are.
        labels: classes.
        verdicts: what the checks said of the dataset version.
    """
    if images < FEWEST:
        return []
    worst: tuple[float, str] | None = None
    for label, name in enumerate(labels):
        rows = counts.label == label
        shown, said = np.zeros(images, dtype=bool), np.zeros(images, dtype=bool)
        shown[counts.image[rows & (counts.objects > 0)]] = True
        said[counts.image[rows & (counts.predicted > 0)]] = True
        chance = max(shown.mean(), 1 - shown.mean())
        model = float((shown == said).mean())
        for fact in facts:
            alone = _accuracy(fact, shown)
            gain = (alone - chance) / (1 - chance) if chance < 1 else 0.0
            if alone >= model and gain >= GAIN and (worst is None or gain > worst[0]):
                said_so = (
                    f"{fact.name} alone says on {alone:.1%} of the images whether they show"
                    f" {name}, the model on {model:.1%}, always the commoner answer on"
                    f" {chance:.1%}: the model may look at no more than that."
                )
                worst = (gain, said_so)
    return [] if worst is None else [_suspicion("property", worst[1], GIVEAWAYS, verdicts)]


def _accuracy(fact: Fact, shown: NDArray[np.bool_]) -> float:
    """Share of images that all others of their value guess right."""
    size = len(fact.values) + 1
    every = np.bincount(fact.codes, minlength=size)[fact.codes] - 1
    positive = np.bincount(fact.codes, weights=shown, minlength=size)[fact.codes] - shown
    return float(((2 * positive > every) == shown).mean())


def _suspicion(
    kind: Literal["near_perfect", "better_than_train", "property"],
    sentence: str,
    checks: Sequence[str],
    verdicts: Sequence[Verdict],
) -> Suspicion:
    known = {v.check: v for v in verdicts}
    said = [
        CheckSaid(check=name, passed=known[name].passed, summary=known[name].summary)
        if name in known
        else CheckSaid(check=name, passed=None, summary="was not made on this version")
        for name in checks
    ]
    said.sort(key=lambda c: {False: 0, None: 1, True: 2}[c.passed])
    return Suspicion(
        kind=kind,
        sentence=sentence,
        checks=tuple(said),
        do=f"Run: cvp checks PROJECT {said[0].check}. Then divide anew with another"
        " dataset.split.seed and train again: a result that is true stays.",
    )
