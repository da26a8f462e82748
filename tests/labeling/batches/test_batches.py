"""Batches: their states, what people declare, and how far they are."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError, QueryError
from cv_pipeline.labeling.batches.declared import (
    LabelingBatch,
    advance,
    change,
    change_state,
    declare,
    labeling_batch,
    list_labeling_batches,
    resume,
)
from cv_pipeline.labeling.batches.image_states import next_tasks
from cv_pipeline.labeling.batches.states import ALLOWED, STATES, State, added_up
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import START, annotate, image_ids, push, set_aside

SOON = START + timedelta(hours=2)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def of(catalog: Catalog, name: str, now: datetime = SOON) -> LabelingBatch:
    return labeling_batch(catalog, name, now=now)


def test_what_is_meant_for_somebody_comes_before_what_is_for_anybody(catalog: Catalog) -> None:
    """Whatever batch it is of: what is anybody's of an urgent one waits until theirs is done."""
    for name, priority, assignee in (("urgent", 5, ["", "ann"]), ("other", 0, ["ann", ""])):
        images = image_ids(2, seed=name)
        set_aside(catalog, name, images)
        declare(catalog, name, task_type="detection", priority=priority)
        push(catalog, name, images, tool_project=1 + priority, assignee=assignee)
    batches = list_labeling_batches(catalog, now=SOON)
    found = next_tasks(catalog, batches, names=["ann"], account="a", most=9)
    assert list(zip(found["batch"].to_pylist(), found["free"].to_pylist(), strict=True)) == [
        ("urgent", False), ("other", False), ("urgent", True), ("other", True),
    ]  # fmt: skip


class TestDeclaring:
    def test_a_batch_has_the_settings_it_was_declared_with(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(4))
        deadline = datetime(2026, 12, 1, tzinfo=UTC)
        assert declare(
            catalog,
            "one",
            task_type="detection",
            difficulty="hard",
            queue="night",
            owner="anna",
            overlap=3,
            priority=5,
            deadline=deadline,
            pilot=True,
            actor="ben",
        )
        one = of(catalog, "one")
        assert (one.state, one.declared, one.images) == ("open", True, 4)
        assert (one.task_type, one.difficulty, one.queue) == ("detection", "hard", "night")
        assert (one.owner, one.overlap, one.priority) == ("anna", 3, 5)
        assert (one.deadline, one.pilot) == (deadline, True)

    def test_declaring_it_again_changes_nothing(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(1))
        assert declare(catalog, "one", task_type="detection")
        assert not declare(catalog, "one", task_type="detection")
        assert catalog.table("labeling_batches").version == 1 + 1  # made, and one event

    def test_other_settings_leave_the_state(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(1))
        declare(catalog, "one", task_type="detection")
        change_state(catalog, "one", "paused")
        assert change(catalog, "one", owner="ben", overlap=2)
        one = of(catalog, "one")
        assert (one.state, one.owner, one.overlap, one.task_type) == (
            "paused",
            "ben",
            2,
            "detection",
        )

    def test_what_was_never_declared_has_the_defaults(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(2))
        one = of(catalog, "one")
        assert (one.state, one.declared, one.overlap, one.difficulty) == (
            "open",
            False,
            1,
            "medium",
        )

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"difficulty": "hrad"}, "Did you mean 'hard'"),
            ({"overlap": 0}, "1 to 50"),
            ({"overlap": 51}, "1 to 50"),
            ({"queue": " "}, "queue ' ' cannot be one"),
            ({"task_type": "x" * 64}, "1 to 63 characters"),
            ({"deadline": datetime(2026, 1, 1)}, "no time zone"),
            ({"priority": 10**7}, "the larger comes first"),
        ],
    )
    def test_a_setting_that_cannot_be_is_refused(
        self, catalog: Catalog, settings: dict[str, Any], told: str
    ) -> None:
        set_aside(catalog, "one", image_ids(1))
        with pytest.raises(LabelingError, match=told):
            declare(catalog, "one", **{"task_type": "detection", **settings})
        assert not of(catalog, "one").declared

    def test_an_unknown_batch_names_the_nearest(self, catalog: Catalog) -> None:
        set_aside(catalog, "yard-1", image_ids(1))
        with pytest.raises(QueryError, match="Did you mean 'yard-1'"):
            declare(catalog, "yard-2", task_type="detection")


class TestStates:
    @pytest.mark.parametrize("before", STATES)
    @pytest.mark.parametrize("after", STATES)
    def test_only_allowed_changes_are_made(
        self, catalog: Catalog, before: State, after: State
    ) -> None:
        ways: dict[State, tuple[State, ...]] = {
            "open": (),
            "pushed": ("pushed",),
            "in_progress": ("pushed", "in_progress"),
            "done": ("pushed", "done"),
            "paused": ("paused",),
            "cancelled": ("cancelled",),
        }
        set_aside(catalog, "one", image_ids(1))
        declare(catalog, "one", task_type="detection")
        for state in ways[before]:
            change_state(catalog, "one", state)
        if before == after:
            assert not change_state(catalog, "one", after)
        elif after in ALLOWED[before]:
            assert change_state(catalog, "one", after)
        else:
            with pytest.raises(LabelingError, match=r"'one' is .* and cannot become"):
                change_state(catalog, "one", after)

    def test_a_paused_batch_goes_on_where_it_was(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(2))
        push(catalog, "one", image_ids(2))
        change_state(catalog, "one", "pushed")
        change_state(catalog, "one", "paused")
        assert of(catalog, "one").state == "paused"
        assert resume(catalog, "one") == "pushed"
        with pytest.raises(LabelingError, match="not paused"):
            resume(catalog, "one")

    def test_a_misspelt_state_names_the_nearest(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(1))
        with pytest.raises(LabelingError, match="'cancelled'"):
            change_state(catalog, "one", cast("State", "canceled"))

    @given(
        states=st.lists(st.sampled_from(["", *STATES]), max_size=12),
        order=st.randoms(use_true_random=False),
    )
    def test_events_add_up_to_the_same_in_any_order_and_never_break_the_rules(
        self, states: list[str], order: random.Random
    ) -> None:
        event = {
            "task_type": "detection",
            "difficulty": "easy",
            "queue": "q",
            "owner": "",
            "overlap": 1,
            "priority": 0,
            "deadline": None,
            "pilot": False,
        }
        events = [
            {**event, "state": s, "owner": str(n), "actor": "a", "at": START + timedelta(seconds=n)}
            for n, s in enumerate(states)
        ]
        reached = added_up("one", events)
        state = events[0]["state"] or "open" if events else "open"
        for one in events[1:]:
            wanted = one["state"]
            if wanted and wanted in ALLOWED[state]:
                state = wanted
        assert reached.state == state
        order.shuffle(events)
        assert added_up("one", events) == reached
        if "cancelled" in states[:1]:
            assert reached.state == "cancelled"

    def test_two_changes_at_one_moment_leave_one_state(self) -> None:
        event = {
            "task_type": "t",
            "difficulty": "easy",
            "queue": "q",
            "owner": "",
            "overlap": 1,
            "priority": 0,
            "deadline": None,
            "pilot": False,
            "at": START,
        }
        first = {**event, "state": "open", "actor": "a", "at": START - timedelta(hours=1)}
        pause = {**event, "state": "paused", "actor": "a"}
        cancel = {**event, "state": "cancelled", "actor": "b"}
        assert added_up("x", [first, pause, cancel]) == added_up("x", [cancel, first, pause])
        assert added_up("x", [first, cancel, pause]).state == "cancelled"


class TestProgress:
    def test_an_image_is_labelled_by_as_many_annotators_as_the_overlap(
        self, catalog: Catalog
    ) -> None:
        images = image_ids(5)
        set_aside(catalog, "one", images)
        declare(catalog, "one", task_type="detection", overlap=2)
        assert of(catalog, "one").state == "open"
        push(catalog, "one", images)
        assert of(catalog, "one").state == "pushed"
        annotate(catalog, "one", images, "ann")
        one = of(catalog, "one")
        assert (one.state, one.labelled, one.partly, one.labels) == ("in_progress", 0, 5, 5)
        annotate(catalog, "one", images[:2], "ann")  # the same annotator twice is one
        assert of(catalog, "one").labelled == 0
        annotate(catalog, "one", images[:3], "ben")
        one = of(catalog, "one")
        assert (one.labelled, one.partly, one.labels, one.open_labels) == (3, 2, 8, 2)
        assert one.annotators == ("ann", "ben")
        annotate(catalog, "one", images[3:], "cleo")
        assert of(catalog, "one").state == "done"

    def test_cancelled_and_deleted_annotations_do_not_count(self, catalog: Catalog) -> None:
        images = image_ids(3)
        set_aside(catalog, "one", images)
        push(catalog, "one", images)
        ids = annotate(catalog, "one", images, "ann")
        assert of(catalog, "one").state == "done"
        later = START + timedelta(minutes=90)
        gone = {"annotation": ids[:1], "seen_at": later, "updated_at": later}
        annotate(catalog, "one", images[:1], "ann", **gone, deleted=True)
        skip = {"annotation": ids[1:2], "seen_at": later, "updated_at": later}
        annotate(catalog, "one", images[1:2], "ann", **skip, cancelled=True)
        one = of(catalog, "one")
        assert (one.state, one.labelled, one.skipped) == ("in_progress", 1, 1)

    def test_tasks_deleted_in_the_tool_are_not_waited_for(self, catalog: Catalog) -> None:
        images = image_ids(4)
        set_aside(catalog, "one", images)
        push(catalog, "one", images[:3])
        push(catalog, "one", images[3:], state="deleted")
        annotate(catalog, "one", images[:3], "ann")
        one = of(catalog, "one")
        assert (one.pushed, one.deleted, one.state, one.open_labels) == (3, 1, "done", 0)

    def test_images_set_aside_again_count_as_rejected(self, catalog: Catalog) -> None:
        images = image_ids(4)
        set_aside(catalog, "one", images)
        push(catalog, "one", images)
        annotate(catalog, "one", images, "ann")
        set_aside(catalog, "again", images[:3], purpose="relabel", at=SOON)
        set_aside(catalog, "before", images[3:], purpose="relabel", at=START)
        assert of(catalog, "one").rejected == 3

    def test_what_was_pulled_is_recorded_once(self, catalog: Catalog) -> None:
        images = image_ids(2)
        for name in ("one", "two", "three"):
            set_aside(catalog, name, images)
        push(catalog, "one", images)
        annotate(catalog, "one", images, "ann")
        push(catalog, "two", images)
        assert advance(catalog) == {"one": "done", "two": "pushed"}
        events = catalog.table("labeling_batches").read()
        assert set(events["actor"].to_pylist()) == {"auto:pull"}
        assert advance(catalog) == {}
        assert catalog.table("labeling_batches").read() == events


class TestStuck:
    def test_a_batch_that_nobody_labels_says_since_when(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(2))
        push(catalog, "one", image_ids(2))
        assert of(catalog, "one", START + timedelta(hours=47)).stuck == ""
        assert of(catalog, "one", START + timedelta(hours=50)).stuck == "no annotation for 2 days"

    def test_a_batch_past_its_deadline_says_by_how_much(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(2))
        declare(catalog, "one", task_type="detection", deadline=START)
        told = of(catalog, "one", START + timedelta(hours=5)).stuck
        assert told == "past its deadline by 5 h"

    def test_a_batch_whose_project_is_gone_says_so(self, catalog: Catalog) -> None:
        set_aside(catalog, "one", image_ids(2))
        push(catalog, "one", image_ids(2), state="deleted")
        assert "gone from the tool; push it again" in of(catalog, "one").stuck

    def test_a_batch_of_which_only_skipped_images_are_left_says_so(self, catalog: Catalog) -> None:
        images = image_ids(3)
        set_aside(catalog, "one", images)
        push(catalog, "one", images)
        annotate(catalog, "one", images[:2], "ann")
        annotate(catalog, "one", images[2:], "ann", cancelled=True)
        assert of(catalog, "one").stuck == "all that is left, 1, was skipped by annotators"

    @pytest.mark.parametrize("state", ["paused", "cancelled"])
    def test_a_batch_that_is_held_on_purpose_is_not_stuck(
        self, catalog: Catalog, state: State
    ) -> None:
        set_aside(catalog, "one", image_ids(2))
        declare(catalog, "one", task_type="detection", deadline=START)
        change_state(catalog, "one", state)
        assert of(catalog, "one", START + timedelta(days=90)).stuck == ""

    def test_a_stuck_batch_holds_up_no_other(self, catalog: Catalog) -> None:
        """Whatever holds a batch up, every other is what it would be without it."""
        images = image_ids(6)
        for name in ("good", "waiting"):
            set_aside(catalog, name, images)
            declare(catalog, name, task_type="detection", actor="anna")
        push(catalog, "good", images)
        annotate(catalog, "good", images[:4], "ann")
        now = START + timedelta(hours=10)
        before = list_labeling_batches(catalog, now=now)
        set_aside(catalog, "gone", images)
        push(catalog, "gone", images, state="deleted", tool_project=9)
        set_aside(catalog, "late", images)
        declare(catalog, "late", task_type="x", deadline=START, priority=99)
        set_aside(catalog, "silent", images)
        push(catalog, "silent", images, at=START - timedelta(days=9), tool_project=8)
        after = list_labeling_batches(catalog, now=now)
        assert [replace(b) for b in after if b.name in ("good", "waiting")] == before
        assert {b.name for b in after if b.stuck} == {"gone", "late", "silent"}
        annotate(catalog, "good", images[4:], "ann")
        assert advance(catalog)["good"] == "done"

    def test_what_is_urgent_comes_first_and_what_is_over_last(self, catalog: Catalog) -> None:
        for name in ("late", "first", "soon", "off"):
            set_aside(catalog, name, image_ids(1))
        declare(catalog, "first", task_type="x", priority=2)
        declare(catalog, "soon", task_type="x", deadline=START)
        change_state(catalog, "off", "cancelled")
        names = [b.name for b in list_labeling_batches(catalog, now=SOON)]
        assert names == ["first", "soon", "late", "off"]
