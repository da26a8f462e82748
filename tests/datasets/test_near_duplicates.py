"""Near-duplicates: copies are found, look-alikes are left alone, and it scales."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from cv_pipeline.datasets.near_duplicates import (
    NEAR_DUPLICATE_PAIRS,
    NEAR_DUPLICATES,
    clusters,
    name_pairs,
    near_duplicate_pairs,
)
from cv_pipeline.imaging.perceptual import grey_thumbnail, phash
from tests.datasets.pictures import (
    Change,
    Picture,
    belt,
    cropped,
    cropped_and_mirrored,
    frame,
    free_scene,
    mirrored,
    re_encoded,
    resized,
)

COPIES = 50
CHANGES: dict[Change, str] = {
    re_encoded: "same",
    resized: "same",
    mirrored: "mirrored",
    cropped: "cropped",
    cropped_and_mirrored: "cropped_mirrored",
}


def find(thumbnails: NDArray[np.float32], max_distance: int = 6) -> pa.Table:
    return near_duplicate_pairs(
        hashes=phash(thumbnails),
        mirrored=phash(thumbnails[:, :, ::-1]),
        thumbnails=np.rint(thumbnails).astype(np.uint8),
        max_distance=max_distance,
    )


class Planted:
    """Distinct pictures followed by copies of the first of them, and what was found."""

    def __init__(self, pictures: list[Picture], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.distinct = len(pictures)
        self.truth: list[tuple[int, int, Change]] = []
        thumbnails = [grey_thumbnail(p) for p in pictures]
        for n, change in enumerate(CHANGES):
            for source in range(n * COPIES, (n + 1) * COPIES):
                self.truth.append((source, len(thumbnails), change))
                thumbnails.append(grey_thumbnail(change(rng, pictures[source])))
        self.size = len(thumbnails)
        self.pairs = find(np.stack(thumbnails))
        rows = self.pairs.to_pylist()
        self.found = {(row["i"], row["j"]): row["kind"] for row in rows}

    def recall(self, change: Change) -> float:
        hits = [(i, j) in self.found for i, j, how in self.truth if how is change]
        return sum(hits) / len(hits)

    def false_pairs(self) -> int:
        return sum(j < self.distinct for _, j in self.found)


@pytest.fixture(scope="module", params=["belts", "one fruit a frame", "free scenes"])
def planted(request: pytest.FixtureRequest) -> Planted:
    rng = np.random.default_rng(7)
    if request.param == "free scenes":
        return Planted([free_scene(rng) for _ in range(len(CHANGES) * COPIES)], seed=1)
    belts = [belt(rng) for _ in range(2)]
    most = 6 if request.param == "belts" else 1
    return Planted([frame(rng, belts[n % 2], most) for n in range(500)], seed=1)


@pytest.mark.parametrize("change", [re_encoded, resized, mirrored], ids=lambda c: c.__name__)
def test_copies_are_found(planted: Planted, change: Change) -> None:
    assert planted.recall(change) >= 0.95


@pytest.mark.parametrize("change", [cropped, cropped_and_mirrored], ids=lambda c: c.__name__)
def test_light_crops_are_found(planted: Planted, change: Change) -> None:
    assert planted.recall(change) >= 0.9


def test_other_frames_of_one_camera_are_left_alone(planted: Planted) -> None:
    frames = planted.distinct // 2  # of each camera
    assert planted.false_pairs() <= 0.001 * frames * (frames - 1)
    assert np.bincount(clusters(planted.size, planted.pairs)).max() <= 12


def test_a_pair_says_how_its_images_differ(planted: Planted) -> None:
    said = [(planted.found.get((i, j)), CHANGES[how]) for i, j, how in planted.truth]
    whole = [s == t for s, t in said if s and t in ("same", "mirrored")]
    assert np.mean(whole) >= 0.95


def test_pairs_are_sorted_and_named() -> None:
    rng = np.random.default_rng(0)
    picture = free_scene(rng)
    copies = np.stack([grey_thumbnail(re_encoded(rng, picture)) for _ in range(3)])
    pairs = find(copies)
    assert pairs.schema == NEAR_DUPLICATE_PAIRS
    assert list(zip(pairs["i"].to_pylist(), pairs["j"].to_pylist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]
    named = name_pairs(pairs, pa.array(["a", "b", "c"]))
    assert named.schema == NEAR_DUPLICATES
    assert named["image_b"].to_pylist() == ["b", "c", "c"]


def test_distance_0_still_finds_identical_hashes() -> None:
    picture = grey_thumbnail(free_scene(np.random.default_rng(0)))
    assert find(np.stack([picture, picture]), max_distance=0)["kind"].to_pylist() == ["same"]


@pytest.mark.parametrize("size", [0, 1])
def test_too_few_images_for_a_pair(size: int) -> None:
    assert find(np.zeros((size, 32, 32), np.float32)).num_rows == 0


def test_flat_pictures_are_one_picture() -> None:
    flat = np.full((40, 32, 32), 90, np.float32)
    assert set(clusters(40, find(flat))) == {0}


def test_clusters_join_through_others() -> None:
    pairs = pa.table({"i": [3, 0], "j": [4, 3]})
    assert clusters(6, pairs).tolist() == [0, 1, 2, 0, 0, 5]


def test_ten_thousand_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(10_000, 9, 9)).astype(np.float32)
    at = np.linspace(0, 8, 32)
    line = np.clip(1 - np.abs(at[:, None] - np.arange(9)), 0, None).astype(np.float32)
    thumbnails = np.clip(128 + 40 * (line @ coarse @ line.T), 0, 255)
    thumbnails[9_000] = thumbnails[3]
    began = time.process_time()
    pairs = find(thumbnails)
    assert pairs.select(["i", "j"]).to_pylist() == [{"i": 3, "j": 9_000}]
    assert time.process_time() - began < 15
