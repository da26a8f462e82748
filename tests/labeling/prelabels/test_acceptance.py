from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import PRELABELS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.prelabels.acceptance import (
    acceptance,
    acceptance_by_model,
    acceptance_rates,
)
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import START, annotate, image_ids, push, table_of

A, B, C = image_ids(3)
SUGGESTED = [
    (A, 0, "cat", (10, 10, 50, 50), 0.95),
    (A, 1, "dog", (60, 60, 90, 90), 0.55),
    (A, 2, "dog", (0, 60, 20, 90), 0.31),
]


@pytest.fixture
def catalog(tmp_path) -> Catalog:
    made = Catalog(open_store(str(tmp_path)), "x")
    suggest(made, "m1", SUGGESTED)
    push(made, "b", [A, B], prelabel_model="m1", arm="random")
    return made


def suggest(catalog: Catalog, model: str, rows: list[Any], *, kind: str = "bbox") -> None:
    edges = list(zip(*[r[3] for r in rows], strict=True))
    names = ("x_min", "y_min", "x_max", "y_max")
    boxes = dict(zip(names, map(list, edges), strict=True)) if kind == "bbox" else {}
    table = table_of(
        PRELABELS,
        len(rows),
        image_id=[r[0] for r in rows],
        object=[r[1] for r in rows],
        label=[r[2] for r in rows],
        score=[r[4] for r in rows],
        model=model,
        kind=kind,
        made_at=START,
        **{k: [float(v) for v in column] for k, column in boxes.items()},
    )
    catalog.table("prelabels").insert(table, on=["image_id", "model", "object"])


def region(x: float, y: float, width: float, height: float, label: str) -> dict[str, Any]:
    """A box as Label Studio has it: per cent of an image of 200 × 100."""
    return {
        "type": "rectanglelabels",
        "id": f"r{x}",
        "original_width": 200,
        "original_height": 100,
        "value": {"x": x / 2, "y": y, "width": width / 2, "height": height, "rotation": 0}
        | {"rectanglelabels": [label]},
    }


def say(catalog: Catalog, image: str, regions: list[Any], *, task: int = 1000, **more: Any) -> None:
    annotate(catalog, "b", [image], "ann", task=task, result=json.dumps(regions), **more)


def outcomes(catalog: Catalog) -> list[tuple[Any, ...]]:
    columns = ("object", "label", "given", "outcome")
    return [tuple(r[c] for c in columns) for r in acceptance(catalog).to_pylist()]


def test_each_suggestion_is_accepted_corrected_or_deleted_and_the_rest_is_added(catalog):
    say(
        catalog,
        A,
        [
            region(10, 10, 40, 40.01, "cat"),  # as it was, but for rounding
            region(62, 60, 30, 30, "cat"),  # moved, and called something else
            region(120, 10, 10, 10, "owl"),
            {"type": "polygonlabels", "value": {"points": [[1, 1]], "polygonlabels": ["cat"]}},
        ],
    )
    assert outcomes(catalog) == [
        (0, "cat", "cat", "accepted"),
        (1, "dog", "cat", "corrected"),
        (2, "dog", None, "deleted"),
        (None, "owl", "owl", "added"),
    ]
    (first, *_) = acceptance(catalog).to_pylist()
    assert (first["model"], first["arm"], first["annotator"]) == ("m1", "random", "ann")


def test_a_new_name_alone_and_a_move_alone_are_corrections(catalog):
    say(catalog, A, [region(10, 10, 40, 40, "dog"), region(66, 66, 30, 30, "dog")])
    assert [o[3] for o in outcomes(catalog)] == ["corrected", "corrected", "deleted"]


def test_what_label_studio_makes_of_predictions(catalog):
    """As version 1.23.2 saved it when one box was dragged by little and one deleted by hand."""
    kept = region(10, 10, 40, 40, "cat") | {"origin": "prediction", "score": 0.95}
    moved = region(60.1, 60, 30, 30, "dog") | {"origin": "prediction-changed", "score": 0.55}
    say(catalog, A, [kept, moved], parent_prediction=2203)
    assert [o[3] for o in outcomes(catalog)] == ["accepted", "corrected", "deleted"]


def test_answers_about_a_box_are_no_classes_of_the_image(catalog):
    tick = {"type": "choices", "from_name": "occluded", "value": {"choices": ["occluded"]}}
    say(catalog, A, [region(10, 10, 40, 40, "cat"), tick])
    assert [o[3] for o in outcomes(catalog)] == ["accepted", "deleted", "deleted"]


def test_two_boxes_at_one_place_answer_to_one_suggestion(catalog):
    say(catalog, A, [region(10, 10, 40, 40, "cat"), region(11, 10, 40, 40, "cat")])
    found = outcomes(catalog)
    assert [o[3] for o in found] == ["accepted", "deleted", "deleted", "added"]


def test_cancelled_and_deleted_ones_are_left_out_and_the_last_state_counts(catalog):
    whole = [region(10, 10, 40, 40, "cat")]
    say(catalog, A, whole, cancelled=True)
    say(catalog, A, whole, deleted=True)
    assert outcomes(catalog) == []
    say(catalog, A, [], annotation=[7_000])
    assert [o[3] for o in outcomes(catalog)] == ["deleted"] * 3
    say(catalog, A, whole, annotation=[7_000], seen_at=START + timedelta(hours=2))
    assert [o[3] for o in outcomes(catalog)] == ["accepted", "deleted", "deleted"]


def test_tasks_without_pre_labels_say_nothing(catalog):
    push(catalog, "b2", [C], tool_project=2)
    annotate(
        catalog, "b2", [C], "ann", tool_project=2, task=2000,
        result=json.dumps([region(0, 0, 9, 9, "cat")]),
    )  # fmt: skip
    say(catalog, B, [region(0, 0, 9, 9, "cat")], task=1001)  # nothing was suggested on it
    assert outcomes(catalog) == [(None, "cat", "cat", "added")]


def test_classes_of_whole_images_are_judged_too(catalog):
    push(catalog, "c", [C], tool_project=3, prelabel_model="m2")
    suggest(catalog, "m2", [(C, 0, "cat", (0, 0, 0, 0), 0.8)], kind="class")
    for number, choice in enumerate(["cat", "dog"], start=50):
        result = [{"type": "choices", "value": {"choices": [choice]}}]
        annotate(
            catalog, "c", [C], f"ann-{choice}", tool_project=3, task=3000,
            annotation=[number], result=json.dumps(result),
        )  # fmt: skip
    assert outcomes(catalog) == [(0, "cat", "cat", "accepted"), (0, "cat", "dog", "corrected")]


def test_rates_are_by_model_class_and_tenth_of_confidence(catalog):
    say(catalog, A, [region(10, 10, 40, 40, "cat"), region(120, 10, 10, 10, "owl")])
    found = acceptance(catalog)
    assert [tuple(r.values()) for r in acceptance_rates(found).to_pylist()] == [
        ("m1", "cat", 0.9, 1, 1, 0, 0, 0),
        ("m1", "dog", 0.3, 1, 0, 0, 1, 0),
        ("m1", "dog", 0.5, 1, 0, 0, 1, 0),
        ("m1", "owl", None, 0, 0, 0, 0, 1),
    ]
    assert acceptance_by_model(found).to_pylist() == [
        {"model": "m1", "suggested": 3, "accepted": 1, "corrected": 0, "deleted": 2, "added": 1}
    ]
    assert acceptance_rates(found.slice(0, 0)).num_rows == 0
    assert isinstance(found, pa.Table)
