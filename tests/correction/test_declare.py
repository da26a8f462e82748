from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.correction import (
    CorrectiveRecord,
    declare,
    parse_changes,
    read_corrective,
    selected_images,
    write_corrective,
)
from cv_pipeline.errors import CorrectiveError, QueryError
from cv_pipeline.project import Training, find_project
from cv_pipeline.provenance.corrective_runs import submit
from cv_pipeline.training import ModelCard
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world

DARK = "metadata.scene = 'outdoor'"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("CV_ACTOR", "anna")
    return make_datalake_world(tmp_path)


def card(**changes: Any) -> ModelCard:
    """The card of a parent."""
    values = {
        "digest": "a" * 64,
        "project": "fruit",
        "task": "detection",
        "labels": ("kiwi", "lemon"),
        "training": Training(model="fcos_resnet18", input_size=(48, 64), epochs=9),
        "seed": 7,
        "dataset_digest": "d" * 64,
        "train_images": 4,
        "validation_images": 1,
        "normalisation": {"mean": (0, 0, 0), "std": (1, 1, 1)},
        "weights": 10,
        "code_version": "1",
        "hardware": {},
    }
    return ModelCard.model_validate(values | changes)


def declared(
    world: DatalakeWorld, parent: ModelCard | None = None, **said: Any
) -> CorrectiveRecord:
    project = find_project("fruit", world.folder / "projects")
    return declare(world.open(), project, parent=parent or card(), **said)


def test_a_record_says_what_differs_from_the_parent_and_nothing_else(world: DatalakeWorld) -> None:
    record = declared(
        world,
        query=DARK,
        weight=4,
        label="kiwi",
        changes={"training.epochs": 12, "augmentation.flip": 0.5},
        reason="dark ones are missed",
    )
    assert record.selection is not None
    found = world.open().query(DARK)
    assert (record.selection.query, record.selection.digest) == (found.text, found.digest)
    assert (record.selection.images, record.selection.weight) == (4, 4)
    assert {k: (c.before, c.after) for k, c in record.changes.items()} == {"epochs": (9, 12)}
    assert record.training == card().training.model_copy(update={"epochs": 12, "seed": 7})
    assert (record.seed, record.parent, record.actor) == (7, "a" * 64, "anna")


def test_the_same_declaration_is_the_same_record_and_another_reason_is_not(
    world: DatalakeWorld,
) -> None:
    first, again = (declared(world, query=DARK) for _ in range(2))
    other = declared(world, query=DARK, reason="so")
    assert first.digest == again.digest != other.digest
    assert first.at != again.at
    write_corrective(world.catalog.store, first)
    write_corrective(world.catalog.store, again)
    assert read_corrective(world.catalog.store, "fruit", first.digest) == first


def test_a_record_that_was_changed_or_is_not_there(world: DatalakeWorld) -> None:
    store = world.catalog.store
    record = declared(world, query=DARK)
    write_corrective(store, record)
    key = f"projects/fruit/correctives/{record.digest}.json"
    store.write(key, store.read(key).replace(b'"weight": 3', b'"weight": 9'))
    with pytest.raises(CorrectiveError, match="was changed: it hashes to"):
        read_corrective(store, "fruit", record.digest)
    with pytest.raises(CorrectiveError, match="has no corrective record"):
        read_corrective(store, "fruit", "b" * 64)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "would repeat its parent"),
        ({"changes": {"training.epochs": 9}}, "would repeat its parent"),
        ({"changes": {"training.epoch": 3}}, "no parameter 'training.epoch'. Did you mean"),
        ({"changes": {"training.epochs.x": 3}}, "no parameter"),
        ({"changes": {"training.epochs": -1}}, r"training\.epochs: Input should be greater"),
        (
            {"changes": {"training.learning_rate": float("inf")}},
            r"learning_rate: .* a finite number",
        ),
        ({"changes": {"training.weight_decay": float("inf")}}, r"weight_decay: .* a finite number"),
        ({"query": DARK, "label": "kiwis"}, "no class 'kiwis'. Did you mean 'kiwi'"),
        ({"query": DARK, "weight": 0}, "cannot be drawn 0 times"),
        ({"changes": {"epochs": 9}, "label": "kiwi"}, "A label is about the images.*--query"),
        ({"changes": {"epochs": 9}, "weight": 3}, "A weight is about.*leave out --weight"),
        ({"query": "width > 9000"}, "selects no image: width > 9000"),
    ],
)
def test_what_cannot_be_declared(world: DatalakeWorld, said: dict[str, Any], message: str) -> None:
    with pytest.raises(CorrectiveError, match=message):
        declared(world, **said)


def test_what_no_corrective_run_can_follow(world: DatalakeWorld) -> None:
    with pytest.raises(QueryError):
        declared(world, query="no such field = 1")
    with pytest.raises(CorrectiveError, match="was trained on some folds"):
        declared(world, card(folds={"train": (1,), "validation": 2}), query=DARK)
    with pytest.raises(CorrectiveError, match="classes of fruit have changed"):
        declared(world, card(labels=("kiwi",)), query=DARK)


def test_the_images_are_those_with_labels_when_it_runs(world: DatalakeWorld) -> None:
    """Labels that came since are counted, and what was taken out since is not."""
    record = declared(world, query=DARK)
    now = world.open().snapshot().table_versions
    chosen = selected_images(world.catalog, record, table_versions=now)
    assert world.numbers(chosen) == [1]
    rows = world.catalog.table("annotations").read().slice(0, 1)
    labelled = rows.set_column(
        rows.schema.get_field_index("image_id"), rows.schema.field("image_id"), [[world.ids[3]]]
    ).set_column(0, rows.schema.field(0), [["3"]])
    assert rows.schema.names[0] == "annotation_id"
    world.catalog.table("annotations").merge(labelled, on=["annotation_id"])
    assert world.numbers(selected_images(world.catalog, record, table_versions=now)) == [1]
    later = world.open().snapshot().table_versions
    found = selected_images(world.catalog, record, table_versions=later)
    assert sorted(world.numbers(found)) == [1, 3]
    world.take_out(1)
    gone = world.open().snapshot().table_versions
    assert world.numbers(selected_images(world.catalog, record, table_versions=gone)) == [3]
    nothing = declared(world, changes={"training.epochs": 3})
    assert len(selected_images(world.catalog, nothing, table_versions=gone)) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("training.epochs=12", 12),
        ("training.learning_rate=5e-4", 5e-4),
        ("training.input_size=[96, 128]", [96, 128]),
        ("training.model=ssd300_vgg16", "ssd300_vgg16"),
    ],
)
def test_parameters_as_they_are_typed(text: str, value: object) -> None:
    assert list(parse_changes([text]).values()) == [value]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:no", "http://[::1", "http://127.0.0.1:99999"]
)
def test_what_is_no_address_of_a_webserver(world: DatalakeWorld, address: str) -> None:
    with pytest.raises(CorrectiveError, match=r"was declared .*, but no webserver at"):
        submit(declared(world, query=DARK), address)


@pytest.mark.parametrize("text", ["training.epochs", "=3", "training.epochs="])
def test_what_sets_no_parameter(text: str) -> None:
    with pytest.raises(CorrectiveError, match=r"Write it as training\.epochs=12"):
        parse_changes([text])
