"""A lineage as a small graph in layers: what was read is to the left of what was made from it.

Pure functions of a trace. What is too much for a drawing that people read is drawn as one box that
says how many it stands for; the list beside the drawing has all of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from cv_pipeline.provenance.trace import Node, Trace

MOST = 60
"""Boxes that are drawn at most."""
WIDTH, HEIGHT = 128.0, 50.0
_ACROSS, _DOWN, _EDGE = 22.0, 14.0, 4.0
_SWEEPS = 4

_Key = tuple[str, str]


class GraphBox(BaseModel):
    """A box of the drawing.

    Attributes:
        id: names it within the drawing.
        kind: what it is: images, dataset, model, evaluation, …
        title: what it is called.
        note: what is said of it in a few words.
        href: our page of it; empty where there is none.
        dagster: path of it in Dagster's pages; empty where it has none.
        count: how many things it stands for.
        own: whether it is what was asked for.
        lost: whether its record or its folder is gone.
        x: left edge.
        y: upper edge.
    """

    id: str
    kind: str
    title: str
    note: str
    href: str
    dagster: str
    count: int
    own: bool
    lost: bool
    x: float = 0.0
    y: float = 0.0


class Edge(BaseModel):
    """A line from what was read to what was made from it."""

    source: str
    target: str
    path: str
    own: bool


class Drawing(BaseModel):
    """A lineage, laid out."""

    width: float
    height: float
    boxes: list[GraphBox]
    edges: list[Edge]
    nodes: int
    words: str


@dataclass
class Graph:
    """The distinct nodes of a trace, and who was made from whom.

    Attributes:
        nodes: by asset key and version, in the order in which they are met.
        edges: pairs of what was read and what was made from it.
        root: what was asked for.
    """

    nodes: dict[_Key, Node] = field(default_factory=dict)
    edges: set[tuple[_Key, _Key]] = field(default_factory=set)
    root: _Key = ("", "")


def graph_of(trace: Trace) -> Graph:
    """The graph of a trace, which is a tree in which shared nodes are repeated."""
    graph = Graph(root=_key(trace.node))
    stack = [trace]
    while stack:
        one = stack.pop()
        key = _key(one.node)
        graph.nodes.setdefault(key, one.node)
        for other in one.up:
            graph.edges.add((_key(other.node), key))
        for other in one.down:
            graph.edges.add((key, _key(other.node)))
        stack += [*one.up, *one.down]
    graph.edges = {(a, b) for a, b in graph.edges if a != b}
    return graph


def draw(graph: Graph, boxes: Mapping[_Key, GraphBox], *, most: int = MOST) -> Drawing:
    """Lay a graph out.

    Args:
        graph: the graph.
        boxes: how each of its nodes is shown, without a place.
        most: boxes that are drawn at most; more of one kind in one layer become one box.
    """
    layers = _layers(graph)
    group = _groups(graph, layers, most)
    members: dict[str, list[_Key]] = defaultdict(list)
    for key in graph.nodes:
        members[group[key]].append(key)
    drawn = {name: _joined(name, [boxes[k] for k in keys]) for name, keys in members.items()}
    layer = {name: layers[keys[0]] for name, keys in members.items()}
    edges = sorted({(group[a], group[b]) for a, b in graph.edges if group[a] != group[b]})
    rows = _order(drawn, layer, edges)
    deepest = max((len(row) for row in rows), default=1)
    height = deepest * (HEIGHT + _DOWN) - _DOWN + 2 * _EDGE
    for number, row in enumerate(rows):
        top = (height - (len(row) * (HEIGHT + _DOWN) - _DOWN)) / 2
        for place, name in enumerate(row):
            drawn[name].x = _EDGE + number * (WIDTH + _ACROSS)
            drawn[name].y = round(top + place * (HEIGHT + _DOWN), 1)
    width = len(rows) * (WIDTH + _ACROSS) - _ACROSS + 2 * _EDGE
    own = group[graph.root]
    return Drawing(
        width=width,
        height=height,
        boxes=[drawn[name] for row in rows for name in row],
        edges=[
            Edge(source=a, target=b, path=_path(drawn[a], drawn[b]), own=own in (a, b))
            for a, b in edges
        ],
        nodes=len(graph.nodes),
        words=f"{len(graph.nodes)} things in {len(rows)} steps, what was read before what was"
        " made from it.",
    )


def _key(node: Node) -> _Key:
    return node.key, node.version


def _layers(graph: Graph) -> dict[_Key, int]:
    """How many steps each node is from the first, by the longest way; circles are cut."""
    parents: dict[_Key, list[_Key]] = defaultdict(list)
    children: dict[_Key, list[_Key]] = defaultdict(list)
    for a, b in sorted(graph.edges):
        parents[b].append(a)
        children[a].append(b)
    waits = {key: len(parents[key]) for key in graph.nodes}
    layer = dict.fromkeys(graph.nodes, 0)
    ready = [key for key, count in waits.items() if not count]
    left = dict.fromkeys(graph.nodes)
    while left:
        if not ready:  # the same content made again from what came of it
            ready = [next(iter(left))]
        key = ready.pop()
        if key not in left:
            continue
        del left[key]
        for child in children[key]:
            if child in left:
                layer[child] = max(layer[child], layer[key] + 1)
                waits[child] -= 1
                if waits[child] == 0:
                    ready.append(child)
    return layer


def _groups(graph: Graph, layers: Mapping[_Key, int], most: int) -> dict[_Key, str]:
    """The box that each node is drawn as: its own, or one for its kind in its layer."""
    alone = {key: f"n{number}" for number, key in enumerate(graph.nodes)}
    if len(alone) <= most:
        return alone
    kinds: dict[tuple[int, str], list[_Key]] = defaultdict(list)
    for key, node in graph.nodes.items():
        if key != graph.root:
            kinds[layers[key], node.kind].append(key)
    group = dict(alone)
    boxes = len(alone)
    # the largest groups first, until what is left can be read
    largest = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    for number, (_, keys) in enumerate(largest):
        if boxes <= most or len(keys) < 2:
            break
        for key in keys:
            group[key] = f"g{number}"
        boxes -= len(keys) - 1
    return group


def _joined(name: str, boxes: Sequence[GraphBox]) -> GraphBox:
    """One box for several; that of a single one is its own."""
    first = boxes[0]
    if len(boxes) == 1:
        return first.model_copy(update={"id": name})
    return GraphBox(
        id=name,
        kind=first.kind,
        title=f"{len(boxes):,} × {first.kind}",
        note="all are in the list below",
        href="",
        dagster="",
        count=len(boxes),
        own=False,
        lost=False,
    )


def _order(
    drawn: Mapping[str, GraphBox], layer: Mapping[str, int], edges: Iterable[tuple[str, str]]
) -> list[list[str]]:
    """The boxes of each layer from top to bottom, each near what it is joined to."""
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for name in drawn:
        rows[layer[name]].append(name)
    near: dict[str, list[str]] = defaultdict(list)
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    for sweep in range(_SWEEPS):
        place = {name: n / max(len(row), 1) for row in rows for n, name in enumerate(row)}
        for row in rows if sweep % 2 == 0 else reversed(rows):
            row.sort(key=lambda name: _middle([place[n] for n in near[name]], place[name]))
            place |= {name: n / max(len(row), 1) for n, name in enumerate(row)}
    return [row for row in rows if row]


def _middle(places: Sequence[float], own: float) -> float:
    return sum(places) / len(places) if places else own


def _path(source: GraphBox, target: GraphBox) -> str:
    """A curve from the right edge of one box to the left edge of another."""
    x1, y1 = source.x + WIDTH, source.y + HEIGHT / 2
    x2, y2 = target.x, target.y + HEIGHT / 2
    bend = max((x2 - x1) / 2, 12.0)
    return f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
