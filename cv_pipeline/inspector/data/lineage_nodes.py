"""How each thing of a lineage is shown: what it is called, and where its page is."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import BaseModel

from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.data.lineage_graph import GraphBox
from cv_pipeline.inspector.rendering import SHORT
from cv_pipeline.provenance.takeout_marks import MARK
from cv_pipeline.provenance.trace import KINDS, Node, Trace

MOST_ITEMS = 400
"""Entries of the list beside the drawing at most."""

SLUGS = {kind.replace(" ", "-"): asset for asset, kind in KINDS.items()}
"""What stands in an address for each kind, to its asset."""


class Item(BaseModel):
    """An entry of the list beside the drawing, with what is above or below it.

    What is ``repeated`` was listed before, and what is above or below it there.
    """

    kind: str
    title: str
    note: str
    href: str
    lineage: str
    dagster: str
    items: list[Item]
    repeated: bool


def box_of(project: str, node: Node, *, own: bool) -> GraphBox:
    """The box of a node, without a place."""
    return GraphBox(
        id="",
        kind=node.kind.replace(" ", "-"),
        title=_title(node),
        note=_note(node),
        href=_href(project, node),
        dagster=_dagster(node),
        count=1,
        own=own,
        lost="lost" in node.metadata or MARK in node.metadata,
    )


def items_of(project: str, traces: list[Trace], *, up: bool) -> tuple[list[Item], bool]:
    """The list of what is above or below, and whether all of it is there.

    Args:
        project: the project.
        traces: one step up or down.
        up: which of both.
    """
    left = [MOST_ITEMS]
    seen: set[tuple[str, str]] = set()

    def items(steps: list[Trace]) -> list[Item]:
        made = []
        for step in steps:
            if left[0] <= 0:
                break
            left[0] -= 1
            node = step.node
            further = list(step.up if up else step.down)
            known = (node.key, node.version) in seen and bool(further)
            seen.add((node.key, node.version))
            made.append(
                Item(
                    kind=node.kind,
                    title=_title(node),
                    note=_note(node),
                    href=_href(project, node),
                    lineage=_lineage(project, node),
                    dagster=_dagster(node),
                    items=[] if known else items(further),
                    repeated=known,
                )
            )
        return made

    found = items(traces)
    return found, left[0] > 0


def _title(node: Node) -> str:
    if node.kind == "image":
        return node.key.rpartition("/")[2] or node.version[:SHORT]
    if node.kind == "metric":
        return node.key.partition("/")[2]
    return node.kind


def _note(node: Node) -> str:
    """A few words on a node."""
    told = node.metadata
    if "lost" in told:
        return "its record is gone"
    if MARK in told and node.kind == "image":
        return "taken out"
    if node.kind == "metric":
        return _number(told.get("value")) or node.version
    metric = told.get("metric")
    if node.kind == "evaluation" and isinstance(metric, str) and metric in told:
        return f"{metric} {_number(told[metric])}"
    if node.kind == "model":
        value = next((v for k, v in told.items() if k.startswith("val_")), None)
        return f"validation {_number(value)}" if _number(value) else _when(node)
    if node.kind == "champion":
        return str(told.get("outcome", ""))
    count = told.get("dagster/row_count")
    if isinstance(count, int):
        noun = {"predictions": "predictions", "annotations": "labels"}.get(node.kind, "images")
        return f"{count:,} {noun}"
    return _when(node)


def _href(project: str, node: Node) -> str:
    """Our page of a node; empty where it has none."""
    told = node.metadata
    match node.kind:
        case "dataset":
            return links.page(project, "datasets", node.version)
        case "candidate" if node.storage_id is not None and "lost" not in told:
            return links.page(project, "datasets", "candidates", str(node.storage_id))
        case "model":
            return links.page(project, "models", node.version)
        case "evaluation":
            return links.page(project, "evaluations", node.version)
        case "error analysis" | "metric" if told.get("evaluation"):
            return links.page(project, "evaluations", str(told["evaluation"]))
        case "predictions" | "champion" if told.get("model") or told.get("candidate"):
            model = str(told.get("model") or told.get("candidate"))
            return links.page(project, "models", model)
        case "image":
            return links.image(project, node.version)
        case "images":
            return links.grid(project, "all images")
    return ""


def _lineage(project: str, node: Node) -> str:
    slug = node.kind.replace(" ", "-")
    if slug in SLUGS or slug == "image":
        return links.page(project, "lineage", slug, node.version)
    return ""


def _dagster(node: Node) -> str:
    """Path of a node in Dagster's pages; empty where it has none."""
    if node.run_id:
        return f"/runs/{quote(node.run_id, safe='')}"
    if node.kind in ("image", "metric"):
        return ""
    return "/assets/" + "/".join(quote(part, safe="") for part in node.key.split("/"))


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _when(node: Node) -> str:
    return node.timestamp[:16].replace("T", " ") if node.timestamp else ""


def facts_of(node: Node) -> Mapping[str, str]:
    """What is known of the node itself, in words."""
    known = {
        "What": node.kind,
        "Asset": node.key,
        "Version": node.version,
        "Made": _when(node),
        "Run": node.run_id or "",
        "Event": str(node.storage_id) if node.storage_id is not None else "",
    }
    return {name: text for name, text in known.items() if text}
