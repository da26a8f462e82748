from __future__ import annotations

import pytest

from cv_pipeline.catalog.datalake.image_batches import set_aside
from cv_pipeline.errors import CatalogError, PluginError, QueryError
from cv_pipeline.labeling.batches import division
from cv_pipeline.labeling.batches.declared import change, declared_batches
from cv_pipeline.labeling.sampling import selection
from cv_pipeline.labeling.sampling.selection import arms_of, select_batch
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world, write_signatures
from tests.labeling.prelabelled_lake import WAITING, prelabel, write_features

# expected corrections: 0.5 on 3, 0.4 on 2, 0.1 on 0, and none on 4
SAYS = {0: [("kiwi", 0.9)], 2: [("lemon", 0.6)], 3: [("kiwi", 0.5)]}


@pytest.fixture
def world(tmp_path, monkeypatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    made = make_datalake_world(tmp_path)
    write_features(made, range(6))
    write_signatures(made, {n: [1, n] for n in range(6)})
    return made


def chosen(world: DatalakeWorld, name: str) -> dict[int, str]:
    return {
        world.ids.index(r["image_id"]): r["arm"] for r in arms_of(world.catalog, name).to_pylist()
    }


def test_the_least_sure_are_set_aside_beside_a_control_arm(world):
    prelabel(world, SAYS)
    made = select_batch(world.open(), "next", algorithms=["uncertainty"], images=2, seed=3)
    assert (made.images, made.pool, made.model, made.unseen, made.new) == (2, 4, "m1", 0, True)
    assert made.arms == {"random": 1, "uncertainty": 1}
    arms = chosen(world, "next")
    (control,) = (n for n, arm in arms.items() if arm == "random")
    (wanted,) = (n for n, arm in arms.items() if arm == "uncertainty")
    assert wanted == next(n for n in (3, 2, 0, 4) if n != control)
    (batch,) = world.open().batches()
    assert (batch.name, batch.purpose, batch.images) == ("next", "label", 2)
    assert batch.reason == "chosen by uncertainty"
    kept = world.catalog.table("sampled_images").read().to_pylist()
    assert {(r["pool"], r["seed"], r["model"]) for r in kept} == {(4, 3, "m1")}
    assert arms_of(world.catalog, "another").num_rows == 0


def test_the_same_again_changes_nothing_and_other_images_need_another_name(world):
    prelabel(world, SAYS)
    ask = {"algorithms": ["uncertainty"], "images": 2}
    first = select_batch(world.open(), "next", **ask)
    arms = chosen(world, "next")
    assert not select_batch(world.open(), "next", **ask).new
    assert chosen(world, "next") == arms
    assert first.new
    with pytest.raises(QueryError, match="'next' is there already, with other images"):
        select_batch(world.open(), "next", algorithms=["uncertainty"], images=3)
    assert chosen(world, "next") == arms


def test_the_batch_is_declared_once_as_the_project_says(world):
    ask = {"algorithms": ["random"], "images": 2}
    select_batch(world.open(), "next", **ask)
    told = declared_batches(world.catalog)["next"]
    assert (told.task_type, told.overlap, told.state) == ("detection", 1, "open")
    change(world.catalog, "next", overlap=3)
    select_batch(world.open(), "next", **ask)
    assert declared_batches(world.catalog)["next"].overlap == 3


def test_a_selection_is_divided_by_difficulty_and_keeps_its_arms(world):
    prelabel(world, SAYS)
    ask = {"algorithms": ["uncertainty"], "images": 4, "divided": True}
    made = select_batch(world.open(), "next", **ask)
    assert all(name.startswith("next-") for name in made.batches)
    told = declared_batches(world.catalog)
    assert {told[name].difficulty for name in made.batches} == {
        name.split("-")[1] for name in made.batches
    }
    arms = {n: arm for name in made.batches for n, arm in chosen(world, name).items()}
    assert sorted(arms) == list(WAITING)
    assert sorted(arms.values()).count("random") == made.arms["random"] >= 1
    again = select_batch(world.open(), "next", **ask)
    assert (again.batches, again.new) == (made.batches, False)


def test_a_selection_that_was_killed_before_its_arms_were_written_is_completed(world):
    ask = {"algorithms": ["diversity"], "images": 2}
    select_batch(world.open(), "next", **ask)
    arms = chosen(world, "next")
    world.catalog.table("sampled_images").delete("batch = 'next'")
    assert not select_batch(world.open(), "next", **ask).new
    assert chosen(world, "next") == arms


@pytest.mark.parametrize("divided", [False, True])
def test_nothing_is_set_aside_whose_arm_is_not_written_down(world, monkeypatch, divided):
    """Killed right after it, the lake may change, and the same choice is never made again."""

    class Killed(BaseException):
        pass

    def dying(*args, **more):
        set_aside(*args, **more)
        raise Killed

    ask = {"algorithms": ["diversity"], "images": 4, "divided": divided}
    for module in (selection, division):
        monkeypatch.setattr(module, "set_aside", dying)
    with pytest.raises(Killed):
        select_batch(world.open(), "next", **ask)
    (batch,) = world.open().batches()
    assert len(chosen(world, batch.name)) == batch.images


def test_a_selection_that_was_killed_before_it_was_set_aside_may_be_another(world, monkeypatch):
    class Killed(BaseException):
        pass

    def dying(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(selection, "set_aside", dying)
        with pytest.raises(Killed):
            select_batch(world.open(), "next", algorithms=["random"], images=4)
    select_batch(world.open(), "next", algorithms=["diversity"], images=2, control=0.5)
    assert sorted(chosen(world, "next").values()) == ["diversity", "random"]


def test_images_that_others_wait_for_are_not_chosen_again(world):
    select_batch(world.open(), "first", algorithms=["random"], images=3)
    (left,) = set(WAITING) - set(chosen(world, "first"))
    made = select_batch(world.open(), "second", algorithms=["random"], images=1)
    assert (made.pool, set(chosen(world, "second"))) == (1, {left})
    with pytest.raises(QueryError, match="1 images cannot be chosen among 0"):
        select_batch(world.open(), "third", algorithms=["random"], images=1)


def test_images_of_a_cancelled_batch_can_be_chosen_again(world):
    from cv_pipeline.labeling.batches.declared import change_state

    select_batch(world.open(), "first", algorithms=["random"], images=3)
    change_state(world.catalog, "first", "cancelled")
    assert select_batch(world.open(), "second", algorithms=["random"], images=2).pool == 4


def test_images_that_no_model_has_looked_at_come_last(world):
    prelabel(world, SAYS, images=2)
    made = select_batch(world.open(), "next", algorithms=["uncertainty"], images=3, control=0.01)
    assert made.unseen == 2
    seen = world.catalog.table("prelabels").read(columns=["image_id"])["image_id"].to_pylist()
    wanted = {n for n, arm in chosen(world, "next").items() if arm == "uncertainty"}
    control = {n for n, arm in chosen(world, "next").items() if arm == "random"}
    assert {world.ids.index(i) for i in seen} - control <= wanted


def test_what_to_choose_from_can_be_said(world):
    outdoor = select_batch(
        world.open(), "o", algorithms=["random"], images=3, among="metadata.scene = 'outdoor'"
    )
    assert (outdoor.pool, set(chosen(world, "o"))) == (3, {0, 3, 4})


def test_labelled_images_are_chosen_by_what_annotators_disagree_on(world):
    again = {"algorithms": ["disagreement"], "images": 2, "purpose": "relabel"}
    made = select_batch(world.open(), "again", **again)
    assert (made.purpose, made.pool, set(chosen(world, "again"))) == ("relabel", 2, {1, 5})


def test_models_disagree_where_they_see_other_things(world):
    with pytest.raises(QueryError, match="Pre-labels of 0 models cannot disagree"):
        select_batch(world.open(), "x", algorithms=["disagreement"], images=2)
    prelabel(world, SAYS, model="m1")
    with pytest.raises(QueryError, match="Pre-labels of 1 model cannot disagree"):
        select_batch(world.open(), "x", algorithms=["disagreement"], images=2)
    prelabel(world, {**SAYS, 2: [("kiwi", 0.6)]}, model="m2")
    select_batch(world.open(), "x", algorithms=["disagreement"], images=2, control=0.01, seed=1)
    arms = chosen(world, "x")
    assert 2 in arms  # by disagreement, unless chance took it first


def test_failures_are_those_that_a_query_finds(world):
    ask = {"algorithms": ["failures"], "images": 2, "control": 0.01}
    select_batch(world.open(), "f", failing="path = '5.jpg'", **ask)
    arms = chosen(world, "f")
    control = next(n for n, arm in arms.items() if arm == "random")
    assert arms[4 if control != 4 else 3] == "failures"  # [1, 4] is nearest to [1, 5]
    with pytest.raises(PluginError, match="no image that the model does badly on"):
        select_batch(world.open(), "g", failing="path = 'x.jpg'", **ask)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"algorithms": ["diversty"]}, PluginError, "'diversty'. Did you mean 'diversity'"),
        ({"images": 9}, QueryError, "9 images cannot be chosen among 4. Ask for 1 to 4"),
        ({"images": 0}, QueryError, "0 images cannot be chosen among 4"),
        ({"control": 0.0}, QueryError, "A control arm of 0 of the images is not possible"),
        ({"control": 1.5}, QueryError, "A control arm of 1.5 of the images is not possible"),
        ({"among": "pth = 'x'"}, QueryError, "pth"),
        ({"algorithms": ["uncertainty"]}, QueryError, "No model has looked at the images of fruit"),
    ],
)
def test_bad_input_is_told(world, asked, error, said):
    wanted = {"algorithms": ["random"], "images": 2} | asked
    with pytest.raises(error, match=said):
        select_batch(world.open(), "next", **wanted)
    assert world.open().batches() == []


def test_an_unknown_model_is_told(world):
    prelabel(world, SAYS)
    with pytest.raises(CatalogError, match=r"no models 'm7'\. Did you mean 'm1'"):
        select_batch(world.open(), "n", algorithms=["rarity"], images=2, model="m7")
