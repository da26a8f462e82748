"""The asset prelabels on a real champion, and images chosen by what it says."""

from __future__ import annotations

import json

from cv_pipeline.provenance.event_log import EventLog
from tests.tiny_world import TinyWorld, write_image


def test_the_champion_pre_labels_what_nobody_labelled(own_world: TinyWorld, monkeypatch) -> None:
    """First without a section (nothing is done), then with one; and everything can be traced."""
    for name, value in own_world.environment.items():
        if name.startswith(("CV_", "DAGSTER_")):
            monkeypatch.setenv(name, value)
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        untold = EventLog(instance).latest("tiny/prelabels")
        model = EventLog(instance).latest("tiny/champion")
    assert untold is not None
    assert model is not None
    assert untold.metadata["note"].startswith("The project has no annotation tool and declares no")
    for number in range(40, 46):
        write_image(own_world.images / f"{number:03d}.png", seed=(0, number))
    settings = own_world.project_file.read_text()
    section = "labeling: {prelabels: {images: 5, least_score: 0.01}, sampling: {images: 3}}\n"
    own_world.project_file.write_text(settings + section)
    own_world.materialize('key:"tiny/raw_images" or key:"tiny/image_features"')
    asked = own_world.run("cvp", "prelabels", "tiny", "--make", "--model", "latest", "--json")
    assert json.loads(asked.stdout)["model"] == model.version
    with DagsterInstance.get() as instance:
        made = EventLog(instance).latest("tiny/prelabels")
    assert made is not None
    told = made.metadata
    assert (told["new_images"], told["waiting_images"], told["images"]) == (5, 1, 5)
    assert told["asked_model"]["key"] == "tiny/trained_model"
    assert told["asked_model"]["version"] == model.version
    assert told["mean_uncertainty"] >= 0
    assert {"unsure_classes", "unsure_slices", "uncertainty", "picture"} <= set(told)
    listed = json.loads(own_world.run("cvp", "prelabels", "tiny", "--json").stdout)
    assert (listed["model"], listed["count"]) == (model.version, 5)
    chosen = json.loads(own_world.run("cvp", "select", "tiny", "--name", "n", "--json").stdout)
    assert chosen["arms"] == {"random": 1, "uncertainty": 2}
    assert (chosen["pool"], chosen["unseen"], chosen["model"]) == (6, 1, model.version)
    traced = json.loads(own_world.run("cvp", "trace", "model", "tiny@latest", "--json").stdout)
    assert "pre-labels" in {child["node"]["kind"] for child in traced["down"]}
