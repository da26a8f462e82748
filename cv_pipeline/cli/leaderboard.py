"""``cvp leaderboard``: the models of a dataset version, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.provenance.leaderboard import Entry, Leaderboard


def leaderboard(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Digest or prefix of a dataset version, or latest. [default: that of"
            " the newest evaluation]"
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to sort by. [default: the optimizing metric]")
    ] = None,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="How many models to show and to test.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Rank the models that were evaluated on a dataset version, tested against the best."""
    dagster_home()
    from cv_pipeline.provenance.leaderboard import leaderboard as rank

    found = rank(project, dataset=dataset, metric=metric, count=count)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _show(found: Leaderboard) -> None:
    console.print(
        f"[bold]{found.project}[/] by {found.metric} on {found.split}, dataset"
        f" [yellow]{found.dataset[:12]}[/]: {len(found.entries)} of {found.models} models\n"
    )
    names = ("", "model", found.metric, "95 %", "to the best", "p", "from score", "p95 ms",
             "MB", "trained s", "evaluated", "run")  # fmt: skip
    # a narrow terminal breaks digests and intervals and hides no part of them
    table = Table(*(Column(name, overflow="fold") for name in names), box=None)
    for entry in found.entries:
        table.add_row(*_cells(entry))
    console.print(table)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def _cells(entry: Entry) -> list[str]:
    interval, p_value, difference = "–", "–", "–"
    if entry.low is not None and entry.high is not None:
        interval = f"{entry.low:.4f} to {entry.high:.4f}"
    if entry.difference is not None:
        difference = f"{entry.difference:+.4f}"
    if entry.p_value is not None:
        p_value = "< 0.001" if entry.p_value < 0.001 else f"{entry.p_value:.2g}"
        if not entry.significant:
            p_value += " (may be chance)"
    size = entry.costs.get("model_bytes")
    return [
        str(entry.place),
        f"[yellow]{entry.model[:12]}[/]",
        _number(entry.value, ".4f"),
        interval,
        difference,
        p_value,
        _number(entry.operating_point, ".3f"),
        _number(entry.costs.get("latency_p95_ms"), ".1f"),
        _number(None if size is None else size / 1e6, ".1f"),
        _number(entry.costs.get("training_seconds"), ",.0f"),
        f"{entry.evaluated:%Y-%m-%d %H:%M}",
        entry.run[:8],
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
