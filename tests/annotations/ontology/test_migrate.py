"""Labels of older versions: what becomes of each, and that none is lost."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.annotations.ontology import migrate
from cv_pipeline.annotations.ontology.chain import Chain, applied
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.ontology import Ontology
from cv_pipeline.ontology_steps import Step


def ontology_of(*steps: dict, labels, attributes=None, original=("apple", "pear"), had=None):
    """An ontology of version 2 that steps lead to."""
    return Ontology(
        version="2",
        labels=labels,
        attributes=attributes or {},
        original={"labels": original, "attributes": had or {}},
        migrations=({"from": "1", "to": "2", "steps": steps},),
    )


def said(table: pa.Table) -> list[tuple[str, dict]]:
    return [(r["label"], json.loads(r["attributes"])) for r in table.to_pylist()]


def was(label: str) -> dict[str, str]:
    return {"ontology.was": f"{label}@1"}


def test_labels_of_the_current_version_stay_as_they_are(annotations):
    rows = annotations({"attributes": '{"b":1,"a":2}'}, {"label": "unheard of"})
    found = migrate(rows, Ontology(labels=("pear",)))
    assert found.rows.equals(rows)
    assert (len(found.unconverted), len(found.relabel), found.counts) == (0, 0, ())


@pytest.mark.parametrize(
    ("step", "more", "rows", "expected"),
    [
        # a class that is not meant comes along, and says what it was
        ({"add": ["kiwi"]}, {"labels": ("apple", "pear", "kiwi")}, ["pear"], [("pear", {})]),
        (
            {"rename": {"pear": "williams"}},
            {"labels": ("apple", "williams")},
            ["pear", "apple"],
            [("williams", {}), ("apple", {})],
        ),
        (
            {"rename": {"pear": "apple", "apple": "pear"}},
            {"labels": ("pear", "apple")},
            ["pear", "apple"],
            [("apple", {}), ("pear", {})],
        ),
        (
            {"merge": {"labels": ["apple", "pear"], "into": "fruit"}},
            {"labels": ("fruit",)},
            ["pear", "apple"],
            [("fruit", {}), ("fruit", {})],
        ),
    ],
)
def test_classes_are_converted(annotations, step, more, rows, expected):
    found = migrate(annotations(*({"label": r} for r in rows)), ontology_of(step, **more))
    assert said(found.rows) == [
        (label, attributes | was(before))
        for (label, attributes), before in zip(expected, rows, strict=True)
    ]
    assert set(found.rows["ontology_version"].to_pylist()) == {"2"}
    assert len(found.unconverted) == 0


@pytest.mark.parametrize(
    ("step", "attributes", "before", "after"),
    [
        (
            {"rename_attributes": {"dark": "night"}},
            {"night": (), "side": ("l", "r")},
            {"dark": True},
            {"night": True},
        ),
        ({"remove_attributes": ["dark"]}, {"side": ("l", "r")}, {"dark": True, "x": 1}, {"x": 1}),
        (
            {"rename_values": {"side": {"l": "left"}}},
            {"dark": (), "side": ("left", "r")},
            {"side": "l"},
            {"side": "left"},
        ),
        # yes or no becomes names, and the other way round
        (
            {"rename_values": {"dark": {"yes": "night", "no": "day"}}},
            {"dark": ("night", "day"), "side": ("l", "r")},
            {"dark": False},
            {"dark": "day"},
        ),
        # of several values each, and what is left of them
        (
            {"rename_values": {"side": {"l": "left"}}},
            {"dark": (), "side": ("left", "r")},
            {"side": ["l", "r"]},
            {"side": ["left", "r"]},
        ),
        (
            {"remove_values": {"side": ["l"]}},
            {"dark": (), "side": ("r",)},
            {"side": ["l", "r"]},
            {"side": ["r"]},
        ),
        ({"remove_values": {"side": ["l"]}}, {"dark": (), "side": ("r",)}, {"side": "l"}, {}),
        ({"add_values": {"side": ["top"]}}, {"dark": (), "side": ("l", "r", "top")}, {}, {}),
        (
            {"add_attribute": {"name": "wet", "value": "no"}},
            {"dark": (), "side": ("l", "r"), "wet": ()},
            {},
            {"wet": False},
        ),
        (
            {"add_attribute": {"name": "wet"}},
            {"dark": (), "side": ("l", "r"), "wet": ()},
            {},
            {},
        ),
    ],
)
def test_attributes_are_converted(annotations, step, attributes, before, after):
    ontology = ontology_of(
        step,
        labels=("apple", "pear"),
        attributes=attributes,
        had={"dark": (), "side": ("l", "r")},
    )
    found = migrate(annotations({"attributes": json.dumps(before)}), ontology)
    assert said(found.rows) == [("pear", after | was("pear"))]


SPLIT = {"split": {"label": "apple", "by": "ripe", "into": {"yes": "red", "no": "green"}}}


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({"ripe": True}, "red"),
        ({"ripe": False}, "green"),
        ({}, "green"),  # a box that was not ticked leaves nothing behind
    ],
)
def test_a_class_is_split_by_an_attribute(annotations, attributes, label):
    ontology = ontology_of(
        SPLIT, labels=("red", "green", "pear"), attributes={"ripe": ()}, had={"ripe": ()}
    )
    rows = annotations({"label": "apple", "attributes": json.dumps(attributes)})
    assert said(migrate(rows, ontology).rows) == [(label, attributes | was("apple"))]


def test_a_split_that_only_people_can_make_sets_the_images_aside(annotations):
    step = {"split": {"label": "apple", "into": ["red", "green"]}}
    ontology = ontology_of(step, labels=("red", "green", "pear"))
    rows = annotations(
        {"image_id": "1", "label": "apple"},
        # the same annotator's image would look as if it had no apple
        {"image_id": "1", "label": "pear"},
        # somebody else's labels of it are whole
        {"image_id": "1", "label": "pear", "annotator": "bob"},
        {"image_id": "2", "label": "pear"},
    )
    found = migrate(rows, ontology)
    assert found.relabel.to_pylist() == ["1"]
    assert (found.counts[0].converted, found.counts[0].relabel) == (0, 1)
    assert found.unconverted.select(["annotation_id", "reason"]).to_pylist() == [
        {"annotation_id": "000", "reason": "label_to_be_made_again"},
        {"annotation_id": "001", "reason": "image_to_be_labelled_again"},
    ]
    assert (
        "splits 'apple' into red, green, and only people" in found.unconverted["detail"][0].as_py()
    )
    assert found.rows["annotation_id"].to_pylist() == ["002", "003"]
    assert [r.reason for r in found.refusals()] == [
        "label_to_be_made_again",
        "image_to_be_labelled_again",
    ]


def test_a_label_that_is_lost_with_its_image_is_not_counted_as_converted(annotations):
    steps = [
        {"rename": {"pear": "williams"}},
        {"split": {"label": "apple", "into": ["red", "green"]}},
    ]
    ontology = ontology_of(*steps, labels=("red", "green", "williams"))
    rows = annotations({"label": "apple"}, {"label": "pear"}, {"label": "pear", "image_id": "2"})
    renamed, split = migrate(rows, ontology).counts
    assert (renamed.converted, split.relabel) == (1, 1)


def test_images_that_were_labelled_again_since_need_it_no_more(annotations):
    step = {"split": {"label": "apple", "into": ["red", "green"]}}
    ontology = ontology_of(step, labels=("red", "green", "pear"))
    rows = annotations(
        {"label": "apple"}, {"label": "red", "ontology_version": "2", "annotator": "bob"}
    )
    found = migrate(rows, ontology)
    assert found.relabel.to_pylist() == []
    assert found.rows["label"].to_pylist() == ["red"]
    assert len(found.unconverted) == 1


@pytest.mark.parametrize("more", [{"role": "model"}, {"role": "gold"}, {"kind": "tag"}])
def test_only_people_who_labelled_an_image_again_made_it_done(annotations, more):
    step = {"split": {"label": "apple", "into": ["red", "green"]}}
    ontology = ontology_of(step, labels=("red", "green", "pear"))
    new = {"label": "red", "ontology_version": "2", "annotator": "bob"}
    assert migrate(annotations({"label": "apple"}, new | more), ontology).relabel.to_pylist() == [
        "1"
    ]


def test_a_value_that_no_class_is_for_goes_to_people(annotations):
    step = {"split": {"label": "apple", "by": "side", "into": {"l": "red", "": "green"}}}
    ontology = ontology_of(
        step,
        labels=("red", "green", "pear"),
        attributes={"side": ("l", "r")},
        had={"side": ("l", "r")},
    )
    rows = annotations(
        {"image_id": "1", "label": "apple", "attributes": '{"side":"l"}'},
        {"image_id": "2", "label": "apple", "attributes": '{"side":"r"}'},
        {"image_id": "3", "label": "apple"},
        {"image_id": "4", "label": "apple", "attributes": '{"side":["l","r"]}'},
    )
    found = migrate(rows, ontology)
    assert found.rows["label"].to_pylist() == ["red", "green"]
    assert found.relabel.to_pylist() == ["2", "4"]


@pytest.mark.parametrize(("then", "relabel"), [("drop", []), ("relabel", ["1"])])
def test_a_class_is_deleted_with_its_labels(annotations, then, relabel):
    ontology = ontology_of({"delete": {"label": "apple", "then": then}}, labels=("pear",))
    found = migrate(annotations({"label": "apple"}, {"label": "pear"}), ontology)
    assert found.relabel.to_pylist() == relabel
    # what is dropped leaves the image whole
    assert found.rows["label"].to_pylist() == (["pear"] if then == "drop" else [])
    (count,) = found.counts
    assert (count.converted, count.dropped, count.relabel) == (
        (0, 1, 0) if then == "drop" else (0, 0, 1)
    )


def test_a_new_attribute_may_be_asked_for(annotations):
    step = {"add_attribute": {"name": "wet", "then": "relabel"}}
    ontology = ontology_of(step, labels=("apple", "pear"), attributes={"wet": ()})
    found = migrate(annotations({}), ontology)
    assert (len(found.rows), found.relabel.to_pylist()) == (1, ["1"])
    assert found.counts[0].relabel == 1


def test_labels_of_a_version_that_nobody_knows_are_told(annotations):
    ontology = ontology_of({"add": ["kiwi"]}, labels=("apple", "pear", "kiwi"))
    found = migrate(annotations({"ontology_version": "0"}, {"label": "fig"}), ontology)
    assert found.unconverted["reason"].to_pylist() == [
        "unknown_ontology_version",
        "unknown_label",
    ]
    assert "no migration leads to '2'" in found.unconverted["detail"][0].as_py()
    assert found.relabel.to_pylist() == []


def test_tags_of_an_image_are_no_classes(annotations):
    ontology = ontology_of({"rename": {"apple": "Apple"}}, labels=("Apple", "pear"))
    ontology = ontology.model_copy(update={"tags": ("apple",)})
    found = migrate(annotations({"kind": "tag", "label": "apple"}), ontology)
    assert found.rows["label"].to_pylist() == ["apple"]


def test_steps_are_counted_by_labels_along_the_whole_chain(annotations):
    ontology = Ontology(
        version="3",
        labels=("fruit",),
        original={"labels": ["apple", "pear", "plum"]},
        migrations=(
            {"from": "1", "to": "2", "steps": [{"delete": {"label": "plum", "then": "drop"}}]},
            {
                "from": "2",
                "to": "3",
                "steps": [{"merge": {"labels": ["apple", "pear"], "into": "fruit"}}],
            },
        ),
    )
    rows = annotations(
        {"label": "plum"},
        {"label": "apple"},
        {"label": "apple", "ontology_version": "2"},
        {"label": "fruit", "ontology_version": "3"},
    )
    found = migrate(rows, ontology)
    assert [(c.kind, c.converted, c.dropped) for c in found.counts] == [
        ("delete", 0, 1),
        ("merge", 2, 0),
    ]
    assert [a.get("ontology.was") for _, a in said(found.rows)] == ["apple@1", "apple@2", None]


STEPS = st.lists(
    st.sampled_from(
        [
            {"rename": {"pear": "williams"}},
            {"merge": {"labels": ["apple"], "into": "red"}},
            {"split": {"label": "plum", "into": ["big", "small"]}},
            {"split": {"label": "lemon", "by": "ripe", "into": {"yes": "yellow", "no": "lime"}}},
            {"delete": {"label": "fig", "then": "drop"}},
            {"delete": {"label": "kiwi", "then": "relabel"}},
            {"add": ["mango"]},
        ]
    ),
    unique_by=str,
)
ROW = st.fixed_dictionaries(
    {
        "image_id": st.sampled_from("abc"),
        "annotator": st.sampled_from(["ann", "bob"]),
        "label": st.sampled_from(["apple", "pear", "plum", "lemon", "fig", "kiwi", "mango"]),
        "attributes": st.sampled_from(["{}", '{"ripe":true}', '{"ripe":false,"x":"y"}']),
        "ontology_version": st.sampled_from(["0", "1", "2"]),
        "kind": st.just("bbox"),
    }
)


@given(steps=STEPS, changes=st.lists(ROW, max_size=12))
def test_every_label_comes_along_or_is_told_whatever_the_steps(steps, changes):
    original = {
        "labels": ["apple", "pear", "plum", "lemon", "fig", "kiwi"],
        "attributes": {"ripe": []},
    }
    draft = Ontology(version="1", labels=original["labels"], attributes={"ripe": ()})
    # what the steps make is what is declared
    state = Chain.of(draft).versions["1"]
    for step in steps:
        state = applied(Step.model_validate(step), state, "x")
    ontology = Ontology(
        version="2",
        labels=state.labels,
        attributes={"ripe": ()},
        original=original,
        migrations=({"from": "1", "to": "2", "steps": steps},),
    )
    base = dict.fromkeys(ANNOTATIONS.names) | {
        "role": "annotator",
        "guideline_version": "1",
        "source": "export.json",
        "original_id": "",
    }
    rows = pa.Table.from_pylist(
        [base | {"annotation_id": str(i)} | c for i, c in enumerate(changes)], schema=ANNOTATIONS
    )
    found = migrate(rows, ontology)
    kept, lost = (t["annotation_id"].to_pylist() for t in (found.rows, found.unconverted))
    assert sorted([*kept, *lost], key=int) == [str(i) for i in range(len(rows))]
    older = found.rows.filter(pc.not_equal(found.rows["attributes"], "{}"))
    assert set(found.rows["ontology_version"].to_pylist()) <= {"2"}
    before = {str(i): c for i, c in enumerate(changes)}
    for row in found.rows.to_pylist():
        if before[row["annotation_id"]]["ontology_version"] == "1":
            assert row["label"] in ontology.labels
            assert json.loads(row["attributes"])["ontology.was"].endswith("@1")
    assert all(found.unconverted["reason"].to_pylist())
    # no label of an image and annotator that lost one to people comes along
    again = {
        (before[r["annotation_id"]]["image_id"], before[r["annotation_id"]]["annotator"])
        for r in found.unconverted.to_pylist()
        if r["reason"] == "label_to_be_made_again"
    }
    for row in older.to_pylist():
        if before[row["annotation_id"]]["ontology_version"] != "2":
            assert (row["image_id"], row["annotator"]) not in again
