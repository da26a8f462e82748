"""What a run made, and the new numbers beside the old ones, with what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from cv_pipeline.correction import read_corrective
from cv_pipeline.correction.judgement import read_judgement
from cv_pipeline.correction.record import CorrectiveRecord
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.board.alerts import evaluation_address, images_address
from cv_pipeline.inspector.board.history import evaluation_history
from cv_pipeline.inspector.evaluation_page.headline import Before, previous
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.corrective_runs import CORRECTIVE_TAG
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.storage import ObjectStore

_LEVEL = 0.05
_PAGES = {
    "dataset_version": "datasets",
    "trained_model": "models",
    "eval_slices": "evaluations",
}


class Made(BaseModel):
    """A version of an asset that the run made."""

    asset: str
    version: str
    href: str


class Declared(BaseModel):
    """What a corrective run was declared to do."""

    record: str
    query: str
    images: int
    weight: int
    label: str | None
    changes: dict[str, str]
    reason: str
    actor: str
    parent: str
    href: str


class Next(BaseModel):
    """What to do next; the first is the one to do."""

    text: str
    href: str


class Outcome(BaseModel):
    """What came of a run."""

    evaluation: str
    metric: str
    value: float | None
    before: Before | None
    judgement: dict[str, Any] | None
    decision: str
    promoted: bool


def made_in(workspace: Workspace, project: str, run_id: str, assets: Sequence[str]) -> list[Made]:
    """The versions that a run made, in the order of the assets."""
    found = []
    with workspace.log() as log:
        for asset in assets:
            event = _in_run(log.newest_first(f"{project}/{asset}"), run_id)
            if event is not None:
                page = _PAGES.get(asset)
                found.append(
                    Made(
                        asset=asset,
                        version=event.version,
                        href=f"/p/{project}/{page}/{event.version}" if page else "",
                    )
                )
    return found


def declared(workspace: Workspace, project: str, tags: dict[str, str]) -> Declared | None:
    """What a corrective run was declared to do; None for other runs."""
    prefix = tags.get(CORRECTIVE_TAG)
    if not prefix:
        return None
    try:
        record = _record(workspace.store, project, prefix)
    except CVPipelineError:
        return None
    if record is None:
        return None
    chosen = record.selection
    return Declared(
        record=record.digest,
        query=chosen.query if chosen else "",
        images=chosen.images if chosen else 0,
        weight=chosen.weight if chosen else 1,
        label=record.label,
        changes={f"training.{k}": f"{c.before} → {c.after}" for k, c in record.changes.items()},
        reason=record.reason,
        actor=record.actor,
        parent=record.parent,
        href=images_address(project, chosen.query, label=record.label) if chosen else "",
    )


def outcome(workspace: Workspace, project: str, run_id: str) -> Outcome | None:
    """The evaluation that a run made, beside the one before it; None where it made none."""
    settings = workspace.project(project)
    with workspace.log() as log:
        event = _in_run(log.newest_first(f"{project}/eval_slices"), run_id)
        if event is None:
            return None
        history = evaluation_history(log, settings)
        champion = _in_run(log.newest_first(f"{project}/champion"), run_id)
        model = next(
            (
                e
                for e in log.newest_first(f"{project}/trained_model")
                if e.version == event.metadata.get("model")
            ),
            None,
        )
    place = next((n for n, r in enumerate(history) if r.digest == event.version), None)
    value = event.metadata.get(settings.metric)
    return Outcome(
        evaluation=event.version,
        metric=settings.metric,
        value=float(value) if isinstance(value, int | float) else None,
        before=previous(history[place - 1], history[place]) if place else None,
        judgement=_judgement(workspace, project, model),
        decision=str(champion.metadata.get("reason", "")) if champion else "",
        promoted=champion is not None and champion.metadata.get("outcome") == "promoted",
    )


def next_actions(project: str, found: Outcome | None, about: Declared | None) -> list[Next]:
    """What to do now that a run has ended."""
    if found is None:
        return []
    evaluation = Next(
        text="Open the new evaluation", href=evaluation_address(project, found.evaluation)
    )
    part = (found.judgement or {}).get("selection")
    if about is None or part is None:
        return [evaluation]
    significant = part["p_value"] <= _LEVEL
    better = significant and part["after"]["value"] > part["before"]["value"]
    if better and found.promoted:
        return [Next(text="It is better and promoted. See what is worst now", href=evaluation.href)]
    if better:
        return [
            Next(text="It is better on the selection. See what is worst now", href=evaluation.href)
        ]
    worse = significant and part["after"]["value"] < part["before"]["value"]
    told = "It is worse" if worse else "No significant change"
    return [
        Next(
            text=f"{told} on the selection. Look at its images again",
            href=images_address(
                project, about.query, evaluation=found.evaluation, label=about.label
            ),
        ),
        evaluation,
    ]


def _judgement(
    workspace: Workspace, project: str, model: Materialization | None
) -> dict[str, Any] | None:
    digest = model.metadata.get("corrective") if model else None
    if model is None or not digest:
        return None
    try:
        return read_judgement(workspace.store, project, corrective=str(digest), model=model.version)
    except CVPipelineError:
        return None


def _record(store: ObjectStore, project: str, prefix: str) -> CorrectiveRecord | None:
    """The record that a run's tag names by the first digits of its digest."""
    folder = f"projects/{project}/correctives/"
    for info in store.list(folder + prefix):
        name = info.key.removeprefix(folder).removesuffix(".json")
        if "." not in name and name.startswith(prefix):
            return read_corrective(store, project, name)
    return None


def _in_run(events: Any, run_id: str) -> Materialization | None:
    return next((e for e in events if e.run_id == run_id), None)
