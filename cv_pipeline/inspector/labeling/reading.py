"""Batches, annotators and costs of a project as they are now, read once for all who ask."""

from __future__ import annotations

from datetime import UTC, datetime

from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.labeling.batches import (
    LabelingBatch,
    declared_batches,
    list_labeling_batches,
)
from cv_pipeline.labeling.connection import tool_url
from cv_pipeline.labeling.estimate import Estimate, estimate
from cv_pipeline.labeling.workforce import Workforce, workforce_of
from cv_pipeline.quality.label_cost import LabelCost, label_cost
from cv_pipeline.settings import expand

_TABLES = ("image_batches", "labeling_batches", "labeling_tasks", "tool_annotations")


def batches_of(workspace: Workspace, project: str) -> list[LabelingBatch]:
    """Every batch, what is urgent first; which are stuck is a minute old at most."""
    now = datetime.now(UTC)
    rules = workspace.project(project).labeling.batches
    catalog = workspace.lake(project).catalog
    key = ("labeling", *_state(workspace, project, _TABLES), f"{now:%H:%M}", rules.stuck_hours)
    found: list[LabelingBatch] = workspace.kept.get(
        key, lambda: list_labeling_batches(catalog, stuck_hours=rules.stuck_hours, now=now)
    )
    return found


def workforce_in(workspace: Workspace, project: str) -> Workforce:
    """Everybody who labels in a project."""
    catalog = workspace.lake(project).catalog
    labeling = workspace.project(project).labeling
    tables = (*_TABLES[1:], "annotations", "prelabels")
    key = ("workforce", *_state(workspace, project, tables), labeling.model_dump_json())
    found: Workforce = workspace.kept.get(
        key, lambda: workforce_of(catalog, labeling, declared_batches(catalog))
    )
    return found


def estimate_of(workspace: Workspace, project: str) -> Estimate:
    """What waits in a project, and when it will be done."""
    batches = batches_of(workspace, project)
    prices = workspace.project(project).labeling.prices
    return estimate(batches, workforce_in(workspace, project), prices=prices)


def cost_of(workspace: Workspace, project: str) -> LabelCost | None:
    """What the labels of a project cost; None where there are none."""
    labeling = workspace.project(project).labeling
    people = workforce_in(workspace, project)
    key = ("label cost", project, id(people), labeling.model_dump_json())
    found: LabelCost | None = workspace.kept.get(
        key,
        lambda: label_cost(people.labels, prices=labeling.prices, annotators=labeling.annotators),
    )
    return found


def tool_link(workspace: Workspace, project: str, tool_project: int | None) -> str:
    """Address of a batch in the annotation tool, for a browser; empty where there is none."""
    declared = workspace.project(project)
    url = tool_url(declared)
    if url is None or tool_project is None:
        return ""
    if declared.labeling.public_url:
        url = expand(declared.labeling.public_url).strip()
    return f"{url.rstrip('/')}/projects/{tool_project}/data"


def _state(workspace: Workspace, project: str, tables: tuple[str, ...]) -> tuple[str, ...]:
    """What tells the present state of some tables from any other."""
    catalog = workspace.lake(project).catalog
    return (project, *("-".join(map(str, catalog.table(name).identity())) for name in tables))
