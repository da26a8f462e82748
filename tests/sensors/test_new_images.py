"""The new-images sensor and the nightly schedule on a real instance, catalogue and folder."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource
from PIL import Image

from cv_pipeline.catalog.ingest.ingest import ingest
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.project import Schedule
from cv_pipeline.storage import Blobs, open_source, open_store
from resources import ObjectStoreResource
from sensors import new_images_sensor, nightly_schedule

JOB = "demo_ingest"


def add_image(source, name: str) -> None:
    Image.new("RGB", (32, 24), (len(name) * 9, 80, 120)).save(source / name)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def run_ingest(instance, projects, source, store):
    """Ingest what there is, and record it as raw_images does."""

    def run() -> None:
        ingest(
            project=projects.get("demo"),
            catalog=Catalog(store, "demo"),
            blobs=Blobs(store),
            source=open_source(str(source)),
            progress=lambda done, total, what: None,
        )
        instance.report_runless_asset_event(dg.AssetMaterialization(["demo", "raw_images"]))

    return run


@pytest.fixture
def tick(instance, projects, store):
    sensor = new_images_sensor("demo")
    resources = {
        "projects": projects,
        "object_store": ObjectStoreResource(url=store.url, s3=S3Resource()),
    }

    def tick() -> dg.RunRequest | dg.SkipReason:
        with dg.build_sensor_context(instance=instance, resources=resources) as context:
            return sensor(context)

    return tick


def test_a_project_is_watched_from_its_first_ingest_on(tick, source, run_ingest):
    add_image(source, "a.png")
    assert "after its first ingest" in tick().skip_message
    run_ingest()
    assert "no new images" in tick().skip_message


def test_a_new_file_launches_one_ingest(tick, source, run_ingest, launch):
    add_image(source, "a.png")
    run_ingest()
    add_image(source, "bb.png")
    request = tick()
    assert request.tags["cv_pipeline/new_files"] == "1"
    assert request.tags["cv_pipeline/reason"] == "new_images"
    launch(JOB, request, dg.DagsterRunStatus.STARTED)
    assert "is at work" in tick().skip_message


def test_no_second_ingest_while_any_run_of_the_project_reads_the_source(
    tick, source, run_ingest, launch
):
    add_image(source, "a.png")
    run_ingest()
    add_image(source, "bb.png")
    launch("demo_pipeline", dg.RunRequest(), dg.DagsterRunStatus.STARTING)
    assert "is at work" in tick().skip_message


def test_a_failed_ingest_is_tried_again_three_times_in_all(tick, source, run_ingest, launch):
    add_image(source, "a.png")
    run_ingest()
    add_image(source, "bb.png")
    keys = []
    for _ in range(3):
        request = tick()
        keys.append(request.run_key)
        launch(JOB, request, dg.DagsterRunStatus.FAILURE)
    assert len(set(keys)) == 3
    assert "were tried 3 times" in tick().skip_message


def test_a_source_that_is_gone_is_told_and_not_raised(tick, source, run_ingest):
    add_image(source, "a.png")
    run_ingest()
    (source / "a.png").unlink()
    source.rmdir()
    assert str(source) in tick().skip_message


def test_the_nightly_run_is_for_projects_in_use(instance):
    schedule = nightly_schedule("demo", Schedule())
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=datetime(2026, 1, 1, 2, tzinfo=UTC)
    )
    assert "after its first run" in schedule(context).skip_message
    instance.report_runless_asset_event(dg.AssetMaterialization(["demo", "raw_images"]))
    assert schedule(context).tags["cv_pipeline/reason"] == "nightly"
