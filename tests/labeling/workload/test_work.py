"""Work spread over annotators: by skill, by load, and never an image twice to anybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import change_state, declare, declared_batches
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.workload.assignment import accounts_by_batch, apply_plan, plan_work
from cv_pipeline.labeling.workload.examination import examination_of
from cv_pipeline.labeling.workload.workforce import workforce_of
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import START, annotate, image_ids, push, set_aside, table_of

PEOPLE = [f"studio-{n}" for n in range(1, 7)]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def labeling(people: Sequence[str] = PEOPLE, **settings: object) -> Labeling:
    told = {name: {"account": name.replace("studio-", "user")} for name in people}
    return Labeling.model_validate({"annotators": told, **settings})


def wait(catalog: Catalog, batch: str, images: Sequence[str], **settings: Any) -> None:
    """Set images aside, declare the batch and push it."""
    set_aside(catalog, batch, images)
    declare(catalog, batch, **{"task_type": "detection", **settings})
    push(catalog, batch, images)


def write_classes(
    catalog: Catalog, images: Sequence[str], annotator: str, label: str, *, role: str = "annotator"
) -> None:
    ids = [f"{annotator}-{image[:20]}" for image in images]
    rows = table_of(
        ANNOTATIONS,
        len(images),
        annotation_id=ids,
        image_id=list(images),
        label=label,
        kind="class",
        attributes="{}",
        annotator=annotator,
        role=role,
    )
    catalog.table("annotations").merge(rows, on=["annotation_id"])


def write_gold(catalog: Catalog, right: dict[str, int], count: int = 40) -> list[str]:
    """Gold images that annotators labelled, so many of them right; returns their ids."""
    gold = image_ids(count, seed="gold")
    write_classes(catalog, gold, "gold", "apple", role="gold")
    for name, hits in right.items():
        write_classes(catalog, gold[:hits], name, "apple")
        write_classes(catalog, gold[hits:], name, "pear")
    return gold


def assigned(catalog: Catalog, batch: str) -> dict[str, list[str]]:
    rows = catalog.table("labeling_tasks").read(columns=["batch", "image_id", "assignee"])
    return {
        row["image_id"]: [name for name in row["assignee"].split(",") if name]
        for row in rows.to_pylist()
        if row["batch"] == batch
    }


def test_every_image_goes_to_as_many_as_its_overlap_asks_and_all_are_equally_busy(
    catalog: Catalog,
) -> None:
    wait(catalog, "one", image_ids(300), overlap=2)
    plan = plan_work(catalog, labeling())
    assert apply_plan(catalog, plan) == 300
    given = assigned(catalog, "one")
    assert all(len(set(names)) == len(names) == 2 for names in given.values())
    assert [load.labels for load in plan.loads] == [100] * 6
    assert plan.spread_weeks < 1e-9
    assert plan.unassigned == ()


def test_the_same_plan_again_changes_nothing(catalog: Catalog) -> None:
    wait(catalog, "one", image_ids(50), overlap=3)
    apply_plan(catalog, plan_work(catalog, labeling()))
    before = assigned(catalog, "one")
    again = plan_work(catalog, labeling())
    assert len(again.tasks) == 0
    assert apply_plan(catalog, again) == 0
    assert assigned(catalog, "one") == before


def test_nobody_gets_an_image_that_they_labelled_or_skipped(catalog: Catalog) -> None:
    images = image_ids(60)
    wait(catalog, "one", images, overlap=2)
    annotate(catalog, "one", images[:40], PEOPLE[0])
    annotate(catalog, "one", images[40:], PEOPLE[1], cancelled=True)
    plan = plan_work(catalog, labeling())
    apply_plan(catalog, plan)
    given = assigned(catalog, "one")
    assert all(len(given[i]) == 1 and PEOPLE[0] not in given[i] for i in images[:40])
    assert all(len(given[i]) == 2 and PEOPLE[1] not in given[i] for i in images[40:])


def test_labels_that_are_made_are_assigned_to_nobody_any_more(catalog: Catalog) -> None:
    images = image_ids(20)
    wait(catalog, "one", images)
    apply_plan(catalog, plan_work(catalog, labeling()))
    annotate(catalog, "one", images[:5], PEOPLE[5])
    apply_plan(catalog, plan_work(catalog, labeling()))
    given = assigned(catalog, "one")
    assert all(given[image] == [] for image in images[:5])
    assert all(len(given[image]) == 1 for image in images[5:])


class TestSkill:
    def test_who_is_not_qualified_gets_easy_pilot_and_gold_images_only(
        self, catalog: Catalog
    ) -> None:
        good, poor = PEOPLE[:2]
        gold = write_gold(catalog, {good: 39, poor: 20})
        for name, settings in (
            ("easy", {"difficulty": "easy"}),
            ("medium", {}),
            ("hard", {"difficulty": "hard"}),
            ("pilot", {"difficulty": "hard", "pilot": True}),
        ):
            wait(catalog, name, image_ids(30, seed=name), **settings)
        wait(catalog, "gold-round", gold[:10])
        plan = plan_work(catalog, labeling([good, poor]))
        apply_plan(catalog, plan)
        by_batch = {
            name: {one for names in assigned(catalog, name).values() for one in names}
            for name in ("easy", "medium", "hard", "pilot")
        }
        assert by_batch["medium"] == by_batch["hard"] == {good}
        assert poor in by_batch["easy"] | by_batch["pilot"]
        assert plan.examined

    def test_few_answers_on_gold_say_little(self, catalog: Catalog) -> None:
        gold = write_gold(catalog, {PEOPLE[0]: 32, PEOPLE[1]: 24})
        write_classes(catalog, gold[:1], PEOPLE[2], "apple")
        force = workforce_of(catalog, labeling(), declared_batches(catalog))
        workers = {worker.name: worker for worker in force.workers}
        first, second, third = (workers[name].skill for name in PEOPLE[:3])
        assert first is not None
        assert second is not None
        assert third is not None
        # 57 of 81 answers are right; ten such answers are added to everybody's
        usual = 57 / 81
        assert first == pytest.approx((32 + 10 * usual) / 50)
        assert second == pytest.approx((24 + 10 * usual) / 50)
        assert third == pytest.approx((1 + 10 * usual) / 11)
        assert not workers[PEOPLE[2]].qualified  # one gold image is not enough
        assert workers[PEOPLE[3]].skill is None

    def test_boxes_are_right_that_overlap_a_gold_one_of_their_class(self, catalog: Catalog) -> None:
        rows = []
        for n, (who, role, label, x) in enumerate(
            [
                ("gold", "gold", "apple", 0),
                ("gold", "gold", "pear", 50),
                (PEOPLE[0], "annotator", "apple", 1),  # right
                (PEOPLE[0], "annotator", "apple", 50),  # of another class
                (PEOPLE[1], "annotator", "apple", 0),  # right
                (PEOPLE[1], "annotator", "pear", 50),  # right
                (PEOPLE[1], "annotator", "pear", 51),  # once too often
            ]
        ):
            box = {"x_min": x, "y_min": 0.0, "x_max": x + 20.0, "y_max": 20.0}
            row = {"annotation_id": str(n), "image_id": "a" * 64, "annotator": who, "role": role}
            rows.append({**row, "label": label, "kind": "bbox", "attributes": "{}", **box})
        columns = {name: [row.get(name) for row in rows] for name in rows[0]}
        catalog.table("annotations").merge(
            table_of(ANNOTATIONS, len(rows), **columns), on=["annotation_id"]
        )
        force = workforce_of(catalog, labeling(), declared_batches(catalog))
        workers = {worker.name: worker.skill for worker in force.workers}
        # 2·1/(2+2) of the first and 2·2/(3+2) of the second: of both 6/9, at 4.5 boxes an image
        prior = 10 * 4.5
        assert workers[PEOPLE[0]] == pytest.approx((2 + prior * 6 / 9) / (4 + prior))
        assert workers[PEOPLE[1]] == pytest.approx((4 + prior * 6 / 9) / (5 + prior))

    def test_where_nobody_is_qualified_it_says_how_far_they_are_and_what_to_do(
        self, catalog: Catalog
    ) -> None:
        gold = write_gold(catalog, {PEOPLE[0]: 10})
        write_classes(catalog, gold[:3], PEOPLE[1], "apple")
        wait(catalog, "medium", image_ids(30))
        [left] = plan_work(catalog, labeling()).unassigned
        assert (left.batch, left.labels) == ("medium", 30)
        assert left.why == (
            "nobody is qualified for medium images: it takes 10 gold images at 0.8 or better; of"
            " 40 gold images studio-1, who is furthest, was examined on 40 at 0.26 (nobody is on"
            " an image whose truth they said): push gold images that a reviewer labelled to"
            " everybody, as an exam batch"
        )
        rules = labeling().work
        force = workforce_of(catalog, labeling(), declared_batches(catalog))
        second = examination_of(force, rules, [PEOPLE[1]])
        assert second is not None
        assert (second.images, second.least, second.gold) == (3, 10, 40)
        assert examination_of(force, rules, ["nobody"]) is None

    def test_whose_labels_became_the_truth_is_told_to_be_examined_on_none(
        self, catalog: Catalog
    ) -> None:
        """A batch that is done by one person examines nobody, though its images are gold."""
        write_classes(catalog, image_ids(20, seed="own"), PEOPLE[0], "apple", role="gold")
        wait(catalog, "medium", image_ids(30))
        [left] = plan_work(catalog, labeling(PEOPLE[:1])).unassigned
        assert "of 20 gold images studio-1, who is furthest, was examined on 0 (nob" in left.why

    def test_without_gold_nobody_can_be_examined_and_all_may_work(self, catalog: Catalog) -> None:
        wait(catalog, "hard", image_ids(30), difficulty="hard")
        plan = plan_work(catalog, labeling())
        assert not plan.examined
        assert [load.labels for load in plan.loads] == [5] * 6


class TestLoad:
    def test_who_takes_twice_as_long_gets_half_as_many(self, catalog: Catalog) -> None:
        images = image_ids(4000)
        wait(catalog, "before", images[:2000])
        annotate(catalog, "before", images[:1000], PEOPLE[0], lead_time=20.0)
        annotate(catalog, "before", images[1000:2000], PEOPLE[1], lead_time=40.0)
        wait(catalog, "now", images[2000:])
        plan = plan_work(catalog, labeling(PEOPLE[:2]))
        fast, slow = plan.loads
        assert fast.labels / slow.labels == pytest.approx(2, rel=0.03)
        assert abs(fast.weeks - slow.weeks) < 0.001

    def test_absent_people_get_nothing_and_what_they_had_goes_to_others(
        self, catalog: Catalog
    ) -> None:
        wait(catalog, "one", image_ids(60))
        apply_plan(catalog, plan_work(catalog, labeling()))
        before = assigned(catalog, "one")
        away = {name: {"absent": name == PEOPLE[0]} for name in PEOPLE}
        plan = plan_work(catalog, Labeling.model_validate({"annotators": away}))
        apply_plan(catalog, plan)
        after = assigned(catalog, "one")
        assert all(PEOPLE[0] not in names and len(names) == 1 for names in after.values())
        assert all(after[i] == before[i] for i in before if before[i] != [PEOPLE[0]])
        assert [load.labels for load in plan.loads] == [12] * 5

    def test_paused_and_cancelled_batches_are_not_given_out(self, catalog: Catalog) -> None:
        for name in ("on", "paused", "cancelled"):
            wait(catalog, name, image_ids(6, seed=name))
        change_state(catalog, "paused", "paused")
        change_state(catalog, "cancelled", "cancelled")
        plan = plan_work(catalog, labeling())
        assert plan.labels == 6
        assert set(plan.tasks["batch"].to_pylist()) == {"on"}

    def test_a_stuck_batch_takes_nothing_from_the_others(self, catalog: Catalog) -> None:
        wait(catalog, "stuck", image_ids(60, seed="s"), deadline=START - timedelta(days=9))
        wait(catalog, "good", image_ids(60))
        plan = plan_work(catalog, labeling())
        counts = np.unique(plan.tasks["batch"].to_numpy(zero_copy_only=False), return_counts=True)
        assert dict(zip(*counts, strict=True)) == {"good": 60, "stuck": 60}
        assert [load.labels for load in plan.loads] == [20] * 6

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_with_twice_and_three_times_the_people_the_same_calls_work(
        self, catalog: Catalog, times: int
    ) -> None:
        """Who manages does the same: names the new, and plans anew."""
        wait(catalog, "one", image_ids(900), overlap=2)
        apply_plan(catalog, plan_work(catalog, labeling()))
        people = [f"studio-{n}" for n in range(1, 6 * times + 1)]
        plan = plan_work(catalog, labeling(people), anew=True)
        apply_plan(catalog, plan)
        labels = [load.labels for load in plan.loads]
        assert sum(labels) == 1800
        assert max(labels) - min(labels) <= 1
        assert len(plan.loads) == 6 * times


def test_accounts_of_the_inspector_follow_from_the_plan(catalog: Catalog) -> None:
    wait(catalog, "one", image_ids(60))
    plan = plan_work(catalog, labeling(PEOPLE[:2]))
    assert accounts_by_batch(plan) == {"one": ("user1", "user2")}


def test_without_anybody_it_says_so(catalog: Catalog) -> None:
    wait(catalog, "one", image_ids(6))
    plan = plan_work(catalog, Labeling())
    assert plan.loads == ()
    assert [(u.batch, u.labels) for u in plan.unassigned] == [("one", 6)]
    assert "labeling.annotators" in plan.unassigned[0].why


def test_an_overlap_larger_than_the_workforce_is_told(catalog: Catalog) -> None:
    wait(catalog, "one", image_ids(10), overlap=4)
    plan = plan_work(catalog, labeling(PEOPLE[:3]))
    [left] = plan.unassigned
    assert (left.labels, plan.labels) == (10, 30)
    assert "more annotators than the 3" in left.why


def test_pa_schema_is_kept(catalog: Catalog) -> None:
    wait(catalog, "one", image_ids(3))
    plan = plan_work(catalog, labeling())
    assert plan.tasks.schema.names == ["batch", "image_id", "assignee"]
    assert plan.tasks.schema.field("assignee").type == pa.string()
