"""Lineage both ways, read from Dagster's event log and the dataset manifests alone.

Up follows the exact event that each materialization names as its input. Down scans the children's
events from the first event of the version, and keeps those that read that version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cv_pipeline.provenance.event_log import EventLog, Materialization

KINDS = {
    "raw_images": "images",
    "image_features": "features",
    "annotation_exports": "annotations",
    "dataset_candidate": "candidate",
    "dataset_version": "dataset",
    "trained_model": "model",
    "predictions": "predictions",
    "eval_slices": "evaluation",
}


@dataclass(frozen=True)
class Node:
    """One thing in the lineage.

    Attributes:
        kind: what it is: images, dataset, model, evaluation, image, metric, …
        key: asset key, path of an image, or name of a metric.
        version: content hash; for a metric, its value as text.
        storage_id: event in Dagster's log; None for an image or a metric, which have none.
        run_id: run that made it, or None.
        timestamp: ISO 8601, UTC, or None.
        metadata: plain values.
    """

    kind: str
    key: str
    version: str
    storage_id: int | None = None
    run_id: str | None = None
    timestamp: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The node as plain values."""
        return {
            "kind": self.kind,
            "key": self.key,
            "version": self.version,
            "storage_id": self.storage_id,
            "run_id": self.run_id,
            "timestamp": self.timestamp,
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True)
class Trace:
    """A node with what it was made from (up) and what was made from it (down)."""

    node: Node
    up: Sequence[Trace] = ()
    down: Sequence[Trace] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"node": …, "up": […], "down": […]}``, recursively."""
        return {
            "node": self.node.to_json(),
            "up": [t.to_json() for t in self.up],
            "down": [t.to_json() for t in self.down],
        }


def node_of(event: Materialization) -> Node:
    """The node of a materialization."""
    return Node(
        kind=KINDS.get(event.asset, event.asset),
        key=event.key,
        version=event.version,
        storage_id=event.storage_id,
        run_id=event.run_id,
        timestamp=event.timestamp.isoformat(),
        metadata={k: v for k, v in event.metadata.items() if _is_plain(v)},
    )


def trace_event(log: EventLog, event: Materialization) -> Trace:
    """A materialization with everything above and below it."""
    return Trace(node_of(event), up=trace_up(log, event), down=trace_down(log, event))


def trace_up(log: EventLog, event: Materialization) -> list[Trace]:
    """What a materialization was made from, recursively, by event pointer.

    A parent whose event is no longer in the log is a node without metadata: its key, version and
    storage id are still known.
    """
    found = []
    for parent in event.inputs:
        made = log.event(parent.key, parent.storage_id)
        if made is None:
            asset = parent.key.split("/")[-1]
            lost = {"lost": "this event is no longer in the event log"}
            kind = KINDS.get(asset, asset)
            node = Node(kind, parent.key, parent.version, parent.storage_id, metadata=lost)
            found.append(Trace(node))
        else:
            found.append(Trace(node_of(made), up=trace_up(log, made)))
    return found


def trace_down(log: EventLog, event: Materialization) -> list[Trace]:
    """What was made from this version, recursively; the newest event of each version made."""
    first = log.first_of_version(event.key, event.version) or event
    found: list[Trace] = []
    for child in _children(log, event.project, event.key):
        newest: dict[str, Materialization] = {}
        for made in log.oldest_first(child, after=first.storage_id):
            read = made.input(event.key)
            if read is not None and read.version == event.version:
                newest[made.version] = made
        found.extend(Trace(node_of(m), down=trace_down(log, m)) for m in newest.values())
    return found


def flatten(traces: Iterable[Trace]) -> list[Node]:
    """Every distinct node of some traces, both ways, in the order they are met."""
    seen: dict[tuple[str, str, int | None], Node] = {}
    stack = list(traces)
    while stack:
        trace = stack.pop(0)
        node = trace.node
        seen.setdefault((node.key, node.version, node.storage_id), node)
        stack = [*trace.up, *trace.down, *stack]
    return list(seen.values())


def _children(log: EventLog, project: str, key: str) -> list[str]:
    """Assets whose newest materialization read ``key``."""
    found = []
    for other in log.asset_keys(project):
        newest = log.latest(other)
        if newest is not None and newest.input(key) is not None:
            found.append(other)
    return found


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None | list | dict)
