"""Whether an evaluated model takes the champion's place: the decision alone, with its reason.

It does when its verdict passes and its optimizing metric is not below the champion's on the same
dataset version. Where the champion was never evaluated on that version, its number on its own is
taken, and the reason says that the two are not of the same images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cv_pipeline.evaluation.verdict.verdict import Verdict

Outcome = Literal["promoted", "refused", "kept", "unchanged"]


@dataclass(frozen=True)
class Standing:
    """The present champion.

    Attributes:
        model: digest of the model.
        dataset: digest of the dataset version that it was promoted on.
        evaluation: digest of the evaluation that it was promoted on.
    """

    model: str
    dataset: str
    evaluation: str


@dataclass(frozen=True)
class Rival:
    """The optimizing metric of the present champion.

    Attributes:
        value: the number; None where it is not known.
        dataset: digest of the dataset version that it is of.
    """

    value: float | None
    dataset: str


@dataclass(frozen=True)
class Decision:
    """What becomes of an evaluated model.

    Attributes:
        outcome: ``promoted``; ``refused`` by its verdict; ``kept``, the champion, for it is better;
            ``unchanged``, for it is the champion already.
        reason: why, in a sentence.
    """

    outcome: Outcome
    reason: str


def decide(verdict: Verdict, champion: Standing | None, rival: Rival | None) -> Decision:
    """Decide on the model that a verdict is about.

    Args:
        verdict: of the model.
        champion: the present champion, if there is one.
        rival: its number on the same dataset version, or else on its own; None without a champion.
    """
    if champion is not None and champion.model == verdict.model:
        if verdict.passed:
            return Decision("unchanged", f"It is the champion already. {verdict.summary}")
        return Decision(
            "unchanged", f"It is the champion, and would not be promoted today: {verdict.summary}"
        )
    if not verdict.passed or verdict.value is None:
        return Decision("refused", verdict.summary)
    if champion is None or rival is None:
        return Decision("promoted", f"There was no champion. {verdict.summary}")
    return _against(verdict, verdict.value, rival)


def _against(verdict: Verdict, value: float, rival: Rival) -> Decision:
    same = rival.dataset == verdict.dataset
    where = (
        f"on the same dataset version {verdict.dataset[:12]}"
        if same
        else f"on its own dataset version {rival.dataset[:12]}, not on the same images: evaluate it"
        f" on {verdict.dataset[:12]} to know"
    )
    if rival.value is None:
        return Decision(
            "promoted",
            f"{verdict.summary} The champion's {verdict.metric} is not on record, so it was not"
            " compared.",
        )
    told = f"{verdict.metric} {value:.4g} against the champion's {rival.value:.4g}, {where}"
    if value < rival.value:
        return Decision("kept", f"It is worse than the champion: {told}.")
    return Decision("promoted", f"It is not worse than the champion: {told}. {verdict.summary}")
