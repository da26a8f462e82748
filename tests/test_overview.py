"""The overview of a project that was run: what the page says is what is there."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def page(materialized_world):
    return json.loads(materialized_world.run("cvp", "overview", "tiny", "--json").stdout)


def test_images_and_labels_are_those_of_the_lake(page):
    assert page["lake"]["images"]["total"] == 40
    assert page["lake"]["images"]["labelled"] == 40
    assert {c["label"]: c["images"] for c in page["lake"]["classes"]} == {"red": 40, "blue": 40}
    assert page["lake"]["queue"]["waiting"] == 0


def test_the_version_and_its_model_are_listed_with_the_metric(page):
    (version,) = page["versions"]
    (model,) = page["models"]
    assert version["images"] == 40
    assert version["ingested_since"] == 0
    assert version["models"] == [model["version"]]
    assert model["dataset"] == version["version"]
    assert 0 <= model["metric"] <= 1
    assert page["metric"] == "AP50"


def test_the_text_names_states_versions_and_models(materialized_world, page):
    shown = materialized_world.cvp("overview", "tiny").stdout
    for part in ("unlabelled", "contested", "stale", "nothing waits", page["models"][0]["version"]):
        assert part[:12] in shown


def test_all_projects_are_one_row_each(materialized_world):
    found = json.loads(materialized_world.cvp("overview", "--json").stdout)
    assert [one["project"] for one in found] == ["tiny"]
    assert "tiny" in materialized_world.cvp("overview").stdout


def test_an_unknown_project_names_the_nearest(materialized_world):
    refused = materialized_world.cvp("overview", "tinny", check=False)
    assert refused.returncode == 1
    assert "Did you mean 'tiny'?" in refused.stderr
