"""`cvp trace`, `cvp worst` and `cvp takeout` on a history that was recorded, not run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from cv_pipeline.cli import app
from cv_pipeline.cli.app import console
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.storage import Blobs, Tombstones, open_store
from tests.provenance.recorded_world import RecordedWorld, path_of, sha

MODELS = 7

POINT = b'{"operating_point": 0.95}'


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedWorld]:
    home = tmp_path / "home"
    (home / "dagster").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("CV_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("CV_ACTOR", "anna")
    monkeypatch.setattr(console, "width", 200)
    with dg.DagsterInstance.get() as instance:
        yield RecordedWorld(instance, open_store(str(tmp_path / "store")))


@pytest.fixture
def image(world: RecordedWorld) -> str:
    """An image of two dataset versions, labelled anew for the second, with seven models each."""
    image_id = Blobs(world.store).put(b"pixels")
    for number, label in ((1, "tomato"), (2, "kiwi")):
        world.labels[image_id] = label
        dataset = world.dataset({image_id: "train", sha("rest"): "test"}, world.raw(number))
        for n in range(MODELS):
            model = world.model(dataset, f"{number}-{n}")
            row = {"image_id": sha("rest"), "split": "test", "score": 0.25, "false_positives": 3}
            world.evaluation(model, dataset, [row], AP50=(number * 10 + n) / 100)
    return image_id


def cvp(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False, input=answer)


def cvp_json(*arguments: str) -> Any:
    return json.loads(cvp(*arguments, "--json").stdout)


def test_many_alike_are_one_line_and_what_differs_is_shown(image: str):
    told = cvp("trace", "image", image).stdout
    assert "labels 1 tomato" in told
    assert "labels 1 kiwi" in told  # the two versions are not alike
    assert told.count(f"model p/trained_model × {MODELS}") == 2
    assert "AP50 0.1000 to 0.1600" in told
    assert "AP50 0.2000 to 0.2600" in told
    assert len(told.splitlines()) < 25
    everything = cvp("trace", "image", image, "--all").stdout
    assert "×" not in everything
    assert everything.count("evaluation p/eval_slices") == 2 * MODELS


def test_json_holds_each(image: str):
    found = cvp_json("trace", "image", image)
    assert [len(dataset["down"]) for dataset in found["down"]] == [MODELS, MODELS]


def test_worst(world: RecordedWorld, image: str):
    told = cvp("worst", "p/AP50@latest").stdout
    assert "p/AP50 0.2600 on test" in told
    assert path_of(sha("rest")) in told
    assert "3 false" in told
    assert "2 kiwi" in told  # what the model said
    evaluation = cvp_json("worst", "p/AP50@latest")["evaluation"]
    world.store.write(f"projects/p/evaluations/{evaluation}/evaluation.json", POINT)
    assert "kiwi" not in cvp("worst", "p/AP50@latest").stdout  # what counted of it
    found = cvp_json("worst", "p/AP50@latest", "-n", "5")
    assert [i["image_id"] for i in found["images"]] == [sha("rest")]
    with pytest.raises(ProvenanceError, match="0 images cannot be listed"):
        cvp("worst", "p/AP50@latest", "-n", "0")


def test_a_dry_run_lists_and_changes_nothing(world: RecordedWorld, image: str):
    told = cvp("takeout", image, "--dry-run").stdout
    assert "2 dataset (train)" in told
    assert f"{2 * MODELS} model (train)" in told
    assert "and 6 more" in told
    found = cvp_json("takeout", image, "--dry-run")
    assert found["done"] is False
    assert len(found["images"][0]["used_by"]) == 2 + 3 * 2 * MODELS
    assert Blobs(world.store).read(image) == b"pixels"
    assert Tombstones(world.store).image_ids() == []


def test_it_asks_first_and_no_is_no(world: RecordedWorld, image: str):
    done = cvp("takeout", image, "--reason", "asked for", answer="n\n")
    assert done.exit_code == 1
    assert "This cannot be undone" in done.stdout
    assert Tombstones(world.store).image_ids() == []
    with pytest.raises(ProvenanceError, match=r"nobody can be asked here\. Add --yes"):
        cvp("takeout", image, "--reason", "asked for", "--json")
    with pytest.raises(ProvenanceError, match="without a reason"):
        cvp("takeout", image, "--yes")
    with pytest.raises(ProvenanceError, match="No image is named"):
        cvp("takeout")
    assert Blobs(world.store).read(image) == b"pixels"


def test_yes_is_yes_and_it_shows_everywhere(world: RecordedWorld, image: str):
    done = cvp("takeout", image, "--reason", "consent [withdrawn]", answer="y\n")
    assert done.exit_code == 0
    assert f"took out 1 images; marked {2 * MODELS} models" in done.stdout
    assert "Not reached from here" in done.stdout
    assert not Blobs(world.store).exists(image)
    assert "taken out on 20" in cvp("trace", "image", image).stdout
    assert "by anna: consent [withdrawn]" in cvp("trace", "image", image).stdout
    model = cvp("trace", "model", "p@latest").stdout
    assert f"trained on images that were taken out: {image[:12]}" in model
    assert cvp_json("trace", "model", "p@latest")["node"]["metadata"]["taken_out"] == [image]
    listed = cvp("takeout", "--list").stdout
    assert f"{2 * MODELS} model" in listed
    assert "consent [withdrawn]" in listed
    assert "not complete" not in listed
    (one,) = cvp_json("takeout", "--list")["takeouts"]
    assert (one["image_id"], one["actor"]) == (image, "anna")


def test_again_tells_of_the_first_time(image: str):
    first = cvp_json("takeout", image, "--reason", "asked for", "--yes")
    assert (first["done"], first["models_marked"]) == (True, 2 * MODELS)
    again = cvp_json("takeout", image, "--yes")
    assert again["models_marked"] == 0
    assert again["images"][0]["taken_out"] == first["images"][0]["taken_out"]
    assert "taken out before" in cvp("takeout", image, "--dry-run").stdout


def test_nothing_was_taken_out_yet(world: RecordedWorld):
    assert "nothing was taken out" in cvp("takeout", "--list").stdout
