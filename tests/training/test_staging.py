from __future__ import annotations

import io
import os
from datetime import UTC, datetime

import numpy as np
import pytest
import tifffile
from PIL import Image

from cv_pipeline.errors import TrainingError
from cv_pipeline.storage import Tombstone, Tombstones, open_store
from cv_pipeline.training import staging
from cv_pipeline.training.examples import read_examples
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.staging import stage
from tests.training.conftest import LABELS, Sample, encode, square


@pytest.fixture
def progress():
    reader, writer = os.pipe()
    yield Progress(writer)
    os.close(reader)
    os.close(writer)


def staged(world, path, progress):
    examples = read_examples(world.folder, splits=["train"], task="detection", labels=LABELS)
    return examples, stage(examples, blobs=world.blobs, path=path, progress=progress)


def test_plain_files_are_kept_byte_for_byte(make_world, tmp_path, progress):
    world = make_world(samples=[square(i, "train", container="JPEG") for i in range(3)])
    examples, images = staged(world, tmp_path / "images", progress)
    assert len(images) == 3
    for row, image_id in enumerate(examples.image_ids.to_pylist()):
        assert images.encoded(row).tobytes() == world.blobs.read(image_id)


def test_other_files_are_rendered_to_eight_bit_rgb(make_world, tmp_path, progress):
    ramp = np.linspace(0, 60_000, 48 * 64).reshape(48, 64).astype(np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, np.stack([ramp] * 4), photometric="minisblack")
    box = (1.0, 1.0, 9.0, 9.0)
    samples = [
        Sample(encode(ramp), "train", "red", box, dtype="uint16", bands=1),
        Sample(out.getvalue(), "train", "red", box, format="TIFF", dtype="uint16", bands=4),
    ]
    _, images = staged(make_world(samples=samples), tmp_path / "images", progress)
    for row in range(2):
        with Image.open(io.BytesIO(images.encoded(row).tobytes())) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (64, 48))
            values = np.asarray(image)
        assert values.min() < 10
        assert values.max() > 245


def test_what_an_image_takes_in_memory_is_known(make_world, tmp_path, progress):
    """By pixels, bands and depth, so that large images are not read by the dozen."""
    tall = np.zeros((20, 10), dtype=np.uint16)
    box = (1.0, 1.0, 9.0, 9.0)
    deep = Sample(encode(tall), "train", "red", box, dtype="uint16", bands=1, size=(20, 10))
    world = make_world(samples=[square(0, "train"), deep])
    examples, _ = staged(world, tmp_path / "images", progress)
    known = dict(zip(examples.image_ids.to_pylist(), examples.decoded_bytes, strict=True))
    assert known == {world.ids[0]: 48 * 64 * 3, world.ids[1]: 20 * 10 * 2}
    assert examples.take(np.array([1])).decoded_bytes.tolist() == [known[max(world.ids)]]


def test_images_larger_than_the_budget_are_staged_one_by_one(
    make_world, tmp_path, progress, monkeypatch
):
    monkeypatch.setattr(staging, "_READ_AHEAD_BYTES", 1)
    world = make_world(samples=[square(i, "train") for i in range(5)])
    read, now, most = world.blobs.read, [], []

    def counted(image_id: str) -> bytes:
        now.append(image_id)
        most.append(len(now))
        data = read(image_id)
        now.remove(image_id)
        return data

    monkeypatch.setattr(world.blobs, "read", counted)
    examples, images = staged(world, tmp_path / "images", progress)
    for row, image_id in enumerate(examples.image_ids.to_pylist()):
        assert images.encoded(row).tobytes() == read(image_id)
    assert most == [1] * 5


def test_a_missing_image_is_named(make_world, tmp_path, progress):
    world = make_world(samples=[square(0, "train")])
    image_id = world.ids[0]
    (tmp_path / "store" / "blobs" / image_id[:2] / image_id[2:4] / image_id).unlink()
    with pytest.raises(TrainingError, match=f"Image {image_id} of the dataset version"):
        staged(world, tmp_path / "images", progress)


def test_an_image_that_was_taken_out_since_the_start_is_told(make_world, tmp_path, progress):
    world = make_world(samples=[square(0, "train")])
    at = datetime(2026, 3, 4, tzinfo=UTC)
    Tombstones(open_store(world.store_url)).create(
        Tombstone(
            image_id=world.ids[0], reason="asked for", actor="anna", at=at, paths={}, bytes=None,
            used_by=(),
        )
    )  # fmt: skip
    world.blobs.remove(world.ids[0])
    with pytest.raises(TrainingError, match=r"changed underneath.*asked for.*Run it again"):
        staged(world, tmp_path / "images", progress)


def test_no_images_at_all(make_world, tmp_path, progress):
    world = make_world(samples=[square(0, "test")])
    _, images = staged(world, tmp_path / "images", progress)
    assert len(images) == 0
