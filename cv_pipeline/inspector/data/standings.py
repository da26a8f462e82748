"""The leaderboard of a dataset version, tested in pairs against its best in the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from cv_pipeline.inspector.data.models import ModelRow
from cv_pipeline.inspector.jobs import Job, Progress, jobs_of
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.leaderboard import leaderboard

MOST = 20


class Entry(BaseModel):
    """One model on the leaderboard; ``behind`` is what it is behind the best, of the metric."""

    place: int
    model: str
    value: float | None
    low: float | None
    high: float | None
    behind: float | None
    p_value: float | None
    significant: bool | None
    operating_point: float | None
    costs: dict[str, float]
    evaluation: str


class Standings(BaseModel):
    """The models of one dataset version, the best first."""

    dataset: str
    metric: str
    split: str
    models: int
    entries: list[Entry]
    notes: list[str]


def ask_standings(
    workspace: Workspace, project: str, dataset: str, models: Sequence[ModelRow]
) -> Job[Standings]:
    """The leaderboard of a dataset version; begun in the background when it is not known.

    Args:
        workspace: what is read.
        project: the project.
        dataset: digest of the dataset version.
        models: every model of the project, whose newest evaluations tell when it is to be made
            anew.
    """
    known = frozenset(m.evaluated.evaluation for m in models if m.evaluated)

    def work(_: Progress) -> Standings:
        found = leaderboard(
            project,
            dataset=dataset,
            count=MOST,
            instance=workspace.instance,
            store=workspace.store,
            cache=workspace.cache,
        )
        return Standings(
            dataset=found.dataset,
            metric=found.metric,
            split=found.split,
            models=found.models,
            entries=[_entry(entry) for entry in found.entries],
            notes=list(found.notes),
        )

    return jobs_of(workspace).ask(("standings", project, dataset, known), work)


def _entry(entry: Any) -> Entry:
    return Entry(
        place=entry.place,
        model=entry.model,
        value=entry.value,
        low=entry.low,
        high=entry.high,
        behind=entry.difference,
        p_value=entry.p_value,
        significant=entry.significant,
        operating_point=entry.operating_point,
        costs=dict(entry.costs),
        evaluation=entry.evaluation,
    )
