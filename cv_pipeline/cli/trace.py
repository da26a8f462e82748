"""``cvp trace``: from anything to what it was made from, and to what was made from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
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


FEW = 3
"""Versions of one asset side by side that are shown one by one; more become one line."""


def trace(
    kind: Annotated[str, typer.Argument(help="model, dataset, image or metric.")],
    ref: Annotated[
        str,
        typer.Argument(
            help="project@version, a digest or prefix, a path, or project/metric@evaluation."
        ),
    ],
    project: Annotated[str | None, typer.Option(help="Look in this project only.")] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every version, however many are alike.")
    ] = False,
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
    few = None if show_all else FEW
    for title, traces in (("made from", found.up), ("used by", found.down)):
        tree = Tree(f"[bold]{title}[/bold]" + ("" if traces else " (nothing)"))
        _Grower(up=title == "made from", few=few).grow(tree, traces)
        console.print(tree)


class _Grower:
    """Adds traces to a tree: what was shown before is named, and many alike become one line.

    Args:
        up: whether to go up, or down.
        few: how many alike are still shown one by one; None for any number.
    """

    def __init__(self, *, up: bool, few: int | None) -> None:
        self._up = up
        self._few = few
        self._shown: set[tuple[str, int | None]] = set()

    def grow(self, tree: Tree, branches: Iterable[Trace]) -> None:
        """Add traces that lie side by side, with all that comes after them."""
        for _, alike in itertools.groupby(branches, key=_likeness):
            group = list(alike)
            if self._few is None or len(group) <= self._few:
                for branch in group:
                    self._grow_one(tree, branch)
                continue
            child = tree.add(_line_of_many([branch.node for branch in group]))
            beyond = {_identity(b): b for branch in group for b in self._beyond(branch)}
            # what comes of many is sorted anew, so that it becomes one line again
            self.grow(child, sorted(beyond.values(), key=lambda b: (b.node.kind, b.node.key)))

    def _grow_one(self, tree: Tree, branch: Trace) -> None:
        identity = _identity(branch)
        if identity in self._shown:
            tree.add(f"{_name(branch.node)}  [dim](above)[/]")
            return
        self._shown.add(identity)
        self.grow(tree.add(_line(branch.node)), self._beyond(branch))

    def _beyond(self, branch: Trace) -> Sequence[Trace]:
        return branch.up if self._up else branch.down


def _identity(branch: Trace) -> tuple[str, int | None]:
    return branch.node.key, branch.node.storage_id


def _likeness(branch: Trace) -> tuple[str, ...]:
    """Versions of one asset are alike; those that hold an image, when they say the same of it."""
    node = branch.node
    of_image = _facts({k: node.metadata[k] for k in ("split", "labels") if k in node.metadata})
    return node.kind, node.key, of_image if "labels" in node.metadata else ""


def _name(node: Node) -> str:
    version = node.version if node.kind in ("image", "metric") else node.version[:16]
    return f"[bold cyan]{node.kind}[/] {escape(node.key)} [yellow]{version}[/]"


def _line(node: Node) -> str:
    parts = [_name(node)]
    if node.storage_id is not None:
        parts.append(f"[dim]event {node.storage_id}, run {(node.run_id or '')[:8]}[/]")
    if node.timestamp:
        parts.append(f"[dim]{node.timestamp[:19]}Z[/]")
    facts = _facts(node.metadata)
    return "  ".join(parts) + (f"\n  {facts}" if facts else "")


def _line_of_many(nodes: Sequence[Node]) -> str:
    """One line for versions of one asset: how many, from when to when, and what they range over."""
    first, last = nodes[0], nodes[-1]
    times = sorted(node.timestamp[:10] for node in nodes if node.timestamp)
    line = (
        f"[bold cyan]{first.kind}[/] {first.key} [bold]× {len(nodes)}[/]"
        f" [yellow]{first.version[:12]} … {last.version[:12]}[/]"
    )
    if times:
        line += f"  [dim]{' to '.join(dict.fromkeys((times[0], times[-1])))}[/]"
    facts = [fact for name in SHOWN if (fact := _range(name, nodes))]
    if "labels" in first.metadata:  # the same for all of them
        facts.append(_facts({"labels": first.metadata["labels"]}))
    if "lost" in first.metadata:
        facts.append(_facts({"lost": first.metadata["lost"]}))
    marked = sum(isinstance(node.metadata.get("taken_out"), list) for node in nodes)
    if marked:
        facts.append(f"[red]trained on images that were taken out: {marked}[/]")
    return line + (f"\n  {', '.join(facts)}" if facts else "")


def _range(name: str, nodes: Sequence[Node]) -> str:
    """A fact over several versions: its value, or from which to which; empty if it says little."""
    values = [node.metadata.get(name) for node in nodes]
    shown = name.removeprefix("dagster/")
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        low, high = min(numbers), max(numbers)
        return f"{shown} {_short(low)}" + ("" if low == high else f" to {_short(high)}")
    return (
        f"{shown} {values[0]}" if values[0] is not None and len(set(map(str, values))) == 1 else ""
    )


def _facts(metadata: Mapping[str, Any]) -> str:
    shown = [f"{k.removeprefix('dagster/')} {_short(metadata[k])}" for k in SHOWN if k in metadata]
    labels = metadata.get("labels")
    if isinstance(labels, list):
        counts: dict[str, int] = {}
        for row in labels:
            counts[row["label"]] = counts.get(row["label"], 0) + 1
        shown.append("labels " + ", ".join(f"{n} {escape(k)}" for k, n in sorted(counts.items())))
    if "lost" in metadata:
        shown.append(f"[yellow]{metadata['lost']}[/]")
    if "taken_out" in metadata:
        shown.append(_taken_out(metadata["taken_out"]))
    return ", ".join(shown)


def _taken_out(value: Any) -> str:
    """Of an image: when and why; of a model: which it was trained on, or how many it left out."""
    if isinstance(value, Mapping):
        who, why = escape(value["actor"]), escape(value["reason"])
        return f"[red]taken out on {value['at'][:10]} by {who}: {why}[/]"
    if isinstance(value, list):
        shown = ", ".join(image_id[:12] for image_id in value[:FEW])
        more = f" and {len(value) - FEW} more" if len(value) > FEW else ""
        return f"[red]trained on images that were taken out: {shown}{more}[/]"
    return f"left out {value} images that were taken out"


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else escape(str(value))
