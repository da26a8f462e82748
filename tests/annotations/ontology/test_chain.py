"""Versions that are declared: what fits together, and how each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.annotations.ontology.chain import Chain, ChainMistake, ontology_at
from cv_pipeline.errors import ProjectError
from cv_pipeline.ontology import Ontology
from cv_pipeline.project import load_project

FILE = """\
name: demo
task: detection
charter: {problem: find fruit}
source: {images: images}
annotations: {source: labels.json}
training: {model: fcos_resnet18, input_size: [96, 128]}
ontology:
  version: "3"
  labels: [ripe_apple, green_apple, pear, citrus, grape]
  attributes: {size: [small, big]}
  original:
    labels: [apple, pear, lemon, lime, plum]
    attributes: {ripe: [], occluded: []}
  migrations:
    - from: "1"
      to: "2"
      steps:
        - split: {label: apple, by: ripe, into: {yes: ripe_apple, no: green_apple}}
        - merge: {labels: [lemon, lime], into: citrus}
        - delete: {label: plum, then: drop}
    - from: "2"
      to: "3"
      steps:
        - add: [grape]
        - remove_attributes: [ripe]
        - rename_values: {occluded: {yes: big, no: small}}
        - rename_attributes: {occluded: size}
"""


@pytest.fixture
def load(tmp_path: Path):
    def load(text: str):
        path = tmp_path / "demo" / "project.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return load_project(path)

    return load


def test_a_chain_knows_every_version_and_its_steps(load):
    chain = Chain.of(load(FILE).ontology)
    assert list(chain.versions) == ["1", "2", "3"]
    assert chain.versions["2"].labels == ("ripe_apple", "green_apple", "pear", "citrus")
    assert dict(chain.versions["2"].attributes) == {"ripe": (), "occluded": ()}
    assert [s.step.kind for s in chain.steps_from("2")] == [
        "add",
        "remove_attributes",
        "rename_values",
        "rename_attributes",
    ]
    assert len(chain.steps_from("1")) == 7
    assert chain.steps_from("3") == ()
    with pytest.raises(KeyError):
        chain.steps_from("0")


def test_the_ontology_of_a_version_is_what_labels_of_it_are_checked_against(load):
    ontology = load(FILE).ontology
    old = ontology_at(ontology, "1")
    assert (old.version, old.labels[0], dict(old.attributes)) == (
        "1",
        "apple",
        {"ripe": (), "occluded": ()},
    )
    assert ontology_at(ontology, "3").labels == ontology.labels
    # of a version that nobody knows, the current classes are all there is
    assert ontology_at(ontology, "9").labels == ontology.labels
    assert ontology_at(ontology, "9").version == "9"


def test_tags_and_points_of_an_older_version_are_those_of_today():
    ontology = Ontology(
        version="3",
        labels=("human", "dog"),
        tags=("night",),
        keypoints={"human": ("nose",)},
        original={"labels": ["man", "woman", "dog"]},
        migrations=(
            {
                "from": "1",
                "to": "2",
                "steps": [{"merge": {"labels": ["man", "woman"], "into": "x"}}],
            },
            {"from": "2", "to": "3", "steps": [{"rename": {"x": "human"}}]},
        ),
    )
    old = ontology_at(ontology, "1")
    assert (old.tags, old.migrations) == (("night",), ())
    assert dict(old.keypoints) == {"man": ("nose",), "woman": ("nose",)}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # what a step names must be there at that point
        (
            "label: apple",
            "label: appel",
            r"line 18: ontology\.migrations\.0\.steps\.0\..*'appel' is no class.*'apple'\?",
        ),
        ("by: ripe", "by: riped", r"line 18: .*split\.by 'riped' is no attribute .*'ripe'"),
        ("{yes: ripe_apple", "{maybe: ripe_apple", r"line 18: .*split\.into 'maybe' is no value"),
        (
            "[lemon, lime]",
            "[lemon, limes]",
            r"line 19: .*merge\.labels 'limes' is no class.*'lime'",
        ),
        ("label: plum", "label: apple", r"line 20: .*delete\.label 'apple' is no class"),
        (
            "- add: [grape]",
            "- add: [pear]",
            r"line 24: .*add 'pear' is a class at that point already",
        ),
        ("[ripe]\n", "[rip]\n", r"line 25: .*remove_attributes 'rip' is no attribute.*'ripe'"),
        (
            "{yes: big",
            "{yess: big",
            r"line 26: .*rename_values\.occluded 'yess' is no value.*'yes'",
        ),
        # versions follow one another
        ('from: "2"', 'from: "1"', r"line 21: ontology\.migrations\.1\.from is '1', but .* '2'"),
        (
            'to: "3"',
            'to: "1"',
            r"line 22: ontology\.migrations\.1\.to is '1', which is a version of",
        ),
        ('version: "3"', 'version: "4"', r"line 8: ontology\.version is '4', but .* lead to '3'"),
        # and what comes out is what is declared
        (
            "citrus, grape]",
            "citrus, grapes]",
            r"line 9: ontology\.labels has no 'grape'.*'grapes'.*And it has 'grapes'",
        ),
        ("[small, big]", "[small, large]", r"line 10: ontology\.attributes\.size has no 'big'"),
        ("{size: [", "{sizes: [", r"line 10: ontology\.attributes has no 'size'"),
        # the words themselves
        ("then: drop", "then: drp", r"line 20: .*then: expected 'drop' or 'relabel'.*'drop'\?"),
        ("then: drop", "thn: drop", r"line 20: .*delete\.thn: unknown key\. Did you mean 'then'"),
        ("- add: [grape]", "- ad: [grape]", r"line 24: .*steps\.0\.ad: unknown key.*'add'"),
        (
            "- add: [grape]",
            "- {add: [grape], remove_attributes: [ripe]}",
            r"line 24: .*a step has exactly one of .* this one has add, remove_attributes",
        ),
        ("into: {yes: ripe_apple, no: green_apple}", "into: [a, b]", r"line 18: .*into maps each"),
        ("by: ripe, ", "", r"line 18: .*by is missing"),
        (
            "source: labels.json",
            'source: labels.json, ontology_version: "0"',
            r"line 5: annotations\.ontology_version '0' is no version .*1, 2, 3",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(load, old, new, message):
    assert old in FILE
    with pytest.raises(ProjectError, match=message):
        load(FILE.replace(old, new, 1))


def test_migrations_need_to_know_what_they_begin_with():
    step = {"from": "1", "to": "2", "steps": [{"add": ["b"]}]}
    ontology = Ontology(labels=("a", "b"), version="2", migrations=(step,))
    with pytest.raises(ChainMistake, match=r"ontology\.original is missing.*version '1'"):
        Chain.of(ontology)
    with pytest.raises(ChainMistake, match="of no use"):
        Chain.of(Ontology(labels=("a",), original={"labels": ["a"]}))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"rename": {"a": "b"}}, "leaves two of the name 'b': merge them instead"),
        ({"delete": {"label": "a", "then": "drop"}}, "leaves no class"),
        ({"remove_values": {"side": ["left", "right"]}}, "leaves no value"),
        ({"add_values": {"dark": ["x"]}}, "is yes or no"),
        ({"add_attribute": {"name": "new", "value": "maybe"}}, "'maybe' is no value"),
    ],
)
def test_a_step_leaves_an_ontology_behind(step, message):
    steps = [step]
    if message == "leaves no class":
        steps.insert(0, {"merge": {"labels": ["a", "b"], "into": "a"}})
    ontology = Ontology(
        labels=("a", "b"),
        version="2",
        original={"labels": ["a", "b"], "attributes": {"side": ["left", "right"], "dark": []}},
        migrations=({"from": "1", "to": "2", "steps": steps},),
    )
    with pytest.raises(ChainMistake, match=message):
        Chain.of(ontology)


def test_two_classes_may_swap_their_names():
    ontology = Ontology(
        labels=("b", "a"),
        version="2",
        original={"labels": ["a", "b"]},
        migrations=({"from": "1", "to": "2", "steps": [{"rename": {"a": "b", "b": "a"}}]},),
    )
    assert Chain.of(ontology).versions["2"].labels == ("b", "a")


def test_a_record_of_the_ontology_is_read_back_with_its_migrations(load):
    ontology = load(FILE).ontology
    assert Ontology.model_validate_json(ontology.model_dump_json()) == ontology
