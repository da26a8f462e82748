from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from cv_pipeline.catalog import engine, features
from cv_pipeline.catalog.features import FeaturesReport, compute_features
from cv_pipeline.catalog.schemas import SIGNATURES, TAKEOUTS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.imaging import decode, grey_thumbnail, measure, phash, to_rgb8
from cv_pipeline.imaging.descriptor import descriptor
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


def table(store: ObjectStore, name: str = "image_features") -> pa.Table:
    return Catalog(store, "fruit").table(name).read().sort_by("image_id")


def test_every_image_has_its_features(store: ObjectStore) -> None:
    report = run(store)
    assert (report.images, report.new, report.quarantined) == (8, 8, 0)
    signatures = {row["image_id"]: row for row in table(store, "signatures").to_pylist()}
    for row in table(store).to_pylist():
        rgb8 = to_rgb8(decode(Blobs(store).read(row["image_id"]), max_pixels=10**6))
        grey = grey_thumbnail(rgb8)
        assert row["phash"] == int(phash(grey[None])[0])
        assert row["phash_mirrored"] == int(phash(grey[None, :, ::-1])[0])
        assert row["brightness"] == measure(rgb8).brightness
        signature = signatures.pop(row["image_id"])
        thumbnail = np.frombuffer(signature["thumbnail"], np.uint8).reshape(32, 32)
        assert np.abs(thumbnail - grey).max() <= 0.5
        assert signature["descriptor"] == descriptor(rgb8).tolist()
    assert not signatures


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


@pytest.mark.parametrize("lost", ["image_features", "signatures"])
def test_what_a_killed_run_left_half_done_is_done_again(store: ObjectStore, lost: str) -> None:
    first = run(store)
    before = table(store), table(store, "signatures")
    gone = before[0]["image_id"].to_pylist()[2:5]
    Catalog(store, "fruit").table(lost).delete(one_of("image_id", gone))
    again = run(store)
    assert (again.digest, again.new) == (first.digest, 3)
    assert (table(store), table(store, "signatures")) == before


def test_a_store_of_earlier_code_gets_signatures(store: ObjectStore) -> None:
    run(store)
    features = Catalog(store, "fruit").table("image_features")
    rows = features.read()
    old = features.schema.append(pa.field("thumbnail", pa.binary(1024), nullable=False))
    features.schema = old  # as it was when thumbnails were kept with the features
    features.replace(rows.append_column("thumbnail", pa.array([bytes(1024)] * len(rows))))
    Catalog(store, "fruit").table("signatures").replace(SIGNATURES.empty_table())
    assert run(store).new == 8
    assert table(store, "signatures").num_rows == 8
    assert "thumbnail" not in features.relation().schema.names


def test_images_that_were_taken_out_are_left_alone(store: ObjectStore) -> None:
    first = run(store)
    catalog = Catalog(store, "fruit")
    gone = table(store)["image_id"][0].as_py()
    row = {
        "image_id": gone,
        "reason": "asked",
        "actor": "a",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    catalog.table("takeouts").insert(pa.Table.from_pylist([row], TAKEOUTS), on=["image_id"])
    again = run(store)  # as if the signature had been written while the image was taken out
    assert (again.digest, again.new, again.quarantined) == (first.digest, 0, 0)
    assert gone not in table(store, "signatures")["image_id"].to_pylist()
    assert run(store).new == 0
    assert table(store, "signatures").num_rows == 7


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
    assert table(other, "signatures").equals(table(store, "signatures"))


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
