"""Lineage both ways, read from Dagster's event log and the dataset manifests alone.

Up follows the exact event that each materialization names as its input. Down asks an index of the
log which materializations read a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.takeout_marks import MARK

KINDS = {
    "raw_images": "images",
    "image_features": "features",
    "prelabels": "pre-labels",
    "annotation_batches": "pushed batches",
    "annotation_exports": "annotations",
    "dataset_candidate": "candidate",
    "dataset_version": "dataset",
    "trained_model": "model",
    "predictions": "predictions",
    "eval_slices": "evaluation",
    "error_analysis": "error analysis",
    "champion": "champion",
}

_Version = tuple[str, str]
"""Asset key and data version."""


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


def node_of(index: LineageIndex, event: Materialization) -> Node:
    """The node of a materialization.

    Of a model that was trained on images that were taken out since, ``taken_out`` in its metadata
    lists them.
    """
    metadata = {k: v for k, v in event.metadata.items() if _is_plain(v)}
    gone = index.taken_out(event.key, event.version) if event.asset == "trained_model" else []
    return Node(
        kind=KINDS.get(event.asset, event.asset),
        key=event.key,
        version=event.version,
        storage_id=event.storage_id,
        run_id=event.run_id,
        timestamp=event.timestamp.isoformat(),
        metadata={**metadata, MARK: gone} if gone else metadata,
    )


def trace_event(index: LineageIndex, event: Materialization) -> Trace:
    """A materialization with everything above and below it."""
    return Trace(node_of(index, event), up=trace_up(index, event), down=trace_down(index, event))


def trace_up(index: LineageIndex, event: Materialization) -> list[Trace]:
    """What a materialization was made from, recursively, by event pointer.

    A parent whose event is no longer in the log is a node without metadata: its key, version and
    storage id are still known.
    """
    found = []
    for parent in (*event.inputs, *event.asked):
        made = index.event(parent.key, parent.storage_id)
        if made is None:
            asset = parent.key.split("/")[-1]
            lost = {"lost": "this event is no longer in the event log"}
            kind = KINDS.get(asset, asset)
            node = Node(kind, parent.key, parent.version, parent.storage_id, metadata=lost)
            found.append(Trace(node))
        else:
            found.append(Trace(node_of(index, made), up=trace_up(index, made)))
    return found


def trace_down(index: LineageIndex, event: Materialization) -> list[Trace]:
    """What was made from this version, recursively; the newest event of each version made.

    What was made from it directly and through something else as well is shown below that alone:
    an evaluation reads the dataset and the predictions on it, and is found below the predictions.
    Otherwise a dataset that many models share would be a tree several times as large.
    """
    return list(_Descent(index).below((event.key, event.version)))


class _Descent:
    """What lies below versions, each worked out once however many ways lead to it."""

    def __init__(self, index: LineageIndex) -> None:
        self._index = index
        self._known: dict[_Version, tuple[list[Trace], frozenset[_Version]]] = {}

    def below(self, version: _Version) -> list[Trace]:
        return self._visit(version)[0]

    def _visit(self, version: _Version) -> tuple[list[Trace], frozenset[_Version]]:
        """The traces one step down, and every version that is anywhere below."""
        if version in self._known:
            return self._known[version]
        # versions are content hashes: the same content made again from what came of it would
        # close a circle, which ends here
        self._known[version] = ([], frozenset())
        children = {(e.key, e.version): e for e in self._index.children(*version)}
        visited = {child: self._visit(child) for child in children}
        indirect = frozenset[_Version]().union(*(deeper for _, deeper in visited.values()))
        found = [
            Trace(node_of(self._index, event), down=visited[child][0])
            for child, event in children.items()
            if child not in indirect
        ]
        self._known[version] = (found, indirect | children.keys())
        return self._known[version]


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


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None | list | dict)
