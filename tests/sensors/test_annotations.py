"""What was pulled and is no label yet starts an import, whether the tool answers or not."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ToolUnavailable
from cv_pipeline.labeling.exchange.imported import note_imported, pulled_and_not_imported
from cv_pipeline.storage import open_store
from resources import ObjectStoreResource
from sensors import annotations, annotations_sensor
from tests.labeling.label_tables import annotate, image_ids


@pytest.fixture
def catalog(tmp_path):
    return Catalog(open_store(str(tmp_path / "store")), "demo")


@pytest.fixture
def tick(instance, projects, catalog):
    instance.report_runless_asset_event(dg.AssetMaterialization(["demo", "raw_images"]))
    resources = {
        "projects": projects,
        "object_store": ObjectStoreResource(url=catalog.store.url, s3=S3Resource()),
    }
    sensor = annotations_sensor("demo")

    def tick() -> dg.RunRequest | dg.SkipReason:
        with dg.build_sensor_context(instance=instance, resources=resources) as context:
            return sensor(context)

    return tick


def test_what_was_pulled_and_not_imported_is_asked_for(tick, catalog, launch):
    assert "has no annotation tool" in tick().skip_message
    annotate(catalog, "first", image_ids(3), "ann")
    assert pulled_and_not_imported(catalog) == 3
    request = tick()
    assert request.tags["cv_pipeline/reason"] == "annotations"
    assert tick().run_key == request.run_key, "one pull, one run"
    launch("demo_annotations", request, dg.DagsterRunStatus.STARTED)
    assert "is at work" in tick().skip_message


def test_a_failed_import_is_tried_three_times_and_the_next_pull_again(tick, catalog, launch):
    annotate(catalog, "first", image_ids(1), "ann")
    for _ in range(3):
        launch("demo_annotations", tick(), dg.DagsterRunStatus.FAILURE)
    assert "was tried 3 times" in tick().skip_message
    annotate(catalog, "first", image_ids(1), "bob")
    assert isinstance(tick(), dg.RunRequest)
    note_imported(catalog, states=2)
    assert pulled_and_not_imported(catalog) == 0
    assert "has no annotation tool" in tick().skip_message


def test_an_import_that_fails_holds_up_no_pull(tick, catalog, launch, monkeypatch):
    state = "one"
    monkeypatch.setattr(annotations, "tool_url", lambda _: "http://127.0.0.1:9")
    monkeypatch.setattr(annotations, "_changes", lambda _: state)
    annotate(catalog, "first", image_ids(1), "ann")
    for _ in range(3):
        launch("demo_annotations", tick(), dg.DagsterRunStatus.FAILURE)
    assert "was tried 3 times" in tick().skip_message
    state = "two"
    assert isinstance(tick(), dg.RunRequest), "somebody labelled meanwhile"
    note_imported(catalog, states=1)
    assert tick().tags["cv_pipeline/cause"] == "two"


def test_a_tool_that_is_down_holds_up_no_import(tick, catalog, monkeypatch):
    monkeypatch.setattr(annotations, "tool_url", lambda _: "http://127.0.0.1:9")

    def down(_):
        raise ToolUnavailable("It is down.", do="Start it.")

    monkeypatch.setattr(annotations, "_changes", down)
    assert "It is down" in tick().skip_message
    annotate(catalog, "first", image_ids(1), "ann")
    assert tick().tags["cv_pipeline/cause"] == "pulled-1"
