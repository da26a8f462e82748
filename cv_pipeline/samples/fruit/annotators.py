"""Four annotators: who labels what and when, and how each of them reads the guideline.

One of them begins in the third week to call a fruit partly hidden as soon as it stands next to
another. Otherwise they differ by a pixel here and there, and rarely in an attribute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
_CONTRADICTED_TWICE, _CONTRADICTED_COPIES = 3, 3
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
    photo: Photo
    annotator: int
    contradicts: str = ""  # path that the first object's wrong label contradicts
    kind: str = ""
    skipped: bool = False


def annotate(
    seed: int, photos: list[Photo], painted: dict[str, Painted]
) -> tuple[list[Annotation], list[Contradiction]]:
    """What the annotators say about all labelled photos, by path and time."""
    jobs = _assign(seed, photos, painted)
    annotations, contradictions = [], []
    for annotator in ANNOTATORS:
        queue = [job for job in jobs if job.annotator == annotator]
        rng = generator(seed, 7, annotator)
        order = [queue[i] for i in rng.permutation(len(queue))]
        for place, job in enumerate(order):
            day = place * _WORKDAYS // len(order)
            first_of_day = -(-day * len(order) // _WORKDAYS)
            at = CAMPAIGN_START + timedelta(
                days=day // 5 * 7 + day % 5,
                minutes=(place - first_of_day) * 11 + int(rng.integers(11)),
                microseconds=int(rng.integers(60_000_000)),
            )
            annotation = _work(seed, job, painted[job.photo.path], at)
            annotations.append(annotation)
            if job.contradicts:
                right = painted[job.photo.path].fruit[0].label
                contradictions.append(
                    Contradiction(
                        kind=job.kind,
                        path=job.photo.path,
                        against=job.contradicts,
                        annotator=annotator,
                        label=right,
                        wrong_label=_CONFUSED[right],
                    )
                )
    annotations.sort(key=lambda a: (a.path, a.created_at))
    contradictions.sort(key=lambda c: (c.path, c.against))
    return annotations, contradictions


def _assign(seed: int, photos: list[Photo], painted: dict[str, Painted]) -> list[_Job]:
    """Give every labelled photo to one annotator, some to a second, and plant what is wrong."""
    rng = generator(seed, 6)
    labelled = [p for p in photos if p.labelled]
    shuffled = [labelled[i] for i in rng.permutation(len(labelled))]
    first = {p.path: ANNOTATORS[i % len(ANNOTATORS)] for i, p in enumerate(shuffled)}
    of = {p.shot.index: p.path for p in photos if not p.copy}
    copies = [p for p in labelled if p.copy]
    copied = {of[p.shot.index] for p in copies}
    wrong: dict[str, _Job] = {}
    near = 0
    for photo in copies:
        original = of[photo.shot.index]
        kind = "exact copy" if photo.copy == EXACT else "near copy"
        # a rare kind or an orange in disguise would be no plain contradiction
        plain = painted[photo.path].fruit[0].label in _CONFUSED
        near += kind == "near copy"
        if plain and (kind == "exact copy" or near <= _CONTRADICTED_COPIES):
            wrong[photo.path] = _Job(photo, _other(first[original]), original, kind)
    jobs = [wrong.get(p.path, _Job(p, first[p.path])) for p in shuffled]
    single = [p for p in shuffled if not p.copy and p.path not in copied]
    twice = single[: round(TWICE_SHARE * len(labelled))]
    for i, photo in enumerate(twice):
        second = _other(first[photo.path], by=1 + i % 3)
        plain = painted[photo.path].fruit[0].label in _CONFUSED
        contradicted = sum(job.kind == "two annotators" for job in jobs) < _CONTRADICTED_TWICE
        if plain and contradicted:
            jobs.append(_Job(photo, second, photo.path, "two annotators"))
        else:
            jobs.append(_Job(photo, second))
    skipped = single[len(twice) : len(twice) + 3]
    return jobs + [_Job(p, _other(first[p.path]), skipped=True) for p in skipped]


def _other(annotator: int, by: int = 1) -> int:
    return ANNOTATORS[(ANNOTATORS.index(annotator) + by) % len(ANNOTATORS)]


def _work(seed: int, job: _Job, image: Painted, at: datetime) -> Annotation:
    rng = generator(seed, 8, job.photo.number, job.annotator)
    path = job.photo.path
    if job.skipped:
        return Annotation(path, job.annotator, at, round(2 + 4 * rng.random(), 3), (), True)
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
        wrong = job.contradicts and i == 0
        regions.append(
            Region(
                label=_CONFUSED[fruit.label] if wrong else fruit.label,
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
