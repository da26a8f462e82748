"""The files of the world: photographs, copies of them, and files that are broken.

Names follow the capture time, as a camera's would, so that a name says nothing about what is
planted in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cv_pipeline.samples.fruit.copies import KINDS
from cv_pipeline.samples.fruit.files import BROKEN, SUFFIXES
from cv_pipeline.samples.fruit.plan import Shot, generator, plan_shots
from cv_pipeline.samples.fruit.species import RARE_LABEL

EXACT = "exact"

_NEAR_COPIES = 24
_EXACT_COPIES = 5
_LABELLED_EXACT_COPIES = 2


@dataclass(frozen=True)
class Photo:
    """One image file that can be read.

    Attributes:
        number: of the file, as in its name.
        path: within the folder of the images.
        shot: what it shows.
        captured_at: when, as its camera says, UTC; a copy claims a later time than its shot.
        copy: empty for the photograph itself, ``exact`` or one of ``copies.KINDS``.
        labelled: whether annotators have seen this file.
    """

    number: int
    path: str
    shot: Shot
    captured_at: datetime
    copy: str
    labelled: bool


@dataclass(frozen=True)
class BrokenFile:
    """One file that no reader should accept.

    Attributes:
        path: within the folder of the images.
        shot: what it would show.
        kind: one of ``files.BROKEN``.
    """

    path: str
    shot: Shot
    kind: str


@dataclass(frozen=True)
class _Unnamed:
    at: datetime
    shot: Shot
    suffix: str
    copy: str = ""
    broken: str = ""
    labelled: bool = True


def plan_photos(seed: int) -> tuple[list[Photo], list[BrokenFile]]:
    """Every file of the world, in the order of its name's number."""
    shots = plan_shots(seed)
    files = [
        _Unnamed(shot.captured_at, shot, SUFFIXES[shot.form], labelled=shot.labelled)
        for shot in shots
    ]
    files += _copies(seed, shots)
    files.sort(key=lambda file: (file.at, file.shot.index, file.copy, file.broken))
    photos, broken = [], []
    for number, file in enumerate(files, start=1):
        path = f"{file.shot.camera}/{file.at:%Y-%m-%d}-{number:04d}{file.suffix}"
        if file.broken:
            broken.append(BrokenFile(path, file.shot, file.broken))
        else:
            photos.append(Photo(number, path, file.shot, file.at, file.copy, file.labelled))
    return photos, broken


def _copies(seed: int, shots: list[Shot]) -> list[_Unnamed]:
    """Near and exact copies with later times, and broken files, each of another shot."""
    rng = generator(seed, 2)
    plain = [s for s in shots if s.labelled and s.form == "jpg" and s.burst < 0]
    originals = [
        s
        for s in plain
        if s.captured_at.month <= 10
        and len(s.items) >= 2
        and all(item.label != RARE_LABEL for item in s.items)
    ]
    chosen = [originals[i] for i in rng.permutation(len(originals))]

    def later(shot: Shot) -> datetime:
        return shot.captured_at + timedelta(
            days=int(rng.integers(3, 60)), seconds=int(rng.integers(1, 3000))
        )

    files = []
    for i in range(_NEAR_COPIES):
        shot = chosen.pop()
        files.append(_Unnamed(later(shot), shot, ".jpg", copy=KINDS[i % len(KINDS)]))
    for i in range(_EXACT_COPIES):
        shot = chosen.pop()
        seen = i < _LABELLED_EXACT_COPIES
        files.append(_Unnamed(later(shot), shot, ".jpg", copy=EXACT, labelled=seen))
    for kind, (suffix, _) in BROKEN.items():
        shot = chosen.pop()
        files.append(_Unnamed(later(shot), shot, suffix, broken=kind, labelled=False))
    return files
