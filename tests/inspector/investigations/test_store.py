"""Investigations are kept whole, in whatever order steps arrive, and stay in their project."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cv_pipeline.inspector.database import METADATA, open_database
from cv_pipeline.inspector.investigations.steps import Step, kind_of, measure
from cv_pipeline.inspector.investigations.store import MOST_STEPS, Investigations
from cv_pipeline.inspector.problems import NotFound

ID, OTHER = "a" * 24, "b" * 24


def step(kind: str, elapsed: float, clicks: int, machine: float = 0.0) -> Step:
    return Step(kind, f"/p/fruit/{kind}", kind, elapsed, clicks, machine)


WALK = [
    step("alert", 0.0, 1),
    step("evaluation", 1.5, 1, 0.5),
    step("images", 4.0, 2, 0.75),
    step("image", 9.0, 3, 0.25),
    Step("run", "/p/fruit/runs/r1", "run", 20.0, 5, 1.0),
    step("page", 60.0, 9, 1.0),
]


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    engine = open_database(tmp_path)
    METADATA.create_all(engine)
    return engine


@pytest.fixture
def store(database: Engine) -> Investigations:
    return Investigations(database)


def add(store: Investigations, steps: list[Step], project: str = "fruit") -> None:
    store.add_steps(project, ID, steps, user="ada", title="dim tomatoes", alert="slice:x")


def test_steps_come_back_in_the_order_of_their_time(store: Investigations) -> None:
    for one in reversed(WALK):
        add(store, [one])
    assert [s for _, _, s in store.steps([ID])[ID]] == WALK
    found = store.get("fruit", ID)
    assert (found.title, found.alert, found.began_by) == ("dim tomatoes", "slice:x", "ada")


def test_what_it_took_is_measured_to_the_images_and_to_the_run() -> None:
    took = measure(WALK, ["r1"])
    assert (took.images_s, took.images_clicks, took.images_machine_s) == (4.0, 2, 1.25)
    assert (took.run_s, took.run_clicks, took.run_machine_s) == (20.0, 5, 2.5)
    assert took.clicks == 9
    none = measure(WALK[:2])
    assert none.images_s is none.run_s is None


def test_a_run_ends_a_walk_whatever_way_led_to_it() -> None:
    straight = [WALK[0], WALK[1], WALK[4]]
    took = measure(straight, ["r1"])
    assert (took.images_s, took.run_s, took.run_clicks, took.run_machine_s) == (None, 20.0, 5, 1.5)


def test_a_run_that_was_only_looked_at_is_not_the_end_of_a_walk() -> None:
    looked = Step("run", "/p/fruit/runs/r0?x=1", "why it failed", 2.0, 1, 0.5)
    assert measure([WALK[0], looked]).run_s is None
    assert measure([WALK[0], looked, WALK[4]], ["r1"]).run_s == 20.0


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/p/fruit", "board"),
        ("/p/fruit?by=time", "board"),
        ("/p/fruit/evaluations/abc", "evaluation"),
        ("/p/fruit/images?q=tag", "images"),
        ("/p/fruit/images/abc?q=tag", "image"),
        ("/p/fruit/runs/1", "run"),
        ("/p/fruit/datasets", "page"),
        ("/", "page"),
    ],
)
def test_an_address_says_what_was_looked_at(address: str, kind: str) -> None:
    assert kind_of(address) == kind


def test_another_project_does_not_see_it_and_cannot_add_to_it(store: Investigations) -> None:
    add(store, WALK)
    with pytest.raises(NotFound):
        store.get("cells", ID)
    with pytest.raises(NotFound):
        add(store, WALK, project="cells")
    with pytest.raises(NotFound):
        store.comment("cells", ID, user="ada", text="hello")
    with pytest.raises(NotFound):
        store.link_run("cells", ID, run_id="r", user="ada")
    assert store.newest("cells") == []
    assert len(store.steps([ID])[ID]) == len(WALK)


def test_it_is_begun_once_though_many_steps_arrive_at_once(store: Investigations) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: add(store, [one]), WALK * 4))
    assert len(store.newest("fruit")) == 1
    assert len(store.steps([ID])[ID]) == 4 * len(WALK)


def test_no_more_steps_are_kept_than_anybody_walks(store: Investigations) -> None:
    add(store, [WALK[0]] * (MOST_STEPS - 1))
    add(store, WALK)
    assert len(store.steps([ID])[ID]) == MOST_STEPS


def test_runs_comments_and_conclusion(store: Investigations) -> None:
    add(store, WALK)
    store.link_run("fruit", ID, run_id="r1", user="ada")
    store.link_run("fruit", ID, run_id="r1", user="bob")
    store.link_run("fruit", OTHER, run_id="r2", user="bob")
    assert store.runs([ID, OTHER]) == {ID: ["r1"], OTHER: ["r2"]}
    assert [i.id for i in store.of_runs("fruit", ["r1", "r9"])["r1"]] == [ID]
    assert store.of_runs("cells", ["r1"]) == {"r1": []}
    store.comment("fruit", ID, user="bob", text="<b>look</b>")
    assert [(c.user, c.text) for c in store.comments(ID)] == [("bob", "<b>look</b>")]
    store.change("fruit", ID, user="ada", conclusion="too few dim tomatoes", closed=True)
    found = store.get("fruit", ID)
    assert (found.conclusion, found.closed_by) == ("too few dim tomatoes", "ada")
    store.change("fruit", ID, user="ada", closed=False)
    assert store.get("fruit", ID).closed_at is None
    assert store.get("fruit", ID).conclusion == "too few dim tomatoes"


def test_what_somebody_looks_into_already_is_found_by_its_alert(store: Investigations) -> None:
    add(store, WALK)
    [(alert, (found, elapsed, clicks))] = store.open_of(
        "fruit", user="ada", alerts=["slice:x", "slice:y", ""]
    ).items()
    assert (alert, found.id, elapsed, clicks) == ("slice:x", ID, 60.0, 9)
    assert store.open_of("fruit", user="bob", alerts=["slice:x"]) == {}
    assert store.open_of("cells", user="ada", alerts=["slice:x"]) == {}
    store.change("fruit", ID, user="ada", closed=True)
    assert store.open_of("fruit", user="ada", alerts=["slice:x"]) == {}


def test_one_in_which_nothing_was_done_is_not_listed(store: Investigations) -> None:
    def listed() -> list[str]:
        return [i.id for i in store.newest("fruit", idle=False)]

    add(store, WALK[:2])  # the alert, and where it led
    assert (listed(), store.idle("fruit")) == ([], 1)
    assert [i.id for i in store.newest("fruit")] == [ID]
    add(store, [WALK[2]])
    assert (listed(), store.idle("fruit")) == ([ID], 0)
    for number, done in enumerate(
        (
            lambda i: store.comment("fruit", i, user="bob", text="seen"),
            lambda i: store.link_run("fruit", i, run_id="r", user="ada"),
            lambda i: store.change("fruit", i, user="ada", conclusion="nothing"),
        )
    ):
        name = f"{number}" * 24
        store.add_steps("fruit", name, WALK[:1], user="ada", title="t", alert="a")
        assert name not in listed()
        done(name)
        assert name in listed()


def test_it_outlives_the_process(tmp_path: Path) -> None:
    add(Investigations(open_database(tmp_path)), WALK)
    assert Investigations(open_database(tmp_path)).get("fruit", ID).title == "dim tomatoes"
