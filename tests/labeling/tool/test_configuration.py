"""The labelling configuration: what the tool's own parser and ours make of it."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config

from cv_pipeline.annotations.formats.label_studio_config import declared_labels
from cv_pipeline.annotations.formats.label_studio_names import CONTROLS, attribute_of
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames
from cv_pipeline.errors import ProjectError
from cv_pipeline.labeling.tool.configuration import SHOWN, labelling_configuration
from cv_pipeline.ontology import Ontology

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the SDK has validators of pydantic's first version
    from label_studio_sdk.label_interface import LabelInterface

HOSTILE = (
    "apple",
    "Apple",
    "a\"b<c>&d'e",
    "x" * 300,
    "x" * 301,
    "$image",
    "${image}",
    "two\tparts",
    "<script>alert(1)</script>",
    "]]>",
    "林檎 🍎",
)


def controls(ontology: Ontology, task: str = "detection"):
    """What the tool finds in a configuration that it accepts."""
    text = labelling_configuration(ontology, task=task)  # type: ignore[arg-type]
    LabelInterface(text).validate()
    return parse_config(text)


def test_a_detection_project_has_upright_rectangles_of_its_classes_in_their_order():
    found = controls(Ontology(labels=("pear", "apple")))
    assert list(found) == ["label"]
    assert (found["label"]["type"], found["label"]["labels"]) == (
        "RectangleLabels",
        ["pear", "apple"],
    )
    text = labelling_configuration(Ontology(labels=("pear",)), task="detection")
    assert 'canRotate="false"' in text


def test_a_classification_project_has_choices_of_which_one_is_required():
    found = controls(Ontology(labels=("cat", "dog"), tags=("night",)), "classification")
    assert found["class"]["labels"] == ["cat", "dog"]
    assert found["tags"]["labels"] == ["night"]
    text = labelling_configuration(Ontology(labels=("cat", "dog")), task="classification")
    assert 'required="true"' in text
    assert "RectangleLabels" not in text


@pytest.mark.parametrize(
    ("geometry", "names"),
    [
        (("bbox",), {"label"}),
        (("rotated_box",), {"label"}),
        (("polygon",), {"polygon"}),
        (("mask", "polygon"), {"polygon", "brush"}),
        # the points of an object hang on its rectangle
        (("keypoints",), {"label", "keypoints"}),
        (("bbox", "class"), {"label", "class"}),
    ],
)
def test_each_declared_shape_has_its_control(geometry, names):
    ontology = Ontology(
        labels=("a", "b"), geometry=geometry, keypoints={"a": ("nose", "tail"), "b": ("nose",)}
    )
    found = controls(ontology)
    assert set(found) == names
    assert {name: found[name]["type"] for name in names} == {
        name: dict(CONTROLS.values())[name] for name in names
    }
    if "keypoints" in names:
        assert found["keypoints"]["labels"] == ["nose", "tail"]


def test_rectangles_can_be_turned_where_turned_boxes_are_asked_for():
    ontology = Ontology(labels=("a",), geometry=("rotated_box",))
    assert 'canRotate="true"' in labelling_configuration(ontology, task="detection")


def test_attributes_are_asked_for_every_region_and_required_ones_must_be_answered():
    ontology = Ontology(
        labels=("a",),
        attributes={"occluded": (), "cut": (), "side": ("left", "right")},
        required=("cut", "side"),
    )
    found = controls(ontology)
    assert found["occluded"]["labels"] == ["occluded"]  # one box to tick bears its own name
    assert found["cut"]["labels"] == ["yes", "no"]  # a box left alone would be no answer
    assert found["side"]["labels"] == ["left", "right"]
    text = labelling_configuration(ontology, task="detection")
    assert text.count('perRegion="true"') == 3
    assert text.count('required="true"') == 2


def test_an_attribute_whose_control_would_be_ambiguous_is_told_apart():
    attributes = {"label": (), "image": ("x",), "ripe": ("ripe", "unripe"), "attribute:x": ()}
    found = controls(Ontology(labels=("a",), attributes=attributes))
    asked = [name for name in found if name != "label"]
    assert [attribute_of(name) for name in asked] == list(attributes)
    # of an image, every one is: the answers of its class must not be taken for classes
    found = controls(Ontology(labels=("a",), attributes={"dark": ()}), "classification")
    assert list(found) == ["class", "attribute:dark"]


def test_hostile_names_come_back_as_they_are():
    ontology = Ontology(
        labels=HOSTILE,
        attributes=dict.fromkeys(HOSTILE, HOSTILE),
        tags=HOSTILE,
        geometry=("bbox", "polygon", "mask", "class"),
    )
    found = controls(ontology)
    assert found.pop("label")["labels"] == list(HOSTILE)
    for name in ("polygon", "brush", "class", "tags"):
        assert found.pop(name)["labels"] == list(HOSTILE)
    assert [attribute_of(name) for name in found] == list(HOSTILE)
    assert all(control["labels"] == list(HOSTILE) for control in found.values())


@pytest.mark.parametrize(
    ("task", "geometry"),
    [
        ("detection", ()),
        ("detection", ("polygon", "mask", "keypoints", "class")),
        ("classification", ()),
    ],
)
def test_an_export_beside_it_declares_the_classes_and_no_more(task, geometry):
    names = tuple(name.strip() for name in HOSTILE)
    ontology = Ontology(
        labels=names,
        attributes=dict.fromkeys(names, ("l", "r")),
        tags=("night",),
        geometry=geometry,
        keypoints={"apple": ("nose",)},
    )
    export = ExportBuilder("label_studio", FieldNames("", "", ""))
    text = labelling_configuration(ontology, task=task)
    assert list(declared_labels(export, "config.xml", text.encode())) == list(names)
    assert not export.quarantine


def test_nothing_that_is_shown_is_long_or_looked_up_in_the_task():
    shown = [
        tag.attr["value"]
        for tags in LabelInterface(
            labelling_configuration(Ontology(labels=HOSTILE), task="detection")
        ).labels
        for tag in tags.values()
    ]
    assert len(set(shown)) == len(HOSTILE)
    assert not any("$" in text or len(text) > SHOWN + 4 for text in shown)


def test_a_class_that_comes_last_changes_no_other():
    before = labelling_configuration(Ontology(labels=("a", "b")), task="detection")
    after = labelling_configuration(Ontology(labels=("a", "b", "c")), task="detection")
    kept = [line for line in after.splitlines() if 'value="c"' not in line]
    assert kept == before.splitlines()


def test_a_thousand_classes_have_colours_and_a_field_to_find_one():
    ontology = Ontology(labels=tuple(f"class {n}" for n in range(1000)))
    found = controls(ontology)
    colours = {a["background"] for a in found["label"]["labels_attrs"].values()}
    assert len(colours) > 500
    assert "<Filter" in labelling_configuration(ontology, task="detection")


def test_a_character_that_xml_cannot_hold_is_an_error_that_names_it():
    with pytest.raises(ProjectError, match=r"'a\\x01b' has the character U\+0001"):
        labelling_configuration(Ontology(labels=("a\x01b",)), task="detection")


_NAMES = st.lists(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=80)
    .map(str.strip)
    .filter(bool),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(labels=_NAMES, attributes=st.dictionaries(_NAMES.map(lambda n: n[0]), _NAMES, max_size=3))
def test_whatever_names_there_are_the_tool_reads_them_back(labels, attributes):
    ontology = Ontology(
        labels=tuple(labels), attributes={n: tuple(v) for n, v in attributes.items()}
    )
    found = controls(ontology)
    assert found.pop("label")["labels"] == list(ontology.labels)
    assert [attribute_of(name) for name in found] == list(ontology.attributes)
    assert [control["labels"] for control in found.values()] == [
        list(values) for values in ontology.attributes.values()
    ]
