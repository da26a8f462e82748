"""The plan of the world: which image shows what, where, when and under which name.

Everything is decided here, from one seed, before a pixel is painted: so images can be painted in
any order and by any number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from cv_pipeline.samples.fruit.composition import compose, shifted
from cv_pipeline.samples.fruit.painting import Item
from cv_pipeline.samples.fruit.scenery import BELT_STRETCH
from cv_pipeline.samples.fruit.species import RARE_LABEL

LINES = {"belt_1": "A", "belt_2": "B", "belt_3": "B", "yard": "gate"}
GIVEAWAY_CAMERA, GIVEAWAY_LABEL = "belt_3", "banana"
FREQUENT_CAMERA = "belt_1"

_COUNTS = {"belt_1": 320, "belt_2": 220, "belt_3": 100, "yard": 160}
_RARE_COUNTS = {"belt_1": 3, "belt_2": 3, "yard": 2}
_BURSTS, _BURST_FRAMES = 8, 3
_UNLABELLED_YARD, _UNLABELLED_DIM = 36, 100
_YEAR = (datetime(2025, 1, 1, tzinfo=UTC), 365)  # first day and number of days
_LAST_QUARTER = (datetime(2025, 10, 1, tzinfo=UTC), 92)
_CUSTOMERS = ("northfield", "greenway", "harbour", "millbrook")
_WEATHER = ("sunny", "sunny", "overcast", "overcast", "rain")
_COMMON = ("apple", "banana", "orange", "tomato", "lemon", "pear", "plum")
# how often each of them comes, by camera; "dim" and "waiting" are the belts' night shifts
_MIX = {
    "belt_1": (0.20, 0.02, 0.15, 0.21, 0.14, 0.14, 0.14),
    "belt_2": (0.20, 0.02, 0.15, 0.21, 0.14, 0.14, 0.14),
    "belt_3": (0.01, 0.95, 0.00, 0.01, 0.01, 0.01, 0.01),
    "yard": (0.21, 0.04, 0.16, 0.17, 0.12, 0.16, 0.14),
    "dim": (0.11, 0.02, 0.44, 0.15, 0.10, 0.09, 0.09),
    "waiting": (0.06, 0.00, 0.24, 0.55, 0.05, 0.05, 0.05),
}


@dataclass(frozen=True)
class Shot:
    """One image to be painted.

    Attributes:
        index: seeds what only this image has: the individual fruit and the sensor's noise.
        scene_index: seeds the scenery; the same for the frames of one burst.
        camera: belt_1, belt_2, belt_3 or yard.
        captured_at: when, UTC.
        lighting: bright, normal or dim.
        weather: sunny, overcast or rain in the yard; empty indoors.
        tags: business tags, sorted.
        items: the fruit, the hindmost first.
        belt_offset: how far the belt has moved since its burst began, pixels.
        labelled: whether annotators have seen it.
        burst: number of its burst, -1 for none.
        form: how the file is written, see ``files.encode``.
    """

    index: int
    scene_index: int
    camera: str
    captured_at: datetime
    lighting: str
    weather: str
    tags: tuple[str, ...]
    items: tuple[Item, ...]
    belt_offset: float = 0.0
    labelled: bool = True
    burst: int = -1
    form: str = "jpg"


def generator(seed: int, *parts: int) -> np.random.Generator:
    """The random generator of one thing in the world: independent of every other thing's."""
    return np.random.Generator(np.random.PCG64([seed, *parts]))


def plan_shots(seed: int) -> list[Shot]:
    """All images that a camera took, in the order of their index."""
    planner = _Planner(generator(seed, 1))
    for camera, count in _COUNTS.items():
        planner.take(camera, count)
    planner.take_bursts()
    planner.take_unlabelled()
    return _with_forms(planner.shots)


def _with_forms(shots: list[Shot]) -> list[Shot]:
    """Give a few labelled images other file formats, the unusual ones among them."""
    forms = {7: "png16", 407: "png16", 57: "tif16", 457: "tif16"}
    forms |= {107: "tif4", 307: "tif4", 707: "tif4", 207: "png_named_jpg", 607: "png_named_jpg"}
    forms |= dict.fromkeys(range(23, 820, 40), "png") | dict.fromkeys(range(33, 820, 130), "tif")
    return [replace(shot, form=forms.get(shot.index, "jpg")) for shot in shots]


class _Planner:
    """Collects shots; one generator, used in one order."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.shots: list[Shot] = []

    def take(self, camera: str, count: int) -> None:
        """Ordinary images of one camera; some of them hold the rare kind, in good light."""
        step = count // _RARE_COUNTS.get(camera, 1)
        for k in range(count):
            holds_rare = camera in _RARE_COUNTS and k % step == step // 2
            lighting, weather = self._conditions(camera, dim=not holds_rare)
            mix = "dim" if lighting == "dim" and camera != GIVEAWAY_CAMERA else camera
            labels = self._labels(mix)
            if holds_rare:
                labels[0] = RARE_LABEL
            self._add(camera, lighting, weather, compose(labels, lighting, self.rng))

    def take_bursts(self) -> None:
        """A few moments of a moving belt: frames a second apart that are not duplicates."""
        for burst in range(_BURSTS):
            camera = ("belt_1", "belt_2")[burst % 2]
            lighting = ("bright", "normal")[burst // 2 % 2]
            labels = [label for _ in range(3) for label in self._labels(camera)]
            items = compose(labels[:7], lighting, self.rng, stretch=BELT_STRETCH)
            start, scene = self._time(lighting, _YEAR), len(self.shots)
            tags = self._tags(lighting, start)
            for frame in range(_BURST_FRAMES):
                offset = frame * (BELT_STRETCH // (_BURST_FRAMES - 1))
                self.shots.append(
                    Shot(
                        index=len(self.shots),
                        scene_index=scene,
                        camera=camera,
                        captured_at=start + timedelta(seconds=frame),
                        lighting=lighting,
                        weather="",
                        tags=tags,
                        items=shifted(items, offset),
                        belt_offset=offset,
                        burst=burst,
                    )
                )

    def take_unlabelled(self) -> None:
        """The yard's last quarter that nobody labelled, and night shifts that wait for it."""
        for _ in range(_UNLABELLED_YARD):
            lighting, weather = self._conditions("yard", dim=False)
            items = compose(self._labels("yard"), lighting, self.rng)
            self._add(
                "yard", lighting, weather, items, period=_LAST_QUARTER, labelled=False, tags=()
            )
        for k in range(_UNLABELLED_DIM):
            items = compose(self._labels("waiting"), "dim", self.rng)
            self._add(f"belt_{1 + k % 2}", "dim", "", items, period=_LAST_QUARTER, labelled=False)

    def _add(
        self,
        camera: str,
        lighting: str,
        weather: str,
        items: tuple[Item, ...],
        *,
        period: tuple[datetime, int] = _YEAR,
        labelled: bool = True,
        tags: tuple[str, ...] | None = None,
    ) -> None:
        at = self._time(lighting, period)
        index = len(self.shots)
        tags = self._tags(lighting, at) if tags is None else tags
        shot = Shot(index, index, camera, at, lighting, weather, tags, items, labelled=labelled)
        self.shots.append(shot)

    def _pick(self, weights: tuple[float, ...]) -> int:
        edges = np.cumsum(weights)
        return int(np.searchsorted(edges, self.rng.random() * edges[-1], side="right"))

    def _conditions(self, camera: str, *, dim: bool) -> tuple[str, str]:
        """Lighting and weather."""
        if camera == "yard":
            weather = _WEATHER[int(self.rng.integers(len(_WEATHER)))]
            return ("bright" if weather == "sunny" else "normal"), weather
        return ("bright", "normal", "dim")[self._pick((0.25, 0.45, 0.30 if dim else 0.0))], ""

    def _labels(self, mix: str) -> list[str]:
        count = 1 + self._pick((0.17, 0.30, 0.28, 0.17, 0.08))
        return [_COMMON[self._pick(_MIX[mix])] for _ in range(count)]

    def _time(self, lighting: str, period: tuple[datetime, int]) -> datetime:
        """A moment of a period of so many days; dim light is the night shift's."""
        start, days = period
        day = int(self.rng.integers(days))
        if lighting == "dim":
            hour = (20 + int(self.rng.integers(9))) % 24
        else:
            hour = 6 + int(self.rng.integers(13))
        return start + timedelta(days=day, hours=hour, seconds=int(self.rng.integers(3600)))

    def _tags(self, lighting: str, at: datetime) -> tuple[str, ...]:
        """Business tags: the customer of most images, the shift, a promotion, organic fruit."""
        rng, tags = self.rng, set()
        if rng.random() < 0.72:
            tags.add("customer:" + _CUSTOMERS[self._pick((0.4, 0.3, 0.2, 0.1))])
        if lighting == "dim":
            tags.add("night_shift")
        if at.month in (5, 11) and rng.random() < 0.6:
            tags.add("promo")
        if rng.random() < 0.12:
            tags.add("organic")
        return tuple(sorted(tags))
