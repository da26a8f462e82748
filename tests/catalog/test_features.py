from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from cv_pipeline.catalog import engine, features
from cv_pipeline.catalog.features import FeaturesReport, compute_features
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.imaging import decode, grey_thumbnail, measure, phash, to_rgb8
from cv_pipeline.storage import Blobs, ObjectStore, open_store
from tests.catalog.lake_world import make_project, make_source, picture, run_ingest


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A store with the eight images of the small source."""
    store = open_store(str(tmp_path / "store"))
    run_ingest(store, make_project(make_source(tmp_path / "source")))
    return store


def run(store: ObjectStore, *, images_version: int | None = None) -> FeaturesReport:
    return compute_features(
        project=make_project("unused"),
        catalog=Catalog(store, "fruit"),
        blobs=Blobs(store),
        progress=lambda done, total, what: None,
        images_version=images_version,
    )


def table(store: ObjectStore) -> pa.Table:
    return Catalog(store, "fruit").table("image_features").read().sort_by("image_id")


def test_every_image_has_its_features(store: ObjectStore) -> None:
    report = run(store)
    assert (report.images, report.new, report.quarantined) == (8, 8, 0)
    for row in table(store).to_pylist():
        rgb8 = to_rgb8(decode(Blobs(store).read(row["image_id"]), max_pixels=10**6))
        grey = grey_thumbnail(rgb8)
        assert row["phash"] == int(phash(grey[None])[0])
        assert row["phash_mirrored"] == int(phash(grey[None, :, ::-1])[0])
        assert row["brightness"] == measure(rgb8).brightness
        thumbnail = np.frombuffer(row["thumbnail"], np.uint8).reshape(32, 32)
        assert np.abs(thumbnail - grey).max() <= 0.5


def test_only_new_images_are_computed(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(store)
    assert run(store) == FeaturesReport(first.digest, 8, 0, 0, first.version)
    (tmp_path / "source" / "new.jpg").write_bytes(picture(77))
    run_ingest(store, make_project(tmp_path / "source"))
    third = run(store)
    assert (third.images, third.new) == (9, 1)
    assert third.digest != first.digest


def test_an_older_state_of_the_lake_keeps_its_digest(store: ObjectStore, tmp_path: Path) -> None:
    before = Catalog(store, "fruit").table("images").version
    first = run(store)
    (tmp_path / "source" / "new.jpg").write_bytes(picture(77))
    run_ingest(store, make_project(tmp_path / "source"))
    run(store)
    again = run(store, images_version=before)
    assert (again.digest, again.images) == (first.digest, 8)


def test_workers_compute_the_same(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = run(store)
    other = open_store(str(tmp_path / "other"))
    run_ingest(other, make_project(tmp_path / "source"))
    monkeypatch.setattr(engine, "cores", lambda: 2)
    monkeypatch.setattr(features, "_CALL_IMAGES", 2)
    monkeypatch.setattr(features, "_COMMIT_IMAGES", 3)
    assert run(other).digest == here.digest
    assert table(other).equals(table(store))


def test_an_unreadable_image_is_refused_until_it_is_back(
    store: ObjectStore, tmp_path: Path
) -> None:
    images = Catalog(store, "fruit").table("images").read().to_pylist()
    gone, damaged = images[0]["image_id"], images[1]["image_id"]
    keys = [f"blobs/{i[:2]}/{i[2:4]}/{i}" for i in (gone, damaged)]
    saved = [store.read(key) for key in keys]
    store.delete(keys[0])
    store.write(keys[1], b"something else")
    report = run(store)
    assert (report.images, report.new, report.quarantined) == (6, 6, 2)
    refused = Catalog(store, "fruit").table("quarantine").read(filter="stage = 'image_features'")
    assert sorted(refused["file"].to_pylist()) == sorted(i["path"] for i in images[:2])
    assert set(refused["reason"].to_pylist()) == {"unreadable_image"}
    assert run(store, images_version=0).quarantined == 0  # which says nothing of these images
    assert Catalog(store, "fruit").table("quarantine").read(filter="stage = 'image_features'") == (
        refused
    )
    for key, data in zip(keys, saved, strict=True):
        store.write(key, data)
    report = run(store)
    assert (report.images, report.new, report.quarantined) == (8, 2, 0)
    table = Catalog(store, "fruit").table("quarantine")
    assert table.read(filter="stage = 'image_features'").num_rows == 0


def test_an_empty_lake(tmp_path: Path) -> None:
    report = run(open_store(str(tmp_path / "nothing")))
    assert (report.images, report.new, report.version) == (0, 0, 0)


def test_a_picture_and_its_mirror_image(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "pair").mkdir()
    pixels = np.random.default_rng(5).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for name, array in (("a.png", pixels), ("b.png", pixels[:, ::-1])):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "PNG")
        (tmp_path / "pair" / name).write_bytes(buffer.getvalue())
    pair = open_store(str(tmp_path / "pair-store"))
    run_ingest(pair, make_project(tmp_path / "pair"))
    run(pair)
    one, two = table(pair).to_pylist()
    assert one["phash"] == two["phash_mirrored"]
    assert one["phash_mirrored"] == two["phash"]
