from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy.fft import dctn

from cv_pipeline.imaging import decode, grey_thumbnail, hamming, phash
from cv_pipeline.storage import open_source


@pytest.fixture(scope="module")
def photographs(real_data: Path) -> list[np.ndarray]:
    source = open_source(f"{real_data}/bccd.tar.gz!BCCD/JPEGImages")
    paths = [e.path for e in source.list()][::6]
    return [decode(data, max_pixels=10**6) for _, data in source.read_many(paths)]


def hashes(pictures: list[np.ndarray]) -> np.ndarray:
    return phash(np.stack([grey_thumbnail(p) for p in pictures]))


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    image = Image.fromarray(picture)
    size = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def recoded(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue(), max_pixels=10**7)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("quality 60", lambda p: recoded(p, 60)),
        ("quality 20", lambda p: recoded(p, 20)),
        ("half", lambda p: scaled(p, 0.5)),
        ("a third", lambda p: scaled(p, 0.33)),
        ("twice", lambda p: scaled(p, 2.0)),
        ("wider", lambda p: np.asarray(Image.fromarray(p).resize((800, 480)))),
        ("brighter", lambda p: (p * 0.9 + 25).clip(0, 255).astype(np.uint8)),
    ],
)
def test_a_changed_copy_is_near(name: str, change, photographs: list[np.ndarray]) -> None:
    copies = hashes([change(p) for p in photographs])
    assert hamming(hashes(photographs), copies).max() <= 6, name


def test_different_photographs_are_far(photographs: list[np.ndarray]) -> None:
    found = hashes(photographs)
    distances = hamming(found[:, None], found[None, :])
    pairs = distances[np.triu_indices(len(found), 1)]
    assert np.median(pairs) > 25
    assert (pairs <= 6).mean() < 0.001


def test_mirroring_the_thumbnail_mirrors_the_picture(photographs: list[np.ndarray]) -> None:
    thumbnails = np.stack([grey_thumbnail(p) for p in photographs])
    mirrored = hashes([np.ascontiguousarray(p[:, ::-1]) for p in photographs])
    assert hamming(phash(thumbnails[:, :, ::-1]), mirrored).max() <= 1
    assert hamming(phash(thumbnails), mirrored).min() > 6


def test_the_formula_is_that_of_the_paper() -> None:
    batch = np.random.default_rng(0).uniform(0, 255, (50, 32, 32)).astype(np.float32)
    low = dctn(batch.astype(np.float64), type=2, norm="ortho", axes=(1, 2))[:, 1:9, 1:9]
    low = low.reshape(50, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    expected = [int("".join("1" if bit else "0" for bit in row), 2) for row in bits]
    assert phash(batch).tolist() == expected


def test_a_hash_does_not_depend_on_its_batch() -> None:
    batch = np.random.default_rng(0).uniform(0, 255, (9, 32, 32)).astype(np.float32)
    assert phash(batch).tolist() == [phash(batch[n : n + 1])[0] for n in range(9)]
    assert phash(batch[:0]).shape == (0,)
    assert phash(batch).dtype == np.uint64


@given(level=st.integers(0, 255), side=st.integers(1, 100))
def test_flat_pictures_are_all_alike(level: int, side: int) -> None:
    flat = np.full((side, 7, 3), level, np.uint8)
    assert phash(grey_thumbnail(flat)[None])[0] == 0


@given(batch=hnp.arrays(np.uint8, (2, 32, 32)), shift=st.integers(0, 3))
def test_half_of_the_bits_are_set_at_most(batch: np.ndarray, shift: int) -> None:
    found = phash(batch + np.float32(shift))
    assert (np.bitwise_count(found) <= 32).all()
    assert np.array_equal(found, phash(batch))  # brightness does not matter


def test_thumbnail_is_luma() -> None:
    red = np.zeros((64, 48, 3), np.uint8)
    red[..., 0] = 255
    thumbnail = grey_thumbnail(red)
    assert thumbnail.shape == (32, 32)
    assert thumbnail.dtype == np.float32
    assert np.allclose(thumbnail, 76, atol=0.5)  # 0.299 × 255


def test_hamming_counts_bits() -> None:
    a = np.array([0, 1, 2**64 - 1], np.uint64)
    assert hamming(a, np.uint64(0)).tolist() == [0, 1, 64]
    assert hamming(a[:, None], a[None, :]).tolist() == [[0, 1, 64], [1, 0, 63], [64, 63, 0]]
