from __future__ import annotations

import pytest

from cv_pipeline.catalog.schemas import PRELABELS
from cv_pipeline.errors import CatalogError
from cv_pipeline.labeling.batches.declared import change_state, declare
from cv_pipeline.labeling.prelabels import prelabel_model
from cv_pipeline.labeling.prelabels.doubts import doubts
from cv_pipeline.labeling.prelabels.prelabel_model import model_to_push
from cv_pipeline.labeling.prelabels.prelabelling import (
    known_model,
    latest_model,
    make_prelabels,
    models,
    prelabels_for,
)
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world, write_signatures
from tests.labeling.label_tables import push, set_aside
from tests.labeling.prelabelled_lake import WAITING, Says, prelabel, project, write_features

SAYS = {0: [("kiwi", 0.9), ("lemon", 0.4)], 2: [("lemon", 0.25)], 3: [("kiwi", 0.6)]}


@pytest.fixture
def world(tmp_path, monkeypatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    made = make_datalake_world(tmp_path)
    write_features(made, range(6))
    return made


def test_images_without_labels_are_asked_about_once_by_each_model(world):
    says = Says(world, SAYS)
    first = make_prelabels(project(), catalog=world.catalog, model="m1", predict=says)
    assert says.asked == [list(WAITING)]
    assert (first.new, first.waiting, first.images, first.objects) == (4, 0, 4, 3)
    again = make_prelabels(project(), catalog=world.catalog, model="m1", predict=says)
    assert len(says.asked) == 1
    assert (again.new, again.digest) == (0, first.digest)
    other = make_prelabels(project(), catalog=world.catalog, model="m2", predict=says)
    assert says.asked[1:] == [list(WAITING)]
    assert other.digest != first.digest
    assert models(world.catalog) == ["m2", "m1"]
    assert latest_model(world.catalog) == "m2"


def test_what_is_suggested_can_be_read_by_image(world):
    prelabel(world, SAYS)
    rows = prelabels_for(world.catalog, world.ids, model="m1")
    assert rows.schema.remove_metadata() == PRELABELS
    assert [
        (world.ids.index(r["image_id"]), r["object"], r["label"], r["score"], r["kind"])
        for r in sorted(
            rows.to_pylist(), key=lambda r: (world.ids.index(r["image_id"]), r["object"])
        )
    ] == [(0, 0, "kiwi", 0.9, "bbox"), (0, 1, "lemon", 0.4, "bbox"), (3, 0, "kiwi", 0.6, "bbox")]
    of_three = prelabels_for(world.catalog, [world.ids[3]], model="m1").to_pylist()[0]
    assert [of_three[e] for e in ("x_min", "y_min", "x_max", "y_max")] == [31, 2, 41, 12]
    assert of_three["uncertainty"] == pytest.approx(0.4)
    assert not len(prelabels_for(world.catalog, world.ids, model="m2"))
    assert not len(prelabels_for(world.catalog, [], model="m1"))


def test_a_run_is_bounded_and_the_next_goes_on(world):
    sizes = [prelabel(world, SAYS, images=3) for _ in range(3)]
    assert [(r.new, r.waiting, r.images) for r in sizes] == [(3, 1, 3), (1, 0, 4), (0, 0, 4)]
    whole = prelabel(world, SAYS, model="m9")
    assert whole.objects == sizes[-1].objects
    assert prelabel(world, SAYS, model="m8", images=0).images == 0


def test_what_cannot_be_decoded_or_was_taken_out_is_left_out(world):
    world.catalog.table("image_features").delete(f"image_id = '{world.ids[2]}'")
    world.take_out(4)
    says = Says(world, SAYS)
    make_prelabels(project(), catalog=world.catalog, model="m1", predict=says)
    assert says.asked == [[0, 3]]


def test_where_a_model_is_unsure_is_told_by_class_slice_and_image(world):
    prelabel(world, SAYS)
    found = doubts(world.catalog, model="m1", keys=["scene"])
    classes = {r["where"]: r for r in found.classes.to_pylist()}
    assert classes["kiwi"]["suggested"] == 2
    assert classes["kiwi"]["expected_corrections"] == pytest.approx(0.5)
    assert classes["lemon"]["of_each"] == pytest.approx(0.6)
    # 0: 0.1 + 0.4; 3: 0.4; 4: 0 are outdoor, 2: 0.25 is indoor
    slices = {r["where"]: r for r in found.slices.to_pylist()}
    assert slices["scene=outdoor"]["expected_corrections"] == pytest.approx(0.9)
    assert slices["scene=outdoor"]["of_each"] == pytest.approx(0.3)
    assert slices["scene=indoor"]["of_each"] == pytest.approx(0.25)
    assert world.numbers(found.images["image_id"]) == [0, 3, 2, 4]
    assert found.mean == pytest.approx(1.15 / 4)
    assert sum(found.histogram["images"].to_pylist()) == 4
    assert doubts(world.catalog, model="nobody").mean is None


def test_a_model_may_be_named_by_a_prefix(world):
    assert known_model(world.catalog, None) is None
    prelabel(world, SAYS, model="abc1")
    prelabel(world, SAYS, model="abd2")
    assert known_model(world.catalog, None) == "abd2"
    assert known_model(world.catalog, "abc") == "abc1"
    with pytest.raises(CatalogError, match="pre-labels of 2 models 'ab'"):
        known_model(world.catalog, "ab")
    with pytest.raises(CatalogError, match=r"pre-labels of no models 'abx1'\. Did you mean 'abc1'"):
        known_model(world.catalog, "abx1")


def test_neighbours_pre_label_without_a_model(world, tmp_path):
    path = tmp_path / "projects" / "fruit" / "project.yaml"
    text = path.read_text().replace("task: detection", "task: classification")
    path.write_text(text.replace("fcos_resnet18", "resnet18_small"))
    write_signatures(world, {0: [1, 0], 1: [1, 0.1], 2: [0, 1], 3: [1, 0], 4: [0, 1], 5: [0, 1]})
    classes = world.catalog.table("annotations").read().to_pylist()
    rows = [r | {"kind": "class", "x_max": None} for r in classes]
    import pyarrow as pa

    schema = world.catalog.table("annotations").schema
    world.catalog.table("annotations").merge(
        pa.Table.from_pylist(rows, schema=schema), on=["annotation_id"]
    )
    report = make_prelabels(
        project(algorithm="neighbours"), catalog=world.catalog, model=None, predict=None
    )
    assert report.model == "neighbours"
    said = prelabels_for(world.catalog, world.ids, model="neighbours").to_pylist()
    found = {world.ids.index(r["image_id"]): (r["label"], r["kind"], r["object"]) for r in said}
    assert found == {
        0: ("kiwi", "class", 0),
        2: ("lemon", "class", 0),
        3: ("kiwi", "class", 0),
        4: ("lemon", "class", 0),
    }


def test_images_of_batches_that_wait_to_be_pushed_come_first(world):
    """Of six images 1 and 5 are labelled: 1 is to be labelled again, and 4 is in another batch."""
    for name, images, purpose in (("again", [1], "relabel"), ("new", [4], "label")):
        set_aside(world.catalog, name, [world.ids[n] for n in images], purpose=purpose)
    set_aside(world.catalog, "stopped", [world.ids[5]], purpose="relabel")
    declare(world.catalog, "stopped", task_type="detection")
    change_state(world.catalog, "stopped", "cancelled")
    says = Says(world, SAYS)
    make_prelabels(project(images=2), catalog=world.catalog, model="m1", predict=says)
    assert says.asked == [[1, 4]]
    push(world.catalog, "again", [world.ids[1]])
    more = make_prelabels(project(), catalog=world.catalog, model="m2", predict=says)
    assert says.asked[1:] == [list(WAITING)]
    assert more.waiting == 0


def test_tasks_begin_with_what_the_champion_says_and_not_with_the_last_that_said(
    world, monkeypatch
):
    assert model_to_push(project(), world.catalog) == ""
    prelabel(world, SAYS, model="good")
    prelabel(world, SAYS, model="rolled-back")
    champion = "good"
    monkeypatch.setattr(prelabel_model, "_champion", lambda _: champion)
    assert model_to_push(project(), world.catalog) == "good"
    champion = "older"  # which made no pre-labels
    assert model_to_push(project(), world.catalog) == ""
    assert model_to_push(project(model="rolled-back"), world.catalog) == "rolled-back"
    assert model_to_push(project(), world.catalog, asked="goo") == "good"
    assert model_to_push(project(), world.catalog, asked="") == ""
    with pytest.raises(CatalogError, match="Did you mean 'good'"):
        model_to_push(project(), world.catalog, asked="godo")
