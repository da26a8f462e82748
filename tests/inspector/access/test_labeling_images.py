"""Signed addresses of images: what each shows, to whom, and until when."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
import tifffile
from dagster import DagsterInstance
from PIL import Image, ImageOps

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.schemas import IMAGES, LABELING_TASKS
from cv_pipeline.catalog.tables import CatalogTable
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.address_throttle import WRONG
from cv_pipeline.inspector.audit import Wanted
from cv_pipeline.inspector.database import open_database
from cv_pipeline.inspector.kept import Kept
from cv_pipeline.inspector.pages import labeling_images
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.labeling.batches.declared import change_state
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.storage import Blobs, open_store
from tests.inspector.access.conftest import Inspector
from tests.tiny_world import copy_tiny_world

P = "tiny"
TOOL = "http://127.0.0.1:8080"
LABELING = f"""
access:
  restricted: "brightness > 0.5"
labeling:
  url: {TOOL}
"""


@pytest.fixture(scope="module")
def made(materialized_world, tmp_path_factory):
    """An inspector of the tiny world, in which a batch was pushed."""
    own = copy_tiny_world(materialized_world, tmp_path_factory.mktemp("labelled") / "world")
    own.project_file.write_text(own.project_file.read_text() + LABELING)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CV_HOME", "DAGSTER_HOME", "CV_PROJECTS"):
            patch.setenv(name, own.environment[name])
        workspace = Workspace(
            home=own.home,
            projects=own.folder / "projects",
            store=open_store(str(own.home / "store")),
            instance=DagsterInstance.ephemeral(),
            database=open_database(own.home),
        )
        lake = Datalake.open(P, origin="test")
        add_pictures(lake)
        lake.set_aside(lake.query("order by path limit 8"), "first", purpose="label")
        lake.set_aside(lake.query("order by path limit 8"), "second", purpose="label")
        inspector = Inspector(create_app(workspace), workspace, own.home)
        yield inspector, lake
        inspector.app.state.front_door.close()
        inspector.app.state.audit_log.close()
        workspace.close()


@pytest.fixture
def pushed(made, monkeypatch):
    """The same, with six images of the batch ``first`` as tasks, and fresh counters."""
    inspector, lake = made
    monkeypatch.setenv("CV_HOME", str(inspector.home))
    monkeypatch.setattr(labeling_images, "FRESH_SECONDS", 1e-9)
    door = inspector.app.state.front_door
    monkeypatch.setattr(door, "address_throttle", type(door.address_throttle)())
    ids = sorted(lake.query("order by path limit 8").image_ids.to_pylist())
    write_tasks(lake, ids[:6])
    return inspector, lake, ids


def add_pictures(lake):
    """A photograph that lies on its side, and measurements of 16 bits; they come first."""
    upright = np.zeros((30, 20, 3), np.uint8)
    upright[:10] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    photograph, measured = io.BytesIO(), io.BytesIO()
    lying = Image.fromarray(np.rot90(upright).copy())
    lying.save(photograph, "JPEG", exif=exif.tobytes(), quality=95)
    tifffile.imwrite(measured, np.arange(40 * 50, dtype=np.uint16).reshape(40, 50) * 30)
    blobs, now = Blobs(lake.catalog.store), datetime.now(UTC)
    known = {"source": "s", "bytes": 1, "batch": "b", "ingested_at": now}
    rows = [
        {
            "image_id": blobs.put(photograph.getvalue()), "path": "000a.jpg", "format": "JPEG",
            "width": 20, "height": 30, "bands": 3, "dtype": "uint8", **known,
        },
        {
            "image_id": blobs.put(measured.getvalue()), "path": "000b.tif", "format": "TIFF",
            "width": 50, "height": 40, "bands": 1, "dtype": "uint16", **known,
        },
    ]  # fmt: skip
    lake.catalog.table("images").merge(pa.Table.from_pylist(rows, schema=IMAGES), on=["image_id"])


def write_tasks(lake, ids, state="pushed", batch="first"):
    told = {
        "batch": batch, "tool_project": 1, "pushed_at": datetime.now(UTC), "prelabel_model": "",
        "arm": "", "ontology_version": "1", "guideline_version": "1", "state": state,
        "assignee": "",
    }  # fmt: skip
    rows = [{**told, "image_id": image, "task": n} for n, image in enumerate(ids)]
    lake.catalog.table("labeling_tasks").merge(
        pa.Table.from_pylist(rows, schema=LABELING_TASKS), on=["batch", "image_id"]
    )


def address(inspector, image, *, batch="first", project=P, until=None):
    addresses = ImageAddresses(inspector.home)
    until = until or datetime.now(UTC) + timedelta(days=1)
    return addresses.address("", project=project, batch=batch, image_id=image, until=until)


def size_of(answer):
    with Image.open(io.BytesIO(answer.content)) as picture:
        return picture.size


def test_who_has_the_address_sees_the_image_as_it_is_stored(pushed):
    inspector, lake, ids = pushed
    for image in ids[:6]:
        answer = inspector.client().get(address(inspector, image))
        assert answer.status_code == 200
        stored = lake.image(image)
        if stored.path.endswith(".png"):
            assert answer.content == Blobs(lake.catalog.store).read(image)
            assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_orientation_and_size_are_those_that_labels_count_in(pushed):
    inspector, lake, _ = pushed
    first = lake.query("order by path limit 8").image_ids.to_pylist()
    found = {lake.image(image).path: image for image in first}
    write_tasks(lake, [found["000a.jpg"], found["000b.tif"]])
    photograph = inspector.client().get(address(inspector, found["000a.jpg"]))
    with Image.open(io.BytesIO(photograph.content)) as lying:
        # a browser turns it as its EXIF says, which is what the lake counts in
        upright = ImageOps.exif_transpose(lying)
        assert upright.size == (20, 30)
        assert upright.getpixel((10, 4))[0] > 200
    measured = inspector.client().get(address(inspector, found["000b.tif"]))
    assert measured.headers["content-type"] == "image/jpeg"
    assert size_of(measured) == (50, 40)


@pytest.mark.parametrize("forged", ["signature", "image", "batch", "project", "key", "until"])
def test_no_other_address_can_be_made_from_it(pushed, forged, tmp_path):
    inspector, _, ids = pushed
    right = address(inspector, ids[0])
    wrong = {
        "signature": right[:-1] + ("A" if right[-1] != "A" else "B"),
        "image": right.replace(ids[0], ids[1]),
        "batch": right.replace("/first/", "/second/"),
        "project": right.replace(f"/{P}/", "/other/"),
        "until": re.sub(r"/first/(\d+)", lambda m: f"/first/{int(m[1]) + 1}", right),
        "key": address(Inspector(inspector.app, inspector.workspace, tmp_path), ids[0]),
    }[forged]
    answer = inspector.client().get(wrong)
    assert answer.status_code == 404
    assert "no such image" in answer.text


def test_only_until_its_last_day_which_it_says(pushed):
    inspector, _, ids = pushed
    over = address(inspector, ids[0], until=datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
    answer = inspector.client().get(over)
    assert answer.status_code == 410
    assert "was good until 1 Mar 2026 12:30 UTC" in answer.text
    assert f"cvp push {P} --batch first" in answer.text
    page = inspector.client().get(over, headers={"accept": "text/html"}).text
    assert "No longer here" in page
    assert "Taken out" not in page
    without = re.sub(r"/first/[^/]+", "/first", over)
    first = inspector.client().get(without)
    assert (first.status_code, "earlier release" in first.text) == (410, True)
    assert inspector.client().get(f"{without[:-4]}AAAA").status_code == 404


def test_images_of_annotators_push_nothing_else_out_of_memory(pushed, monkeypatch):
    inspector, _, ids = pushed
    workspace = inspector.workspace
    monkeypatch.setattr(workspace, "kept", Kept(8))
    workspace.kept.get("what took long", object)
    monkeypatch.setattr(labeling_images, "FRESH_SECONDS", 1e-6)
    for _ in range(20):
        labeling_images._require_labelled(workspace, P, "first", ids[0])
    assert "what took long" in workspace.kept


def test_unless_the_batch_is_paused_or_cancelled_but_also_when_it_is_done(pushed):
    inspector, lake, ids = pushed
    client, shown = inspector.client(), address(inspector, ids[0])
    over = address(inspector, ids[0], until=datetime(2026, 3, 1, tzinfo=UTC))
    write_tasks(lake, ids[:1], "deleted")
    assert client.get(shown).status_code == 410
    write_tasks(lake, ids[:1])
    assert client.get(shown).status_code == 200
    assert client.get(address(inspector, ids[7])).status_code == 410, "of the batch, and no task"
    assert client.get(address(inspector, ids[0], batch="second")).status_code == 410
    lake.set_aside(lake.query("order by path limit 8"), "given-up", purpose="label")
    for batch, states in (
        ("first", (("pushed", 200), ("paused", 410), ("pushed", 200), ("done", 200))),
        ("given-up", (("pushed", 200), ("cancelled", 410))),
    ):
        write_tasks(lake, ids[:1], batch=batch)
        for state, status in states:
            change_state(lake.catalog, batch, state)
            got = client.get(address(inspector, ids[0], batch=batch))
            assert got.status_code == status, state
    assert client.get(over).status_code == 410, "of a batch that is done, and over"


def test_one_image_is_looked_up_without_the_rest_of_its_batch(pushed, monkeypatch):
    inspector, lake, ids = pushed
    read, counts = CatalogTable.read, []

    def counted(table, **asked):
        rows = read(table, **asked)
        counts.append((table.name, len(rows)))
        return rows

    monkeypatch.setattr(CatalogTable, "read", counted)
    change_state(lake.catalog, "second", "pushed")
    write_tasks(lake, ids, batch="second")
    counts.clear()
    assert inspector.client().get(address(inspector, ids[0], batch="second")).status_code == 200
    looked = {name: rows for name, rows in counts if name.startswith("labeling_")}
    assert looked == {"labeling_tasks": 1, "labeling_batches": 1}


def test_restricted_images_stand_in_the_audit_log_once(pushed):
    inspector, lake, _ = pushed
    restricted = lake.query("brightness > 0.5 limit 1").image_ids.to_pylist()
    plain = lake.query("brightness <= 0.5 limit 1").image_ids.to_pylist()
    write_tasks(lake, restricted + plain, batch="third")
    client = inspector.client()
    for _ in range(2):
        for image in restricted + plain:
            assert client.get(address(inspector, image, batch="third")).status_code == 200
    entries = [line.entry for line in inspector.log.export(Wanted())]
    seen = [e for e in entries if e.details.get("batch") == "third"]
    assert [(e.action, e.user, e.target) for e in seen] == [
        ("image.seen", "label-studio", restricted[0])
    ]


def test_only_the_tool_may_draw_on_it(pushed):
    inspector, lake, ids = pushed
    write_tasks(lake, ids[:1], batch="fourth")
    shown = address(inspector, ids[0], batch="fourth")
    ours = inspector.client(origin=TOOL).get(shown)
    assert ours.headers["access-control-allow-origin"] == TOOL
    assert ours.headers["cross-origin-resource-policy"] == "cross-origin"
    theirs = inspector.client(origin="https://evil.example").get(shown)
    assert "access-control-allow-origin" not in theirs.headers


def test_guessing_is_stopped(pushed):
    inspector, lake, ids = pushed
    write_tasks(lake, ids[:1], batch="fifth")
    shown = address(inspector, ids[0], batch="fifth")
    client = inspector.client()
    for _ in range(WRONG.amount):
        assert client.get(f"{shown[:-4]}AAAA").status_code == 404
    assert client.get(f"{shown[:-4]}AAAA").status_code == 429
    assert client.get(shown).status_code == 429


def test_the_key_is_for_its_owner_only(pushed):
    inspector, _, _ = pushed
    key = inspector.home / "labeling" / "image.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
