"""``cvp label-cost``: what labels cost, from real lead times and declared prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json

if TYPE_CHECKING:
    from cv_pipeline.quality.label_cost import Against, GroupCost, LabelCost

_MOST_ROWS = 12


def label_cost(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    as_json: Json = False,
) -> None:
    """Show what a label costs: over time, with pre-labels and without, by sampling algorithm."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.project import find_project
    from cv_pipeline.quality.cost_report import project_cost
    from cv_pipeline.settings import projects_dir, store_url
    from cv_pipeline.storage import open_store

    declared = find_project(project, projects_dir())
    cost = project_cost(Catalog(open_store(store_url()), project), declared.labeling)
    if as_json:
        print_json(None if cost is None else _as_json(cost))
        return
    if cost is None:
        console.print(
            f"No label was made yet. Pull them with: cvp pull {project}, or import an export with:"
            f" cvp run {project} --select annotation_exports"
        )
        return
    every = cost.every
    console.print(
        f"{every.labels:,} labels in {every.hours:,.1f} hours: {_figure(cost, every)} per label"
        + (f", {every.cost:,.2f} {cost.currency} in all" if every.cost is not None else "")
    )
    if not cost.currency:
        console.print("  Declare labeling.prices in project.yaml to see it in money.", style="dim")
    for role in cost.unpriced:
        console.print(f"  [yellow]labeling.prices.per_hour has no {role}[/]: their hours cost 0")
    console.print(f"  lead times: {escape(cost.times.words)}", style="dim")
    by = "in the order of time" if cost.ordered_by == "time" else "by image, as no times are known"
    _groups(cost, f"labels, {by}", _evenly(cost.points))
    _groups(cost, "week", cost.weeks[-_MOST_ROWS:])
    _groups(cost, "batch", cost.batches[:_MOST_ROWS])
    if len(cost.roles) > 1:
        _groups(cost, "role", cost.roles)
    _groups(cost, "annotator", cost.annotators[:_MOST_ROWS])
    if cost.prelabels is not None:
        without, told = cost.prelabels
        _compared(cost, "pre-labels", without, (told,))
    if cost.control is not None:
        _compared(cost, "sampling", cost.control, cost.arms)


def _figure(cost: LabelCost, group: GroupCost) -> str:
    value, low, high = group.value(money=bool(cost.currency))
    digits = 4 if cost.currency else 1
    return f"{value:.{digits}f} {cost.unit} ({low:.{digits}f}–{high:.{digits}f})"


def _groups(cost: LabelCost, name: str, groups: Sequence[GroupCost]) -> None:
    if not groups:
        return
    table = Table(name, "labels", "hours", "per label (95 %)", box=None)
    for group in groups:
        row = (escape(group.name), f"{group.labels:,}", f"{group.hours:,.1f}")
        table.add_row(*row, _figure(cost, group))
    console.print(table)


def _compared(cost: LabelCost, name: str, other: GroupCost, groups: Sequence[Against]) -> None:
    table = Table(name, "labels", "per label (95 %)", "against the other", box=None)
    table.add_row(escape(other.name), f"{other.labels:,}", _figure(cost, other), "")
    for one in groups:
        told = f"{one.words} (ratio {one.low:.2f}–{one.high:.2f})"
        figure = _figure(cost, one.group)
        table.add_row(escape(one.group.name), f"{one.group.labels:,}", figure, told)
    console.print(table)


def _evenly(groups: Sequence[GroupCost]) -> Sequence[GroupCost]:
    """As many groups as can be read, evenly spread, the first and the last among them."""
    if len(groups) <= _MOST_ROWS:
        return groups
    last = len(groups) - 1
    return [groups[round(n * last / (_MOST_ROWS - 1))] for n in range(_MOST_ROWS)]


def _as_json(cost: LabelCost) -> dict[str, object]:
    from cv_pipeline.quality.cost_report import cost_table

    told: dict[str, object] = {
        "currency": cost.currency or None,
        "labels": cost.every.labels,
        "ordered_by": cost.ordered_by,
        "step": cost.step,
        "lead_times": {
            "bound": cost.times.bound,
            "declared": cost.times.declared,
            "capped": int(cost.times.capped.sum()),
            "missing": cost.times.missing,
            "hours_cut": cost.times.cut / 3600,
        },
        "unpriced_roles": list(cost.unpriced),
        "groups": cost_table(cost).to_pylist(),
    }
    against = [] if cost.prelabels is None else [cost.prelabels[1]]
    told["compared"] = [
        {"group": one.group.name, "ratio": one.ratio, "low": one.low, "high": one.high}
        for one in (*against, *cost.arms)
    ]
    return told
