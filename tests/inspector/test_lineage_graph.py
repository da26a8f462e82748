"""A lineage is drawn in layers, whatever its form, and stays small enough to be read."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.inspector.data.lineage_graph import HEIGHT, WIDTH, Drawing, Graph, draw, graph_of
from cv_pipeline.inspector.data.lineage_nodes import box_of, items_of
from cv_pipeline.provenance.trace import Node, Trace


def drawn(graph: Graph, **options: int) -> Drawing:
    boxes = {k: box_of("p", node, own=k == graph.root) for k, node in graph.nodes.items()}
    return draw(graph, boxes, **options)


def node(number: int, kind: str = "model") -> Node:
    return Node(kind, f"p/{kind}", f"{number:064x}", storage_id=number, run_id="r")


def test_a_shared_parent_is_drawn_once_and_before_what_was_made_from_it() -> None:
    raw = Trace(node(1, "images"))
    features, labels = (Trace(node(n, k), up=[raw]) for n, k in ((2, "features"), (3, "labels")))
    whole = Trace(node(4, "dataset"), up=[features, labels], down=[Trace(node(5)), Trace(node(6))])
    made = drawn(graph_of(whole))
    assert made.nodes == len(made.boxes) == 6
    assert len(made.edges) == 6
    place = {box.kind: box.x for box in made.boxes}
    assert place["images"] < place["features"] == place["labels"] < place["dataset"]
    assert [box.kind for box in made.boxes if box.own] == ["dataset"]
    up, all_of_it = items_of("p", list(whole.up), up=True)
    assert all_of_it
    assert [item.kind for item in up] == ["features", "labels"]
    assert [item.items[0].kind for item in up] == ["images", "images"]


def test_more_than_can_be_read_becomes_one_box_that_says_how_many() -> None:
    many = [Trace(node(n), down=[Trace(node(n + 1000, "predictions"))]) for n in range(100)]
    made = drawn(graph_of(Trace(node(5000, "dataset"), down=many)))
    assert made.nodes == 201
    assert sorted((b.kind, b.count) for b in made.boxes) == [
        ("dataset", 1),
        ("model", 100),
        ("predictions", 100),
    ]
    assert len(made.edges) == 2
    assert "100 × model" in {b.title for b in made.boxes}


def test_a_thing_that_was_made_again_from_what_came_of_it_closes_no_circle() -> None:
    a, b = node(1), node(2)
    made = drawn(graph_of(Trace(a, down=[Trace(b, down=[Trace(a)])])))
    assert len(made.boxes) == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=120),
    st.integers(2, 30),
)
def test_any_graph_is_laid_out_without_boxes_on_each_other(
    pairs: list[tuple[int, int]], most: int
) -> None:
    kinds = ("images", "dataset", "model")
    nodes = {n: node(n, kinds[n % 3]) for pair in [(0, 0), *pairs] for n in pair}
    key = {n: (one.key, one.version) for n, one in nodes.items()}
    graph = Graph(
        nodes={key[n]: one for n, one in nodes.items()},
        edges={(key[a], key[b]) for a, b in pairs if a != b},
        root=key[0],
    )
    made = drawn(graph, most=most)
    assert sum(box.count for box in made.boxes) == len(nodes)
    assert len([box for box in made.boxes if box.own]) == 1
    places = [(box.x, box.y) for box in made.boxes]
    assert len(set(places)) == len(places)
    for x, y in places:
        assert 0 <= x <= made.width - WIDTH
        assert 0 <= y <= made.height - HEIGHT
    by_column: dict[float, list[float]] = {}
    for x, y in places:
        by_column.setdefault(x, []).append(y)
    for column in by_column.values():
        column.sort()
        assert all(b - a >= HEIGHT for a, b in pairwise(column))
    assert {e.source for e in made.edges} <= {box.id for box in made.boxes}
