"""Four annotators: who labels what and when, and how each of them reads the guideline.

One of them begins in the third week to call a fruit partly hidden as soon as it stands next to
another. Otherwise they differ by a pixel here and there, and rarely in an attribute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from cv_pipeline.samples.fruit.painters import Painted
from cv_pipeline.samples.fruit.photos import EXACT, Photo
from cv_pipeline.samples.fruit.picture import Fruit
from cv_pipeline.samples.fruit.plan import generator

ANNOTATORS = (2, 3, 4, 5)
"""Ids of their accounts in Label Studio; account 1 set the project up."""
CAMPAIGN_START = datetime(2026, 1, 12, 8, tzinfo=UTC)  # a Monday
CAMPAIGN_WEEKS = 5
DRIFTING_ANNOTATOR = 4
DRIFT_START = CAMPAIGN_START + timedelta(weeks=2)
TWICE_SHARE = 0.12

_WORKDAYS = 5 * CAMPAIGN_WEEKS
_DISPUTED, _CONTRADICTING_NEAR_COPIES, _SKIPPED = 3, 3, 3
_CONFUSED = {
    "apple": "tomato",
    "banana": "lemon",
    "lemon": "pear",
    "orange": "apple",
    "pear": "lemon",
    "plum": "apple",
    "tomato": "apple",
}


@dataclass(frozen=True)
class Region:
    """One box that an annotator drew.

    Attributes:
        label: the class chosen.
        box: left, top, right, bottom, pixels of the image.
        occluded: whether "partly hidden" was ticked.
        truncated: whether "cut by the frame" was ticked.
    """

    label: str
    box: tuple[float, float, float, float]
    occluded: bool
    truncated: bool


@dataclass(frozen=True)
class Annotation:
    """One annotator's work on one image.

    Attributes:
        path: the image.
        annotator: account.
        created_at: when it was submitted, UTC.
        lead_time: seconds of work.
        regions: the boxes.
        skipped: it was cancelled, and has no boxes.
    """

    path: str
    annotator: int
    created_at: datetime
    lead_time: float
    regions: tuple[Region, ...]
    skipped: bool = False


@dataclass(frozen=True)
class Contradiction:
    """One object that was given two classes.

    Attributes:
        kind: ``two annotators`` of one image, an ``exact copy`` or a ``near copy``.
        path: image whose label is wrong.
        against: image whose label is right; the same for two annotators.
        annotator: who is wrong.
        label: the right class.
        wrong_label: the class given.
    """

    kind: str
    path: str
    against: str
    annotator: int
    label: str
    wrong_label: str


@dataclass(frozen=True)
class _Job:
    """One image for one annotator; ``against`` is the path that a wrong label will contradict."""

    photo: Photo
    annotator: int
    against: str = ""
    kind: str = ""
    skipped: bool = False


def annotate(
    seed: int, photos: list[Photo], painted: dict[str, Painted]
) -> tuple[list[Annotation], list[Contradiction]]:
    """What the annotators say about all labelled photos, by path and time."""
    jobs = _assign(seed, photos, painted)
    annotations = []
    for annotator in ANNOTATORS:
        queue = [job for job in jobs if job.annotator == annotator]
        rng = generator(seed, 7, annotator)
        for place, i in enumerate(rng.permutation(len(queue))):
            at = _submitted(place, len(queue), rng)
            annotations.append(_work(seed, queue[i], painted[queue[i].photo.path], at))
    annotations.sort(key=lambda a: (a.path, a.created_at))
    contradictions = [
        _contradiction(job, painted[job.photo.path].fruit) for job in jobs if job.against
    ]
    return annotations, sorted(contradictions, key=lambda c: (c.path, c.against))


def annotate_more(
    seed: int, photos: list[Photo], painted: dict[str, Painted]
) -> list[tuple[Photo, Annotation]]:
    """What the annotators say, after their campaign, about photos that they had not seen.

    What is said of a photo does not depend on which others are labelled with it.
    """
    start = CAMPAIGN_START + timedelta(weeks=CAMPAIGN_WEEKS + 1)
    return [
        (photo, _work(seed, job, painted[photo.path], start + timedelta(minutes=photo.number)))
        for photo in photos
        for job in [_Job(photo, ANNOTATORS[photo.number % len(ANNOTATORS)])]
    ]


def _submitted(place: int, jobs: int, rng: np.random.Generator) -> datetime:
    """When the annotation at a place of the queue is done: so many each working day."""
    day = place * _WORKDAYS // jobs
    first_of_day = -(-day * jobs // _WORKDAYS)
    return CAMPAIGN_START + timedelta(
        days=day // 5 * 7 + day % 5,
        minutes=(place - first_of_day) * 11 + int(rng.integers(11)),
        microseconds=int(rng.integers(60_000_000)),
    )


def _assign(seed: int, photos: list[Photo], painted: dict[str, Painted]) -> list[_Job]:
    """Give every labelled photo to one annotator, some to a second, and plan contradictions."""
    labelled = [photo for photo in photos if photo.labelled]
    shuffled = [labelled[i] for i in generator(seed, 6).permutation(len(labelled))]
    turn = {photo.path: ANNOTATORS[i % len(ANNOTATORS)] for i, photo in enumerate(shuffled)}
    original = {photo.shot.index: photo.path for photo in photos if not photo.copy}
    copies = [photo for photo in shuffled if photo.copy]
    exact = [photo for photo in copies if photo.copy == EXACT]
    near = [photo for photo in copies if photo.copy != EXACT][:_CONTRADICTING_NEAR_COPIES]
    jobs = {photo.path: _Job(photo, turn[photo.path]) for photo in shuffled}
    for kind, contradicting in (("exact copy", exact), ("near copy", near)):
        for photo in contradicting:
            against = original[photo.shot.index]
            jobs[photo.path] = _Job(photo, _next(turn[against]), against, kind)
    copied = {photo.shot.index for photo in copies}
    single = [photo for photo in shuffled if photo.shot.index not in copied]
    doubles = round(TWICE_SHARE * len(labelled))
    clear = [p for p in single[:doubles] if _clearest(painted[p.path].fruit) is not None]
    disputed = {photo.path for photo in clear[:_DISPUTED]}
    second = []
    for i, photo in enumerate(single[:doubles]):
        job = _Job(photo, _next(turn[photo.path], steps=1 + i % 3))
        if photo.path in disputed:
            job = replace(job, against=photo.path, kind="two annotators")
        second.append(job)
    skipped = [
        _Job(photo, _next(turn[photo.path]), skipped=True)
        for photo in single[doubles : doubles + _SKIPPED]
    ]
    return [*jobs.values(), *second, *skipped]


def _clearest(fruit: tuple[Fruit, ...]) -> int | None:
    """Index of the fruit with the largest box among those that could be confused."""
    areas = {
        (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]): i
        for i, f in enumerate(fruit)
        if f.label in _CONFUSED
    }
    return areas[max(areas)] if areas else None


def _contradiction(job: _Job, fruit: tuple[Fruit, ...]) -> Contradiction:
    index = _clearest(fruit)
    assert index is not None, "only photos with such a fruit are chosen"
    label = fruit[index].label
    return Contradiction(
        kind=job.kind,
        path=job.photo.path,
        against=job.against,
        annotator=job.annotator,
        label=label,
        wrong_label=_CONFUSED[label],
    )


def _next(annotator: int, steps: int = 1) -> int:
    return ANNOTATORS[(ANNOTATORS.index(annotator) + steps) % len(ANNOTATORS)]


def _work(seed: int, job: _Job, image: Painted, at: datetime) -> Annotation:
    rng = generator(seed, 8, job.photo.number, job.annotator)
    path = job.photo.path
    if job.skipped:
        return Annotation(path, job.annotator, at, round(2 + 4 * rng.random(), 3), (), True)
    mistaken = _clearest(image.fruit) if job.against else None
    regions = []
    for i, fruit in enumerate(image.fruit):
        shake = rng.random(4) * 1.6 - 0.8
        limits = (image.width, image.height) * 2
        edges = (
            min(max(edge + float(d), 0.0), float(limit))
            for edge, d, limit in zip(fruit.box, shake, limits, strict=True)
        )
        left, top, right, bottom = edges
        drifts = job.annotator == DRIFTING_ANNOTATOR and at >= DRIFT_START
        occluded = fruit.occluded or (drifts and _stands_next_to_any(fruit, i, image.fruit))
        slips = rng.random(2) < 0.02
        regions.append(
            Region(
                label=_CONFUSED[fruit.label] if i == mistaken else fruit.label,
                box=(left, top, right, bottom),
                occluded=occluded != bool(slips[0]),
                truncated=fruit.truncated != bool(slips[1]),
            )
        )
    lead_time = 4 + (5 + 6 * rng.random()) * len(regions) + 6 * rng.random()
    return Annotation(path, job.annotator, at, round(lead_time, 3), tuple(regions))


def _stands_next_to_any(fruit: Fruit, index: int, all_fruit: Iterable[Fruit]) -> bool:
    """Whether its box meets another fruit's, or comes within two pixels."""
    left, top, right, bottom = fruit.box
    return any(
        i != index
        and left - 2 < o.box[2]
        and o.box[0] < right + 2
        and top - 2 < o.box[3]
        and o.box[1] < bottom + 2
        for i, o in enumerate(all_fruit)
    )
