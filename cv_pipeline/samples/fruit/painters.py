"""Paints photographs into files, several processes at once.

Each file depends on the seed and its own plan alone, so the number of processes changes nothing
but the time it takes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cv_pipeline.samples.fruit.copies import copy
from cv_pipeline.samples.fruit.files import broken, encode, to_8_bit
from cv_pipeline.samples.fruit.noise import Paint
from cv_pipeline.samples.fruit.photos import EXACT, BrokenFile, Photo
from cv_pipeline.samples.fruit.picture import Fruit, draw
from cv_pipeline.samples.fruit.plan import Shot, generator
from cv_pipeline.samples.fruit.scenery import HEIGHT, WIDTH, scenery

PROCESSES = 2
_CHUNK = 16


@dataclass(frozen=True)
class Painted:
    """What a finished file holds.

    Attributes:
        width: pixels.
        height: pixels.
        fruit: the fruit that can be seen in it.
    """

    width: int
    height: int
    fruit: tuple[Fruit, ...]


def paint_photos(
    seed: int, photos: list[Photo], folder: Path, *, progress: Callable[[int, int, str], None]
) -> dict[str, Painted]:
    """Paint every photograph into ``folder``; returns what each path holds."""
    chunks = [photos[i : i + _CHUNK] for i in range(0, len(photos), _CHUNK)]
    painted: dict[str, Painted] = {}
    with ProcessPoolExecutor(
        PROCESSES, multiprocessing.get_context("spawn"), initializer=_end_with_parent
    ) as pool:
        for chunk, results in zip(
            chunks, pool.map(partial(_paint_chunk, seed, folder), chunks), strict=True
        ):
            painted.update(zip((photo.path for photo in chunk), results, strict=True))
            progress(len(painted), len(photos), "painting fruit")
    return painted


def write_broken(seed: int, files: Iterable[BrokenFile], folder: Path) -> None:
    """Write the files that no reader should accept."""
    for file in files:
        pixels, _ = _draw(seed, file.shot)
        _write(folder / file.path, broken(file.kind, pixels))


def _end_with_parent() -> None:
    """End this process when its parent dies: a killed parent cannot tell it to."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _paint_chunk(seed: int, folder: Path, photos: list[Photo]) -> list[Painted]:
    return [_paint_photo(seed, folder, photo) for photo in photos]


def _paint_photo(seed: int, folder: Path, photo: Photo) -> Painted:
    pixels, fruit = _draw(seed, photo.shot)
    size = (WIDTH, HEIGHT)
    if photo.copy in ("", EXACT):
        data = encode(pixels, photo.shot.form)
    else:
        rng = generator(seed, 5, photo.shot.index)
        data, size, fruit = copy(photo.copy, to_8_bit(pixels), fruit, rng)
    _write(folder / photo.path, data)
    return Painted(*size, tuple(fruit))


def _draw(seed: int, shot: Shot) -> tuple[Paint, list[Fruit]]:
    behind = scenery(
        shot.camera,
        shot.lighting,
        shot.weather,
        offset=shot.belt_offset,
        rng=generator(seed, 3, shot.scene_index),
    )
    return draw(behind, shot.items, generator(seed, 4, shot.index))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
