"""How a project stands: what its board tells, gathered once for the board and the first page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cv_pipeline.catalog.datalake.image_batches import ImageBatch, list_batches
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.board.alerts import Alert, Watched, alerts
from cv_pipeline.inspector.board.checks import failed_checks
from cv_pipeline.inspector.board.history import Recorded, evaluation_history, validation_metric
from cv_pipeline.inspector.board.runs import RunLine, runs_of
from cv_pipeline.inspector.board.training import read_training
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.monitoring.epoch_drop import EpochDrop
from cv_pipeline.project import Project
from cv_pipeline.provenance.event_log import Materialization

_FAILED_LATELY = 3


@dataclass(frozen=True)
class Standing:
    """What is known of a project now.

    Attributes:
        settings: the project.
        history: its evaluations, oldest first.
        model: its newest model; None without one.
        champion: the newest decision on the champion; None without one.
        epochs: of the newest model's training.
        drops: those of them at which the validation metric fell too far.
        images: images that are there.
        labelled: those of them with labels.
        runs: its newest runs, newest first.
        alerts: everything to look into, the worst first.
        missing: what could not be read, in words.
    """

    settings: Project
    history: Sequence[Recorded]
    model: Materialization | None
    champion: Materialization | None
    epochs: list[dict[str, Any]]
    drops: list[EpochDrop]
    images: int
    labelled: int
    runs: list[RunLine]
    alerts: list[Alert]
    missing: list[str] = field(default_factory=list)


def standing(workspace: Workspace, project: str) -> Standing:
    """How a project stands now.

    Raises:
        ProjectError: there is none of this name, or its file is wrong.
    """
    settings = workspace.project(project)
    missing: list[str] = []
    with workspace.log() as log:
        history = evaluation_history(log, settings)
        model = log.latest(f"{project}/trained_model")
        champion = log.latest(f"{project}/champion")
        candidate = log.latest(f"{project}/dataset_candidate")
        version = log.latest(f"{project}/dataset_version")
    epochs, drops = read_training(workspace, settings, model, missing)
    images, labelled, batches = _lake(workspace, project, missing)
    runs = runs_of(workspace.instance, project)
    found = alerts(
        Watched(
            project=project,
            history=history,
            model=model,
            epoch_metric=validation_metric(settings),
            epoch_drops=drops,
            champion=champion,
            candidate=candidate,
            failed_checks=failed_checks(workspace.instance, candidate) if candidate else (),
            version=version,
            batches=batches,
            unlabelled=images - labelled,
            failed_runs=[r for r in runs[:_FAILED_LATELY] if r.status == "FAILURE"],
        )
    )
    return Standing(
        settings, history, model, champion, epochs, drops, images, labelled, runs, found, missing
    )


def _lake(
    workspace: Workspace, project: str, missing: list[str]
) -> tuple[int, int, list[ImageBatch]]:
    """Images that are there, those of them with labels, and what was set aside."""
    try:
        snapshot = workspace.snapshot(project)
        there = ~snapshot.images["taken_out"].to_numpy()
        annotated = snapshot.images["annotations_count"].to_numpy() > 0
        batches = list_batches(workspace.lake(project).catalog, snapshot)
    except (CVPipelineError, OSError) as error:
        missing.append(f"The datalake cannot be read: {error}")
        return 0, 0, []
    return int(there.sum()), int(np.count_nonzero(there & annotated)), batches
