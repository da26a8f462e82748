"""The gate: each part that is missing is named, and volume work starts when all stand."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cv_pipeline.annotations.ontology import lock
from cv_pipeline.catalog.query import parse
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ProjectError
from cv_pipeline.labeling.batches.declared import declare
from cv_pipeline.labeling.batches.gate_facts import gold_counts
from cv_pipeline.labeling.batches.hand_off import missing, state
from cv_pipeline.labeling.batches.pilot import pilot_rounds
from cv_pipeline.labeling.batches.pilot_parts import pilot_parts
from cv_pipeline.labeling.exchange.imported import note_imported, states_pulled
from cv_pipeline.project import Project, load_project
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import annotate, image_ids, push, set_aside, table_of

IMAGES = image_ids(12)
SETTINGS = {
    "name": "fruit",
    "task": "detection",
    "charter": {"problem": "Find fruit."},
    "source": {"images": "unused"},
    "annotations": {"source": "unused"},
    "ontology": {"labels": ["apple", "pear"], "attributes": {"hidden": [], "side": ["l", "r"]}},
    "training": {"model": "fcos_resnet18", "input_size": [96, 96]},
}
HAND_OFF = {
    "gold": {"min_per_class": 2, "edge_cases": ["hidden", "side=l"], "min_per_edge_case": 1},
    "review": {"share": 0.1, "owner": "quality engineer"},
    "pilot": {"min_images": 8},
}


def project(hand_off: dict[str, object] | None = None, **more: object) -> Project:
    labeling = {"hand_off": HAND_OFF if hand_off is None else HAND_OFF | hand_off}
    return Project.model_validate(SETTINGS | {"labeling": labeling} | more)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    (tmp_path / "projects" / "fruit" / "guidelines").mkdir(parents=True)
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def write_guideline(tmp_path: Path, text: str = "Draw boxes.") -> None:
    (tmp_path / "projects" / "fruit" / "guidelines" / "1.md").write_text(text)


def add_labels(catalog: Catalog, images: list[str], annotator: str, label: str, **more: object):
    before = catalog.table("annotations").read()
    rows = table_of(
        ANNOTATIONS,
        len(images),
        **{
            "annotation_id": [f"{len(before)}-{annotator}-{label}-{i}" for i in images],
            "image_id": images,
            "label": label,
            "kind": "bbox",
            "x_min": 0.0,
            "y_min": 0.0,
            "x_max": 10.0,
            "y_max": 10.0,
            "attributes": "{}",
            "annotator": annotator,
            "role": "annotator",
            "ontology_version": "1",
            "guideline_version": "1",
            **more,
        },
    )
    catalog.table("annotations").replace(pa.concat_tables([before, rows]))


def make_gold(catalog: Catalog) -> None:
    gold = {"annotator": "gold", "role": "gold"}
    add_labels(catalog, IMAGES[:2], label="apple", **gold, attributes='{"hidden":true}')
    add_labels(catalog, IMAGES[1:3], label="pear", **gold, attributes='{"side":["l","r"]}')


def make_pilot(catalog: Catalog, *, agree: int = 10, name: str = "pilot", **tasks: object) -> None:
    """Ten images that ann and bob labelled, of which they agree on some."""
    images = IMAGES[:10]
    set_aside(catalog, name, images)
    declare(catalog, name, task_type="detection", overlap=2, pilot=True)
    told = {"ontology_version": "1", "guideline_version": "1"} | tasks
    push(catalog, name, images, **told)
    for who in ("ann", "bob"):
        annotate(catalog, name, images, who)
    for number, image in enumerate(images):
        label = "apple" if number % 2 else "pear"
        add_labels(catalog, [image], "ann", label)
        other = label if number < agree else ("pear" if label == "apple" else "apple")
        add_labels(catalog, [image], "bob", other)
    note_imported(catalog, states=states_pulled(catalog))


def test_where_a_pilot_disagrees_is_told_the_worst_first_with_its_images(catalog, tmp_path):
    write_guideline(tmp_path)
    make_gold(catalog)
    make_pilot(catalog, agree=6)
    settings = project()
    rows = catalog.table("annotations").read()
    at = rows.schema.get_field_index("attributes")
    hidden = pc.and_(
        pc.equal(rows["role"], "annotator"),
        pc.is_in(rows["image_id"], value_set=pa.array(IMAGES[4:10])),
    )
    marked = pc.if_else(hidden, '{"hidden":true}', rows["attributes"])
    catalog.table("annotations").replace(rows.set_column(at, rows.schema.field(at), marked))
    [pilot] = state(settings, catalog=catalog).pilots
    found = pilot_parts(settings, catalog, pilot)
    told = {(one.part.kind, one.part.name): one for one in found}
    values = [one.part.alpha.value for one in found if one.part.alpha.value is not None]
    assert values == sorted(values)
    assert (found[0].part.kind, found[0].part.name, found[0].fails) == ("edge case", "hidden", True)
    assert found[0].part.images == 6
    assert told["edge case", "side=l"].part.alpha.value is None
    assert set(told) == {
        ("class", "apple"), ("class", "pear"), ("edge case", "hidden"), ("edge case", "side=l"),
        ("pair", "ann and bob"),
    }  # fmt: skip
    assert told["pair", "ann and bob"].part.alpha.value == pilot.agreement.alpha.value
    for one in found:  # each is a query that can be asked
        assert str(parse(one.query))
    assert "attribute['hidden'] = true" in found[0].query


def parts(found) -> list[str]:
    return [one.part for one in found]


def test_of_a_project_that_has_nothing_every_part_is_missing_with_what_to_do(catalog, tmp_path):
    set_aside(catalog, "volume", IMAGES)
    found = missing(project(hand_off={"review": {}}), catalog=catalog, batch="volume")
    assert parts(found) == ["schema", "gold", "review", "review", "pilot"]
    assert all(one.do for one in found)
    told = "\n".join(map(str, found))
    assert f"{tmp_path}/projects/fruit/guidelines/1.md" in told
    assert "apple (0 of 2), pear (0 of 2), hidden (0 of 1), side=l (0 of 1)" in told
    assert "share and owner of labeling.hand_off.review is missing" in told
    assert "cvp batch fruit volume --overlap 2" in told


def test_volume_work_starts_when_everything_stands(catalog, tmp_path):
    write_guideline(tmp_path)
    make_gold(catalog)
    make_pilot(catalog)
    set_aside(catalog, "volume", IMAGES)
    assert missing(project(), catalog=catalog, batch="volume") == ()
    now = state(project(), catalog=catalog)
    assert now.missing == ()
    (pilot,) = now.pilots
    assert (pilot.finished, pilot.agreement.images, pilot.agreement.alpha.value) == (True, 10, 1.0)
    assert all(count.enough for count in now.gold)


def test_a_pilot_needs_the_schema_the_guideline_and_two_people(catalog, tmp_path):
    set_aside(catalog, "pilot", IMAGES)
    declare(catalog, "pilot", task_type="detection", overlap=1, pilot=True)
    assert parts(missing(project(), catalog=catalog, batch="pilot")) == ["schema", "pilot"]
    write_guideline(tmp_path)
    declare(catalog, "pilot", task_type="detection", overlap=2, pilot=True)
    assert missing(project(), catalog=catalog, batch="pilot") == ()
    small = project(hand_off={"pilot": {"max_images": len(IMAGES) - 1}})
    (found,) = missing(small, catalog=catalog, batch="pilot")
    assert "has 12 images, and pilots may have 11 together: more is volume work" in found.what


def test_small_pilots_count_together(catalog, tmp_path):
    write_guideline(tmp_path)
    few = project(hand_off={"pilot": {"max_images": 10}})
    now = {"ontology_version": "1", "guideline_version": "1"}
    before = {"a": (IMAGES[:4], now), "b": (IMAGES[4:6], now | {"guideline_version": "0"})}
    for number, (name, (images, versions)) in enumerate(before.items(), start=1):
        set_aside(catalog, name, images)
        declare(catalog, name, task_type="detection", overlap=2, pilot=True)
        push(catalog, name, images, tool_project=number, **versions)
    declare(catalog, "a", task_type="detection", overlap=2)  # a pilot once is a pilot
    set_aside(catalog, "c", IMAGES[6:])
    declare(catalog, "c", task_type="detection", overlap=2, pilot=True)
    # b was of another guideline, so that 4 + 6 images are the most there may be
    assert missing(few, catalog=catalog, batch="c") == ()
    set_aside(catalog, "d", IMAGES[5:])
    declare(catalog, "d", task_type="detection", overlap=2, pilot=True)
    (found,) = missing(few, catalog=catalog, batch="d")
    assert "'d' has 7 images, 11 with the pilots of these versions before it (a), and" in found.what
    # what is in the tool already is not counted twice
    push(catalog, "c", IMAGES[6:8], tool_project=3, **now)
    assert missing(few, catalog=catalog, batch="c") == ()


def test_labels_that_are_pulled_and_not_imported_are_nobodys_fault(catalog, tmp_path):
    write_guideline(tmp_path)
    make_gold(catalog)
    make_pilot(catalog, agree=6)
    annotate(catalog, "pilot", IMAGES[:3], "cem")
    (found,) = state(project(), catalog=catalog).of("pilot")
    assert found.what.startswith("3 states of annotations are pulled and not imported yet")
    assert "cvp run fruit --select annotation_exports" in found.do
    note_imported(catalog, states=states_pulled(catalog))
    (found,) = state(project(), catalog=catalog).of("pilot")
    assert "shows too little agreement" in found.what


def test_a_changed_guideline_unlocks_the_schema(catalog, tmp_path):
    write_guideline(tmp_path)
    lock(project(), catalog)
    write_guideline(tmp_path, "Draw other boxes.")
    (one,) = state(project(), catalog=catalog).of("schema")
    assert "has changed" in one.what
    assert "raise ontology.guideline_version" in one.do


@pytest.mark.parametrize(
    ("agree", "rule", "told"),
    [
        (6, {}, r"alpha is 0\.2.* and its lower bound must be at least 0\.667"),
        # an estimate that would pass is not enough, as long as the sample is this small
        (9, {}, "its lower bound must be"),
        (9, {"bound": "value"}, None),
        (9, {"bound": "value", "min_alpha": 0.95}, "and it must be at least 0.95"),
        (10, {"min_images": 11}, "10 images were labelled by two people, and 11"),
        (10, {"min_mean_iou": 1.0}, None),
    ],
)
def test_a_pilot_must_show_agreement(catalog, tmp_path, agree, rule, told):
    write_guideline(tmp_path)
    make_gold(catalog)
    make_pilot(catalog, agree=agree)
    settings = project(hand_off={"pilot": {"min_images": 8} | rule})
    found = state(settings, catalog=catalog).of("pilot")
    if told is None:
        assert found == ()
    else:
        (one,) = found
        assert re.search(told, one.what), one.what


def test_a_pilot_of_another_guideline_or_one_that_is_not_finished_does_not_count(catalog, tmp_path):
    write_guideline(tmp_path)
    make_pilot(catalog, guideline_version="0")
    (one,) = state(project(), catalog=catalog).of("pilot")
    assert "No pilot round was labelled under ontology '1' and guideline '1'" in one.what

    set_aside(catalog, "second", IMAGES[10:])
    declare(catalog, "second", task_type="detection", overlap=2, pilot=True)
    more = {"tool_project": 2, "ontology_version": "1", "guideline_version": "1"}
    push(catalog, "second", IMAGES[10:], **more)
    (one,) = state(project(), catalog=catalog).of("pilot")
    assert "'second' is not finished: 0 of 2" in one.what


def test_a_label_that_was_deleted_in_the_tool_says_nothing(catalog, tmp_path):
    """Who took a label back did not say that there is nothing."""
    write_guideline(tmp_path)
    make_pilot(catalog)
    annotate(catalog, "pilot", IMAGES[:10], "cem", deleted=True)
    (pilot,) = state(project(), catalog=catalog).pilots
    assert pilot.agreement.annotators == 2
    annotate(catalog, "pilot", IMAGES[:1], "dee")
    (pilot,) = state(project(), catalog=catalog).pilots
    assert (pilot.agreement.annotators, pilot.agreement.agreed) == (3, 9)


@pytest.mark.parametrize("task", ["detection", "classification"])
def test_marking_ground_truth_changes_no_agreement(catalog, tmp_path, task):
    """A reviewer who marks what an annotator drew does not make it nobody's answer."""
    write_guideline(tmp_path)
    make_pilot(catalog, agree=6)
    settings = project().model_copy(update={"task": task})
    rows = catalog.table("annotations").read()
    if task == "classification":
        at = rows.schema.get_field_index("kind")
        kinds = pa.array(["class"] * len(rows), pa.string())
        rows = rows.set_column(at, rows.schema.field(at), kinds)
        catalog.table("annotations").replace(rows)
    (before,) = pilot_rounds(settings, catalog)
    marked = pc.and_(
        pc.equal(rows["annotator"], "ann"), pc.is_in(rows["image_id"], pa.array(IMAGES[:5]))
    )
    at = rows.schema.get_field_index("role")
    roles = pc.if_else(marked, "gold", rows["role"])
    catalog.table("annotations").replace(rows.set_column(at, rows.schema.field(at), roles))
    # truth that nobody drew in the round is still nobody's answer
    add_labels(catalog, IMAGES[:2], "gold", "apple", role="gold")
    add_labels(catalog, IMAGES[2:4], "rev", "apple", role="gold")
    (after,) = pilot_rounds(settings, catalog)
    assert (before.agreement.images, before.agreement.annotators) == (10, 2)
    assert before.agreement.alpha.value is not None
    assert after.agreement == before.agreement


def test_a_batch_that_was_begun_under_another_version_is_not_pushed_on(catalog):
    settings = project(hand_off={"enforce": False})
    set_aside(catalog, "volume", IMAGES)
    push(catalog, "volume", IMAGES[:4], ontology_version="1", guideline_version="0")
    (one,) = missing(settings, catalog=catalog, batch="volume")
    assert "begun under ontology '1' and guideline '0', which are '1' and '1' now" in one.what
    push(catalog, "volume", IMAGES[:4], ontology_version="1", guideline_version="1")
    assert missing(settings, catalog=catalog, batch="volume") == ()


def test_gold_is_counted_by_images(catalog):
    make_gold(catalog)
    counts = {c.name: c.images for c in gold_counts(project(), catalog)}
    assert counts == {"apple": 2, "pear": 2, "hidden": 2, "side=l": 2}


def test_a_gate_that_is_not_enforced_lets_through_and_tells_all_the_same(catalog):
    settings = project(hand_off={"enforce": False})
    set_aside(catalog, "volume", IMAGES)
    assert missing(settings, catalog=catalog, batch="volume") == ()
    now = state(settings, catalog=catalog)
    assert not now.enforced
    assert now.missing


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("hiden", "'hiden' is not an attribute. Did you mean 'hidden'"),
        ("side", "needs a value of 'side'"),
        ("side=top", "needs a value of 'side'"),
        ("hidden=maybe", "needs a value of 'hidden'"),
    ],
)
def test_an_edge_case_that_is_no_attribute_is_a_mistake(tmp_path, case, message):
    path = tmp_path / "fruit" / "project.yaml"
    path.parent.mkdir()
    path.write_text(
        "name: fruit\ntask: detection\ncharter: {problem: x}\nsource: {images: x}\n"
        "annotations: {source: x}\ntraining: {model: fcos_resnet18, input_size: [96, 96]}\n"
        "ontology: {labels: [a], attributes: {hidden: [], side: [l, r]}}\n"
        f"labeling:\n  hand_off:\n    gold:\n      edge_cases: [{case}]\n"
    )
    with pytest.raises(ProjectError, match=rf"line 11: .*edge_cases\.0 {message}"):
        load_project(path)
