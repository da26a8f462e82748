"""Pictures to find near-duplicates among: frames of cameras over belts, and free scenes."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cv_pipeline.samples.fruit.painting import Item
from cv_pipeline.samples.fruit.picture import draw
from cv_pipeline.samples.fruit.scenery import scenery
from cv_pipeline.samples.fruit.species import LABELS

Picture = NDArray[np.uint8]
HEIGHT, WIDTH = 120, 160
FRUIT = np.array(
    [[220, 60, 40], [230, 140, 40], [120, 180, 60], [240, 220, 90], [110, 50, 110]], np.float32
)
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)


def belt(rng: np.random.Generator) -> NDArray[np.float32]:
    """What one camera sees without fruit: uneven light, a ribbed belt, a rail on each side."""
    light = rng.uniform(60, 140) + rng.uniform(-30, 30) * COLUMNS / WIDTH
    light = light + _texture(rng, 15, 20) * rng.uniform(2, 8)
    light += rng.uniform(4, 12) * (COLUMNS % rng.uniform(20, 40) < 3)
    rail = int(rng.uniform(0.08, 0.15) * HEIGHT)
    light[:rail] += 50
    light[-rail:] -= 40
    return np.clip(light[..., None] * (1 + rng.uniform(-0.1, 0.1, 3)), 0, 255).astype(np.float32)


def frame(rng: np.random.Generator, background: NDArray[np.float32], most: int = 6) -> Picture:
    """One moment of a belt: up to ``most`` fruits anywhere on it, and the sensor's noise."""
    picture = background.copy()
    for _ in range(rng.integers(1, most + 1)):
        picture = _with_fruit(picture, *_fruit(rng, WIDTH))
    return _finished(rng, picture)


def moving_belt(
    rng: np.random.Generator, background: NDArray[np.float32], frames: int
) -> list[Picture]:
    """Consecutive frames: all fruits move on by a tenth of the width from one to the next."""
    step = WIDTH // 10
    spacing = WIDTH // 4  # so that no frame is empty, as another may be
    count = (WIDTH + step * frames) // spacing
    fruits = [
        (y, spacing * number + x, *rest)
        for number, (y, x, *rest) in enumerate(_fruit(rng, spacing + 30) for _ in range(count))
    ]
    pictures = []
    for number in range(frames):
        picture = background.copy()
        for y, x, radius, wide, colour in fruits:
            if -radius < x - number * step < WIDTH + radius:
                picture = _with_fruit(picture, y, x - number * step, radius, wide, colour)
        pictures.append(_finished(rng, picture))
    return pictures


def sample_belt(rng: np.random.Generator, frames: int) -> list[Picture]:
    """Frames of one camera of the demo world, with other fruit in each."""
    pictures = []
    behind = scenery("belt_1", "normal", "", offset=0.0, rng=rng)
    for _ in range(frames):
        items = tuple(
            Item(
                label=str(rng.choice(LABELS)),
                x=float(rng.uniform(10, 118)),
                y=float(rng.uniform(15, 81)),
                scale=float(rng.uniform(0.8, 1.2)),
                angle=float(rng.uniform(0, 6)),
                skin=0,
            )
            for _ in range(rng.integers(1, 6))
        )
        pixels, _ = draw(behind, items, rng)
        pictures.append((pixels * 255).astype(np.uint8))
    return pictures


def free_scene(rng: np.random.Generator) -> Picture:
    """A picture with detail of every size, like a photograph."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.float32) + rng.uniform(40, 200, 3)
    for cells in (2, 4, 8, 16, 32):
        detail = [_texture(rng, cells + 1, cells + 1) for _ in range(3)]
        picture += np.stack(detail, axis=-1) * 60 / cells**0.6
    return _finished(rng, picture)


def re_encoded(rng: np.random.Generator, picture: Picture) -> Picture:
    """JPEG of quality 40 to 95."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(rng.integers(40, 96)))
    return np.asarray(Image.open(buffer).convert("RGB"))


def resized(rng: np.random.Generator, picture: Picture) -> Picture:
    """Half to one and a half times as large, with any common filter, and re-encoded."""
    scale = rng.uniform(0.5, 1.5)
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    kernel = rng.choice([Image.BOX, Image.BILINEAR, Image.BICUBIC, Image.LANCZOS])
    return re_encoded(rng, np.asarray(Image.fromarray(picture).resize(size, kernel)))


def mirrored(rng: np.random.Generator, picture: Picture) -> Picture:
    """Left and right exchanged, and re-encoded."""
    return re_encoded(rng, np.ascontiguousarray(picture[:, ::-1]))


def cropped(rng: np.random.Generator, picture: Picture) -> Picture:
    """Up to 8 % less at each side, and re-encoded."""
    height, width = picture.shape[:2]
    top, bottom = (round(share * height) for share in rng.uniform(0, 0.08, 2))
    left, right = (round(share * width) for share in rng.uniform(0, 0.08, 2))
    kept = picture[top : height - bottom, left : width - right]
    return re_encoded(rng, np.ascontiguousarray(kept))


def cropped_and_mirrored(rng: np.random.Generator, picture: Picture) -> Picture:
    """Both."""
    return mirrored(rng, cropped(rng, picture))


Change = Callable[[np.random.Generator, Picture], Picture]


_Fruit = tuple[float, float, float, float, NDArray[np.float32]]


def _fruit(rng: np.random.Generator, length: float) -> _Fruit:
    """Centre, radius, width over height and colour of one fruit on a belt of some length."""
    radius = rng.uniform(0.08, 0.16) * HEIGHT
    y, x = rng.uniform(radius, HEIGHT - radius), rng.uniform(radius, length - radius)
    wide = rng.uniform(0.8, 1.25)
    return y, x, radius, wide, FRUIT[rng.integers(len(FRUIT))] * rng.uniform(0.8, 1.1)


def _with_fruit(
    picture: NDArray[np.float32],
    y: float,
    x: float,
    radius: float,
    wide: float,
    colour: NDArray[np.float32],
) -> NDArray[np.float32]:
    away = ((ROWS - y) / radius) ** 2 + ((COLUMNS - x) / (radius * wide)) ** 2
    covers = np.clip((1.05 - away) * 8, 0, 1)[..., None]
    shade = (1 - 0.45 * np.clip(away, 0, 1.2))[..., None]
    return np.asarray(picture * (1 - covers) + covers * shade * colour, np.float32)


def _texture(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    coarse = Image.fromarray(rng.normal(0, 1, (rows, columns)).astype(np.float32))
    return np.asarray(coarse.resize((WIDTH, HEIGHT), Image.BICUBIC))


def _finished(rng: np.random.Generator, picture: NDArray[np.float32]) -> Picture:
    return np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
