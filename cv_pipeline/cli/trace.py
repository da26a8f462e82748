"""``cvp trace``: from anything to what it was made from, and to what was made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.tree import Tree

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.provenance import Node, Trace

SHOWN = (
    "value", "AP50", "AP", "accuracy", "macro_f1", "dagster/row_count", "images", "objects",
    "images_train", "images_val", "images_test", "quarantined", "annotators", "epochs", "seed",
    "mlflow_run_id", "split",
)  # fmt: skip


def trace(
    kind: Annotated[str, typer.Argument(help="model, dataset, image or metric.")],
    ref: Annotated[
        str,
        typer.Argument(
            help="project@version, a digest or prefix, a path, or project/metric@evaluation."
        ),
    ],
    project: Annotated[str | None, typer.Option(help="Look in this project only.")] = None,
    as_json: Json = False,
) -> None:
    """Show the lineage of a model, dataset, image or metric, both ways, with exact versions."""
    dagster_home()
    from cv_pipeline.provenance import trace as trace_reference

    found = trace_reference(kind, ref, project=project)
    if as_json:
        print_json(found.to_json())
        return
    console.print(_line(found.node))
    for title, traces in (("made from", found.up), ("used by", found.down)):
        tree = Tree(f"[bold]{title}[/bold]" + ("" if traces else " (nothing)"))
        shown: set[tuple[str, int | None]] = set()
        for branch in traces:
            _grow(tree, branch, up=title == "made from", shown=shown)
        console.print(tree)


def _grow(tree: Tree, branch: Trace, *, up: bool, shown: set[tuple[str, int | None]]) -> None:
    """Add a branch; what was shown before is named and not grown again."""
    identity = (branch.node.key, branch.node.storage_id)
    if identity in shown:
        tree.add(f"{_name(branch.node)}  [dim](above)[/]")
        return
    shown.add(identity)
    child = tree.add(_line(branch.node))
    for next_branch in branch.up if up else branch.down:
        _grow(child, next_branch, up=up, shown=shown)


def _name(node: Node) -> str:
    version = node.version if node.kind in ("image", "metric") else node.version[:16]
    return f"[bold cyan]{node.kind}[/] {node.key} [yellow]{version}[/]"


def _line(node: Node) -> str:
    parts = [_name(node)]
    if node.storage_id is not None:
        parts.append(f"[dim]event {node.storage_id}, run {(node.run_id or '')[:8]}[/]")
    if node.timestamp:
        parts.append(f"[dim]{node.timestamp[:19]}Z[/]")
    facts = _facts(node.metadata)
    return "  ".join(parts) + (f"\n  {facts}" if facts else "")


def _facts(metadata: Mapping[str, Any]) -> str:
    shown = [f"{k.removeprefix('dagster/')} {_short(metadata[k])}" for k in SHOWN if k in metadata]
    labels = metadata.get("labels")
    if isinstance(labels, list):
        counts: dict[str, int] = {}
        for row in labels:
            counts[row["label"]] = counts.get(row["label"], 0) + 1
        shown.append("labels " + ", ".join(f"{n} {k}" for k, n in sorted(counts.items())))
    return ", ".join(shown)


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
