"""Near-duplicate search among up to a million images: hashes, windows of crops, and confirmation.

python benchmarks/near_duplicates.py [SIZE …]

Hashes are compared to a distance of 6 bits of 64, flips included: of random pictures, which are as
far apart as hashes can be, and of a lake that is half free scenes and half frames of fixed cameras,
a thousand each. Copies are planted in both. The other side compares all with all, on a part.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.duplicates.hash_pairs import Hashes, near_pairs
from cv_pipeline.datasets.duplicates.near_duplicates import near_duplicate_pairs
from cv_pipeline.imaging.perceptual import SIDE, phash

SIZES = (20_000, 200_000, 1_000_000)
DISTANCE = 6
BRUTE_FORCE = 20_000
FRAMES = 1000
COPIES = 100
"""One image in so many is a copy of another one."""
BLOCK = 4096


def main() -> None:
    """Time every size once, and print what was compared."""
    sizes = [int(a) for a in sys.argv[1:]] or SIZES
    print(f"near-duplicates to {DISTANCE} of 64 bits, flips included")
    print(f"Python {platform.python_version()}, NumPy {version('numpy')}", end=", ")
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores")
    for size in sizes:
        random = np.random.default_rng(0)
        compare("random hashes", *random_hashes(random, size))
        thumbnails, copies = lake(random, size)
        hashes, mirrored = hashes_of(thumbnails)
        seconds = compare("lake's hashes", hashes, mirrored)
        confirm(hashes, mirrored, thumbnails, copies, known=seconds)


def confirm(
    hashes: Hashes,
    mirrored: Hashes,
    thumbnails: NDArray[np.uint8],
    copies: list[tuple[int, int]],
    *,
    known: float,
) -> None:
    """Time what follows the search for near hashes, which takes ``known`` seconds."""
    searched: list[float] = []

    def progress(done: int, total: int, _: str) -> None:
        if done == total:
            searched.append(time.perf_counter())

    began, busy = time.perf_counter(), time.process_time()
    pairs = near_duplicate_pairs(
        hashes=hashes,
        mirrored=mirrored,
        thumbnails=thumbnails,
        max_distance=DISTANCE,
        progress=progress,
    )
    ended, busy = time.perf_counter(), time.process_time() - busy
    found = set(zip(pairs["i"].to_pylist(), pairs["j"].to_pylist(), strict=True))
    planted = np.mean([pair in found for pair in copies])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"  windows of crops {searched[0] - began - known:.2f} s", end=", ")
    print(f"confirmation {ended - searched[0]:.2f} s ({busy:.2f} s of processor in all)", end=": ")
    print(f"{pairs.num_rows:,} pairs", end=", ")
    print(f"{planted:.2%} of {len(copies):,} planted; peak memory {peak / 1e9:.2f} GB", flush=True)


def compare(name: str, hashes: Hashes, mirrored: Hashes) -> float:
    """Time the search for near hashes, and brute force on the first of them; returns seconds."""
    size = len(hashes)
    began, busy = time.perf_counter(), time.process_time()
    i, j = near_pairs(np.concatenate([hashes, mirrored]), distance=DISTANCE, size=size)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    print(f"{size:,} images, {name}: {seconds:.2f} s ({busy:.2f} s of processor), {len(i):,} pairs")
    part = min(size, BRUTE_FORCE)
    began = time.perf_counter()
    expected = brute_force(hashes[:part], mirrored[:part])
    brute = time.perf_counter() - began
    inside = j < part
    got = set(zip(i[inside].tolist(), j[inside].tolist(), strict=True))
    times = brute * (size / part) ** 2
    print(f"  brute force on {part:,}: {brute:.2f} s, so {times:,.0f} s for all; of its", end=" ")
    print(
        f"{len(expected):,} pairs {len(expected & got):,} found, and {len(got - expected)} others"
    )
    return seconds


def brute_force(hashes: Hashes, mirrored: Hashes) -> set[tuple[int, int]]:
    """Pairs by comparing all with all."""
    found: set[tuple[int, int]] = set()
    for row, value in enumerate(hashes):
        near = np.bitwise_count(hashes ^ value) <= DISTANCE
        near |= np.bitwise_count(mirrored ^ value) <= DISTANCE
        found.update((min(row, x), max(row, x)) for x in np.flatnonzero(near).tolist() if x != row)
    return found


def random_hashes(random: np.random.Generator, size: int) -> tuple[Hashes, Hashes]:
    """Hashes of pictures that have nothing in common, and of copies within the distance."""
    both = random.integers(0, 2**64, (2, size), dtype=np.uint64)
    for copy in range(0, size - 1, COPIES):
        side = copy // COPIES % 2
        flips = random.choice(64, random.integers(0, DISTANCE + 1), replace=False)
        both[side, copy] = both[0, copy + 1] ^ np.bitwise_or.reduce(
            np.uint64(1) << flips.astype(np.uint64), initial=np.uint64(0)
        )
    return both[0], both[1]


def lake(random: np.random.Generator, size: int) -> tuple[NDArray[np.uint8], list[tuple[int, int]]]:
    """Thumbnails of a lake, and the rows of its copies with those of their originals."""
    thumbnails = np.empty((size, SIDE, SIDE), np.uint8)
    cameras = fields(random, max(1, size // 2 // FRAMES))
    for start in range(0, size, BLOCK):
        count = min(BLOCK, size - start)
        pictures = fields(random, count)
        frames = np.arange(start, start + count) % 2 == 1
        which = (np.arange(start, start + count) // 2 // FRAMES) % len(cameras)
        pictures[frames] = cameras[which[frames]] + objects(random, int(frames.sum()))
        pictures += random.normal(0, 1, pictures.shape).astype(np.float32)
        thumbnails[start : start + count] = np.clip(pictures, 0, 255)
    copies = [(row, row + 2) for row in range(0, size - 2, COPIES)]
    for number, (source, copy) in enumerate(copies):
        picture = thumbnails[source].astype(np.float32)
        picture = picture[:, ::-1] if number % 2 else picture
        noise = random.normal(0, 1.5, picture.shape)
        thumbnails[copy] = np.clip(picture * random.uniform(0.9, 1.1) + noise, 0, 255)
    return thumbnails, copies


def fields(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Smooth pictures with detail of three sizes."""
    pictures = np.full((count, SIDE, SIDE), 128, np.float32)
    for cells, weight in ((4, 40), (8, 20), (16, 10)):
        at = np.linspace(0, cells, SIDE)
        line = np.clip(1 - np.abs(at[:, None] - np.arange(cells + 1)), 0, None).astype(np.float32)
        coarse = random.normal(size=(count, cells + 1, cells + 1)).astype(np.float32)
        pictures += weight * (line @ coarse @ line.T)
    return pictures


def objects(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    """One to four round things anywhere in each picture."""
    pictures = np.zeros((count, SIDE, SIDE), np.float32)
    at = np.arange(SIDE)
    for nth in range(4):
        centre, width = random.uniform(0, SIDE, (2, count, 1)), random.uniform(2, 5, (count, 1))
        y, x = (np.exp(-(((at - c) / width) ** 2)) for c in centre)
        height = random.uniform(30, 90, count) * random.choice([-1, 1], count)
        height *= nth < random.integers(1, 5, count)
        pictures += height[:, None, None] * y[:, :, None] * x[:, None, :]
    return pictures


def hashes_of(thumbnails: NDArray[np.uint8]) -> tuple[Hashes, Hashes]:
    """Hashes of the thumbnails and of their mirror images."""
    parts = [thumbnails[start : start + BLOCK] for start in range(0, len(thumbnails), BLOCK)]
    return (
        np.concatenate([phash(p) for p in parts]),
        np.concatenate([phash(p[:, :, ::-1]) for p in parts]),
    )


if __name__ == "__main__":
    main()
