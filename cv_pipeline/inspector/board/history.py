"""The evaluations of a project over time, with those marked at which a metric fell too far.

Only what the evaluations recorded in the event log is read, so it costs the same for any lake.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cv_pipeline.monitoring.relative_drop import Drop, relative_drop
from cv_pipeline.project import Project, Task
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex

_KEY: dict[Task, tuple[str, ...]] = {
    "detection": ("AP50", "AP", "recall", "precision", "f1"),
    "classification": ("accuracy", "macro_f1", "recall", "precision", "ece"),
}
_BETTER_LOWER = {"ece"}


@dataclass(frozen=True)
class Recorded:
    """One distinct evaluation.

    Attributes:
        event: its first materialization.
        position: its place among all, from 1.
        model: digest of the model.
        dataset: digest of the dataset version.
        drops: metric to how far it fell, for those that fell too far.
    """

    event: Materialization
    position: int
    model: str
    dataset: str
    drops: Mapping[str, Drop]

    @property
    def digest(self) -> str:
        """Digest of the evaluation."""
        return self.event.version

    @property
    def at(self) -> datetime:
        """When it was made, UTC."""
        return self.event.timestamp

    def value(self, metric: str) -> float | None:
        """A metric of it; None where it has none."""
        return number(self.event.metadata.get(metric))

    def interval(self, metric: str) -> tuple[float | None, float | None]:
        """Ends of the 95 % interval of a metric; None where none is known."""
        known = self.event.metadata.get("intervals")
        ends = known.get(metric) if isinstance(known, Mapping) else None
        if not isinstance(ends, Mapping):
            return None, None
        return number(ends.get("low")), number(ends.get("high"))


def key_metrics(project: Project) -> tuple[str, ...]:
    """The metrics that a board shows, the optimizing one first."""
    return (project.metric, *(m for m in _KEY[project.task] if m != project.metric))


def validation_metric(project: Project) -> str:
    """The metric that a training measures after each epoch."""
    return "AP50" if project.task == "detection" else "accuracy"


def evaluation_history(log: LineageIndex, project: Project) -> list[Recorded]:
    """Every distinct evaluation of a project, oldest first.

    A run on unchanged data records the same evaluation again; that is no news.
    """
    events = log.first_of_each_version(f"{project.name}/eval_slices")
    metrics = [m for m in key_metrics(project) if m not in _BETTER_LOWER]
    threshold = project.monitoring.metric_drift.relative_drop
    drops = {m: _drops([number(e.metadata.get(m)) for e in events], threshold) for m in metrics}
    return [
        Recorded(
            event=event,
            position=place + 1,
            model=str(event.metadata.get("model", "")),
            dataset=str(event.metadata.get("dataset", "")),
            drops={m: found for m in metrics if (found := drops[m][place]) is not None},
        )
        for place, event in enumerate(events)
    ]


def number(value: Any) -> float | None:
    """A recorded number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _drops(values: Sequence[float | None], threshold: float) -> list[Drop | None]:
    """How far each value fell from those before it; None where not too far."""
    earlier: list[float] = []
    found: list[Drop | None] = []
    for value in values:
        found.append(None if value is None else relative_drop(value, earlier, threshold=threshold))
        if value is not None:
            earlier.append(value)
    return found
