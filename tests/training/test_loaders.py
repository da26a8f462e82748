from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from cv_pipeline.project import Augmentation, Training
from cv_pipeline.training.augmentation import draw_parameters
from cv_pipeline.training.framing import augmented_frames, whole_frames
from cv_pipeline.training.loaders import open_loader
from cv_pipeline.training.model_folder import Normalisation
from cv_pipeline.training.preprocessing import evenly_spaced, fit_normalisation
from cv_pipeline.training.staging import StagedImages
from tests.training.conftest import encode

CPU = torch.device("cpu")
RAW = Normalisation(mean=(0, 0, 0), std=(1, 1, 1))
SIZES = [(60, 90), (48, 64), (90, 40), (33, 77), (48, 64)]


def smooth(seed: int, height: int, width: int) -> np.ndarray:
    """A picture with structure but without noise, in which every place differs."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, size=(5, 6, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def pack(path, pictures: list[bytes]) -> StagedImages:
    path.write_bytes(b"".join(pictures))
    return StagedImages.of_file(path, np.array([len(p) for p in pictures]))


@pytest.fixture
def images(tmp_path) -> StagedImages:
    containers = ["PNG", "JPEG", "JPEG", "PNG", "JPEG"]
    pictures = [encode(smooth(i, *SIZES[i]), name) for i, name in enumerate(containers)]
    return pack(tmp_path / "images", pictures)


def load(loader: str, images, frames, *, normalisation=RAW, batches=None) -> torch.Tensor:
    training = Training(model="m", input_size=frames.input_size, batch_size=4, loader=loader)
    opened = open_loader(images, training=training, normalisation=normalisation, device=CPU)
    rows = [np.arange(len(frames))[i : i + 4] for i in range(0, len(frames), 4)]
    return torch.cat(list(opened.batches(frames, batches or rows)))


def augmented(augmentation: Augmentation, *, seed: int = 0):
    ids = pa.array([str(i) for i in range(len(SIZES))])
    drawn = draw_parameters(ids, augmentation=augmentation, seed=seed, epoch=1)
    return augmented_frames(np.array(SIZES), drawn, input_size=(48, 56))


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flip=0.0),
        Augmentation(flip=1.0),
        Augmentation(flip=0.5, crop=0.4),
        Augmentation(flip=0.5, crop=0.3, brightness=0.3, contrast=0.3, saturation=0.5),
    ],
    ids=["plain", "flip", "crop", "all"],
)
def test_both_loaders_give_the_same_input(images, augmentation):
    frames = augmented(augmentation)
    normalisation = Normalisation(mean=(120, 110, 100), std=(60, 55, 50))
    dali, torchvision = (
        load(name, images, frames, normalisation=normalisation) for name in ("dali", "torchvision")
    )
    assert dali.shape == torchvision.shape == (5, 3, 48, 56)
    assert dali.dtype == torchvision.dtype == torch.float32
    difference = (dali - torchvision).abs()
    assert difference.mean() < 0.01  # half a grey level of 255
    assert difference.max() < 0.1


@pytest.mark.parametrize("loader", ["dali", "torchvision"])
def test_flipped_content_stays_at_the_left_and_padding_is_zero(images, loader):
    plain = whole_frames(np.array(SIZES), input_size=(48, 56))
    flipped = augmented(Augmentation(flip=1.0))
    straight, mirrored = load(loader, images, plain), load(loader, images, flipped)
    for row, (height, width) in enumerate(plain.size):
        content = straight[row, :, :height, :width]
        assert torch.equal(mirrored[row, :, :height, :width], content.flip(2))
        assert content.mean() > 20
        for tensor in (straight, mirrored):
            assert not tensor[row, :, height:].any()
            assert not tensor[row, :, :, width:].any()


@pytest.mark.parametrize("loader", ["dali", "torchvision"])
def test_pixels_of_an_unscaled_image_come_through_unchanged(tmp_path, loader):
    picture = smooth(7, 48, 56)
    images = pack(tmp_path / "images", [encode(picture, "PNG")])
    out = load(loader, images, whole_frames(np.array([[48, 56]]), input_size=(48, 56)))
    assert out[0].permute(1, 2, 0).numpy() == pytest.approx(picture.astype(float), abs=0.01)


@pytest.mark.parametrize("loader", ["dali", "torchvision"])
def test_orientation_grey_and_palette(tmp_path, loader):
    picture = smooth(3, 48, 56)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    pictures = [
        encode(picture, "JPEG", quality=95, exif=turned),
        encode(Image.fromarray(picture).convert("L"), "JPEG", quality=95),
        encode(Image.fromarray(picture).convert("P"), "PNG"),
    ]
    images = pack(tmp_path / "images", pictures)
    frames = whole_frames(np.array([[56, 48], [48, 56], [48, 56]]), input_size=(56, 56))
    out = load(loader, images, frames)
    upright = np.asarray(Image.fromarray(picture).transpose(Image.Transpose.ROTATE_270))
    seen = out[0, :, :, :48].permute(1, 2, 0).numpy()
    assert np.abs(seen - upright).mean() < 4
    assert torch.allclose(out[1, 0], out[1, 2], atol=0.01)
    assert out[2].max() > 100


@pytest.mark.parametrize("loader", ["dali", "torchvision"])
def test_batches_of_any_size_in_any_order_epoch_after_epoch(images, loader):
    frames = whole_frames(np.array(SIZES), input_size=(32, 32))
    training = Training(model="m", input_size=(32, 32), batch_size=4, loader=loader)
    opened = open_loader(images, training=training, normalisation=RAW, device=CPU)
    straight = torch.cat(list(opened.batches(frames, [np.arange(3), np.arange(3, 5)])))
    shuffled = list(opened.batches(frames, [np.array([4]), np.array([2, 0, 1, 3])]))
    assert [len(batch) for batch in shuffled] == [1, 4]
    assert torch.equal(torch.cat(shuffled), straight[[4, 2, 0, 1, 3]])


def test_normalisation_is_that_of_the_content(tmp_path):
    pictures = [np.full((20, 40, 3), v, dtype=np.uint8) for v in ((10, 20, 30), (30, 60, 90))]
    images = pack(tmp_path / "images", [encode(p, "PNG") for p in pictures])
    frames = whole_frames(np.array([[20, 40]] * 2), input_size=(40, 40))
    training = Training(model="m", input_size=(40, 40), batch_size=4, loader="torchvision")

    def open_raw(raw):
        return open_loader(images, training=training, normalisation=raw, device=CPU)

    fitted = fit_normalisation(open_raw, frames, batch_size=4)
    assert fitted.mean == pytest.approx((20, 40, 60))  # padding is half of the input
    assert fitted.std == pytest.approx((10, 20, 30))


def test_a_constant_channel_does_not_divide_by_zero(tmp_path):
    images = pack(tmp_path / "images", [encode(np.zeros((20, 20, 3), np.uint8), "PNG")])
    frames = whole_frames(np.array([[20, 20]]), input_size=(20, 20))
    training = Training(model="m", input_size=(20, 20), batch_size=4, loader="torchvision")
    fitted = fit_normalisation(
        lambda raw: open_loader(images, training=training, normalisation=raw, device=CPU),
        frames,
        batch_size=4,
    )
    assert fitted.std == (1, 1, 1)


@pytest.mark.parametrize(
    ("n", "most", "expected"), [(0, 5, []), (3, 5, [0, 1, 2]), (9, 3, [0, 4, 8])]
)
def test_evenly_spaced(n, most, expected):
    assert evenly_spaced(n, most).tolist() == expected


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch):
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "2")
