"""What a project has come to: what was ingested, what the checks found, how good the model is.

Read from the event log and the newest evaluation's folder; for people in a hurry, and for the end
of the demo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dagster import DagsterInstance

from cv_pipeline.datasets.checks import CHECKS
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.evaluation import load_evaluation
from cv_pipeline.project import Project
from cv_pipeline.provenance import EventLog, Materialization, verdicts_on
from cv_pipeline.settings import cv_home
from cv_pipeline.storage import ObjectStore, fetch

WORST = 5


@dataclass(frozen=True)
class Summary:
    """The newest state of a project.

    Attributes:
        project: its name.
        stages: newest materialization of each asset, by asset name, in pipeline order.
        verdicts: what each check said of the newest candidate.
        slices: the optimizing metric on the whole and on each slice, as rows.
        worst: the worst slices that were found, as rows of schema WORST_SLICES.
        metric: name of the optimizing metric.
    """

    project: str
    stages: dict[str, Materialization]
    verdicts: Sequence[Verdict]
    slices: Sequence[dict[str, Any]]
    worst: Sequence[dict[str, Any]]
    metric: str

    def to_json(self) -> dict[str, Any]:
        """The summary as plain values."""
        return {
            "project": self.project,
            "metric": self.metric,
            "stages": {
                name: {"version": e.version, "storage_id": e.storage_id, "run_id": e.run_id}
                for name, e in self.stages.items()
            },
            "verdicts": [asdict(v) for v in self.verdicts],
            "slices": list(self.slices),
            "worst_slices": list(self.worst),
        }


def summarise(project: Project, *, instance: DagsterInstance, store: ObjectStore) -> Summary:
    """Summarise the newest materializations of a project.

    Raises:
        ProvenanceError: nothing of the project was ever materialized.
    """
    log = EventLog(instance)
    newest = {k.split("/")[-1]: log.latest(k) for k in log.asset_keys(project.name)}
    stages = {
        name: event
        for name, event in sorted(newest.items(), key=lambda x: x[1].storage_id if x[1] else 0)
        if event is not None
    }
    if not stages:
        raise ProvenanceError(
            f"Nothing of {project.name} was materialized yet.", do=f"Run: cvp run {project.name}"
        )
    candidate = stages.get("dataset_candidate")
    verdicts = verdicts_on(instance, candidate, list(CHECKS)) if candidate else []
    slices: list[dict[str, Any]] = []
    worst: list[dict[str, Any]] = []
    evaluation = stages.get("eval_slices")
    if evaluation is not None:
        key = f"projects/{project.name}/evaluations/{evaluation.version}"
        folder = fetch(store, key, marker="evaluation.json", cache=cv_home() / "cache")
        made = load_evaluation(folder)
        split, metric = made.record.split, made.record.metric
        slices = [
            row
            for row in made.slices.to_pylist()
            if row["split"] == split and row["label"] is None and row["metric"] == metric
        ]
        worst = made.worst_slices.slice(0, WORST).to_pylist()
    return Summary(
        project=project.name,
        stages=stages,
        verdicts=verdicts,
        slices=slices,
        worst=worst,
        metric=project.metric,
    )
