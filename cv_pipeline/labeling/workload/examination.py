"""Why somebody is not qualified yet, in words: how far the examination on gold is, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cv_pipeline.labeling.settings.work_section import WorkRules
from cv_pipeline.labeling.workload.workforce import Worker, Workforce

_EXAM = "push gold images that a reviewer labelled to everybody, as an exam batch"


@dataclass(frozen=True)
class Examination:
    """How far somebody is who is not qualified.

    Attributes:
        images: gold images that they labelled and whose truth is not their own.
        least: how many it takes.
        gold: gold images of the project.
        skill: accuracy or F1 on gold; None for who labelled no gold.
        at: what it takes.
    """

    images: int
    least: int
    gold: int
    skill: float | None
    at: float


def examination_of(people: Workforce, rules: WorkRules, names: Sequence[str]) -> Examination | None:
    """How far one person is, by any of their pseudonyms; None for who is qualified or unknown."""
    own = [w for w in people.workers if w.name in names]
    if not own or any(w.qualified for w in own):
        return None
    best = _furthest(own)
    return Examination(
        best.gold_images, rules.gold_least, len(people.gold), best.skill, rules.qualified_at
    )


def unqualified(people: Workforce, rules: WorkRules, *, level: int) -> str:
    """Why none of those who are there may label images of a level, and what to do."""
    asked = f"it takes {rules.gold_least} gold images at {rules.qualified_at:g} or better"
    if level == 2:
        asked += f", and {rules.hard_at:g} on hard ones"
    best = _furthest(people.present)
    known = "" if best.skill is None else f" at {best.skill:.2f}"
    return (
        f"{asked}; of {len(people.gold)} gold images {best.name}, who is furthest, was examined"
        f" on {best.gold_images}{known} (nobody is on an image whose truth they said): {_EXAM}"
    )


def _furthest(workers: Sequence[Worker]) -> Worker:
    return max(workers, key=lambda w: (w.qualified, w.gold_images, w.skill or 0.0))
