"""Gold is one thing for the gate, for skill and for agreement."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.labeling.batches.gate_facts import gold_counts
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.workload.records import records
from cv_pipeline.labeling.workload.workforce import workforce_of
from cv_pipeline.project import find_project
from cv_pipeline.quality.gold import gold_labels
from cv_pipeline.settings import projects_dir
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world
from tests.catalog.event_lake import rows_of

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
QUERY = "width >= 300"
"""Images 3, 4 and 5 of the six."""


@pytest.fixture
def world(tmp_path, monkeypatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    made = make_datalake_world(tmp_path)
    made.catalog.table("annotations").replace(ANNOTATIONS.empty_table())
    return made


def write(world: DatalakeWorld, *said: tuple[int, str, str, str, int | None]) -> None:
    """Boxes: image, annotator, role, label, and the day that it was made on."""
    rows: list[dict[str, Any]] = []
    for n, (image, annotator, role, label, day) in enumerate(said):
        at = None if day is None else DAY + dt.timedelta(days=day)
        row = {"annotation_id": f"{n}", "image_id": world.ids[image], "annotator": annotator}
        row |= {"role": role, "label": label, "kind": "bbox", "attributes": "{}"}
        row |= {"created_at": at, "updated_at": at}
        row |= {"x_min": 0.0, "y_min": 0.0, "x_max": 10.0, "y_max": 10.0}
        rows.append(row)
    world.catalog.table("annotations").merge(rows_of(ANNOTATIONS, rows), on=["annotation_id"])


def by_image(world: DatalakeWorld, rows: pa.Table) -> dict[int, str]:
    return dict(zip(world.numbers(rows["image_id"]), rows["annotator"].to_pylist(), strict=True))


def test_the_truth_of_an_image_is_marked_or_a_reviewers_or_the_first_label(world):
    write(
        world,
        (0, "ann", "annotator", "kiwi", 1),  # of no query
        (1, "gold", "gold", "kiwi", None),
        (2, "eve", "gold", "lemon", 3),
        (3, "ann", "annotator", "kiwi", 5), (3, "bob", "annotator", "lemon", 2),
        (3, "model:x", "model", "kiwi", 0),
        (4, "file", "annotator", "kiwi", None), (4, "ann", "annotator", "lemon", 0),
        (5, "ann", "annotator", "lemon", 0), (5, "rex", "reviewer", "kiwi", 1),
        (5, "ria", "reviewer", "lemon", 2),
    )  # fmt: skip
    marked = gold_labels(world.catalog, query=None, columns=["image_id", "annotator"])
    assert by_image(world, marked) == {1: "gold", 2: "eve"}
    every = gold_labels(world.catalog, query=QUERY, columns=["image_id", "annotator"])
    assert by_image(world, every) == {
        1: "gold", 2: "eve", 3: "bob", 4: "file", 5: "ria",
    }  # fmt: skip


def test_images_of_the_query_count_for_the_gate_and_for_skill_alike(world):
    write(
        world,
        (3, "first", "annotator", "kiwi", 0), (3, "ann", "annotator", "kiwi", 1),
        (4, "first", "annotator", "lemon", 0), (4, "ann", "annotator", "kiwi", 1),
        (5, "first", "annotator", "lemon", 0), (5, "ann", "annotator", "lemon", 1),
    )  # fmt: skip
    gold = {"query": QUERY, "min_per_class": 1}
    labeling = Labeling.model_validate(
        {"hand_off": {"gold": gold}, "work": {"gold_least": 3, "qualified_at": 0.6}}
    )
    project = find_project("fruit", projects_dir()).model_copy(update={"labeling": labeling})
    assert {c.name: c.images for c in gold_counts(project, world.catalog)} == {
        "kiwi": 1,
        "lemon": 2,
    }
    people = {w.name: w for w in workforce_of(world.catalog, labeling, {}).workers}
    ann, first = people["ann"], people["first"]
    assert (ann.gold_images, ann.qualified) == (3, True)
    assert ann.skill == pytest.approx(2 / 3)
    # who made the truth is not examined on it
    assert (first.gold_images, first.skill, first.qualified) == (0, None, False)
    # without a query nothing is gold, and everybody counts as qualified
    assert all(w.qualified for w in workforce_of(world.catalog, Labeling(), {}).workers)


def test_the_order_of_review_knows_the_same_truth(world):
    write(
        world,
        (4, "first", "annotator", "lemon", 0),
        (4, "ann", "annotator", "kiwi", 1), (4, "bob", "annotator", "kiwi", 1),
    )  # fmt: skip
    of_each = records(world.catalog)
    assert dict(zip(of_each.annotators, of_each.of_annotators()[0], strict=True)) == {
        "ann": 0.5, "bob": 0.5, "first": 0,
    }  # fmt: skip
    judged = records(world.catalog, gold=QUERY)
    assert dict(zip(judged.annotators, judged.of_annotators()[0], strict=True)) == {
        "ann": 0,
        "bob": 0,
    }


def test_an_image_with_a_class_and_boxes_is_one_gold_image(world):
    people = (("g", "gold"), ("ann", "annotator"))
    write(world, *((3, who, role, "kiwi", 0) for who, role in people))
    classes = [
        {
            "annotation_id": f"class-{who}", "image_id": world.ids[3], "annotator": who,
            "role": role, "label": "kiwi", "kind": "class", "attributes": "{}",
        }
        for who, role in people
    ]  # fmt: skip
    rows = rows_of(ANNOTATIONS, classes)
    world.catalog.table("annotations").merge(rows, on=["annotation_id"])
    found = {w.name: w for w in workforce_of(world.catalog, Labeling(), {}).workers}
    assert found["ann"].gold_images == 1
