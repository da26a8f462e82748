"""Near-duplicates: copies are found, look-alikes are left alone, and it scales."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas import NEAR_DUPLICATES
from cv_pipeline.datasets.duplicates.near_duplicates import (
    NEAR_DUPLICATE_PAIRS,
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
    moving_belt,
    re_encoded,
    resized,
    sample_belt,
)

COPIES = 30
CHANGES: dict[Change, str] = {
    re_encoded: "same",
    resized: "same",
    mirrored: "mirrored",
    cropped: "cropped",
    cropped_and_mirrored: "cropped_mirrored",
}
SCENES = ("belts", "one fruit a frame", "moving belt", "demo world", "free scenes")


def pictures_of(scene: str, count: int, rng: np.random.Generator) -> list[Picture]:
    """Distinct pictures of one scene, or as many scenes as pictures."""
    if scene == "free scenes":
        return [free_scene(rng) for _ in range(count)]
    if scene == "demo world":
        return sample_belt(rng, count)
    background = belt(rng)
    if scene == "moving belt":
        return moving_belt(rng, background, count)
    return [frame(rng, background, 6 if scene == "belts" else 1) for _ in range(count)]


def find(thumbnails: NDArray[np.float32], max_distance: int = 6) -> pa.Table:
    return near_duplicate_pairs(
        hashes=phash(thumbnails),
        mirrored=phash(thumbnails[:, :, ::-1]),
        thumbnails=np.rint(thumbnails).astype(np.uint8),
        max_distance=max_distance,
    )


class Planted:
    """Distinct pictures followed by copies of the first of them, and what was found."""

    def __init__(self, scene: str, copies: int) -> None:
        rng = np.random.default_rng(7)
        pictures = pictures_of(scene, copies * len(CHANGES), rng)
        self.distinct = len(pictures)
        self.truth: list[tuple[int, int, Change]] = []
        thumbnails = [grey_thumbnail(p) for p in pictures]
        for n, change in enumerate(CHANGES):
            for source in range(n * copies, (n + 1) * copies):
                self.truth.append((source, len(thumbnails), change))
                thumbnails.append(grey_thumbnail(change(rng, pictures[source])))
        self.size = len(thumbnails)
        self.pairs = find(np.stack(thumbnails))
        rows = self.pairs.to_pylist()
        self.found = {(row["i"], row["j"]): row["kind"] for row in rows}
        self.recall = {
            change: np.mean([(i, j) in self.found for i, j, how in self.truth if how is change])
            for change in CHANGES
        }
        false = [(i, j) for i, j in self.found if j < self.distinct]
        self.false_share = len(false) / (self.distinct * (self.distinct - 1) / 2)
        rates = ", ".join(f"{c.__name__} {share:.1%}" for c, share in self.recall.items())
        involved = len({row for pair in false for row in pair}) / self.distinct
        print(f"\n{scene}, {self.distinct} pictures, {copies} copies a kind: found {rates};")
        print(f"  false pairs {self.false_share:.4%} of all, with {involved:.1%} of the pictures")


@pytest.fixture(scope="module", params=SCENES)
def planted(request: pytest.FixtureRequest) -> Planted:
    return Planted(request.param, COPIES)


def test_copies_are_found_and_other_pictures_of_the_scene_left_alone(planted: Planted) -> None:
    assert min(planted.recall[change] for change in (re_encoded, resized, mirrored)) >= 0.95
    assert np.mean([planted.recall[change] for change in (cropped, cropped_and_mirrored)]) >= 0.9
    assert planted.false_share < 0.01
    assert np.bincount(clusters(planted.size, planted.pairs)).max() <= 12


@pytest.mark.soak
@pytest.mark.parametrize("scene", SCENES)
def test_thousands_of_copies_are_found(scene: str) -> None:
    planted = Planted(scene, 400)
    assert min(planted.recall[change] for change in (re_encoded, resized, mirrored)) >= 0.98
    assert np.mean([planted.recall[change] for change in (cropped, cropped_and_mirrored)]) >= 0.94
    assert planted.false_share < 0.01


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
