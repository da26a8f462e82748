"""What was planted in the world, recorded for tests, and for annotators who are asked for more.

The pipeline never reads it. Paths are within the folder of the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from cv_pipeline.samples.fruit.annotators import (
    DRIFT_START,
    DRIFTING_ANNOTATOR,
    Contradiction,
)
from cv_pipeline.samples.fruit.composition import MISTAKEN_FOR, WEAK_LABEL, WEAK_LIGHTING
from cv_pipeline.samples.fruit.files import BROKEN, UNUSUAL_FORMS
from cv_pipeline.samples.fruit.label_studio import AnnotationFault
from cv_pipeline.samples.fruit.painters import Painted
from cv_pipeline.samples.fruit.photos import EXACT, BrokenFile, Photo
from cv_pipeline.samples.fruit.plan import (
    FREQUENT_CAMERA,
    GIVEAWAY_CAMERA,
    GIVEAWAY_LABEL,
)
from cv_pipeline.samples.fruit.species import RARE_LABEL

TRUTH_NAME = "truth/truth.json"


@dataclass(frozen=True)
class CopyTruth:
    """A file that shows the same picture as another.

    Attributes:
        path: the copy.
        of: the original.
        kind: exact, reencoded, resized, mirrored or cropped.
        labelled: whether annotators have seen the copy as well.
    """

    path: str
    of: str
    kind: str
    labelled: bool


@dataclass(frozen=True)
class BrokenTruth:
    """A file that ingest must refuse, and why."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class UnusualTruth:
    """A file that is fine, but that a careless reader spoils."""

    path: str
    bands: int
    dtype: str


@dataclass(frozen=True)
class WeakSlice:
    """Objects that a model mistakes: those of ``label`` under ``lighting``.

    Attributes:
        label: their class.
        lighting: value of the metadata key ``lighting``.
        mistaken_for: the class that they look like.
        images: labelled images that hold one, sorted.
        unlabelled_images: images that hold one and wait for labels, sorted.
    """

    label: str
    lighting: str
    mistaken_for: str
    images: tuple[str, ...]
    unlabelled_images: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """An annotator who begins to read an attribute differently.

    Attributes:
        annotator: account in Label Studio.
        attribute: the attribute.
        since: when it begins, UTC.
    """

    annotator: int
    attribute: str
    since: datetime


@dataclass(frozen=True)
class Truth:
    """Everything that is true about the world.

    Attributes:
        images: what each readable file really shows.
        labelled: readable files that annotators have seen, sorted.
        copies: files that show the same picture as another.
        broken: files that ingest must refuse.
        unusual: files that are fine, with 16 bits or four bands.
        annotation_faults: regions of the export that the import must refuse.
        contradictions: objects that were given two classes.
        drift: the annotator who drifts.
        weak_slice: what a model will mistake.
        rare_label: the rarest class.
        rare_images: labelled images that hold it, sorted.
        giveaway_camera: camera that gives the class away.
        giveaway_label: the class that it gives away.
        frequent_camera: camera that is merely frequent, and harmless.
        look_alikes: bursts of frames a second apart that are no duplicates.
        unlabelled_yard: images of the yard, last quarter of 2025, without labels and tags.
    """

    images: dict[str, Painted]
    labelled: tuple[str, ...]
    copies: tuple[CopyTruth, ...]
    broken: tuple[BrokenTruth, ...]
    unusual: tuple[UnusualTruth, ...]
    annotation_faults: tuple[AnnotationFault, ...]
    contradictions: tuple[Contradiction, ...]
    drift: Drift
    weak_slice: WeakSlice
    rare_label: str
    rare_images: tuple[str, ...]
    giveaway_camera: str
    giveaway_label: str
    frequent_camera: str
    look_alikes: tuple[tuple[str, ...], ...]
    unlabelled_yard: tuple[str, ...]


def truth_of(
    photos: list[Photo],
    broken: list[BrokenFile],
    painted: dict[str, Painted],
    *,
    annotation_faults: list[AnnotationFault],
    contradictions: list[Contradiction],
) -> Truth:
    """Collect the truth of a world that has just been made."""
    of = {p.shot.index: p.path for p in photos if not p.copy}
    labelled = tuple(p.path for p in photos if p.labelled)
    weak = [
        p for p in photos if p.shot.lighting == WEAK_LIGHTING and _holds(p, painted, WEAK_LABEL)
    ]
    bursts = sorted({p.shot.burst for p in photos} - {-1})
    return Truth(
        images=painted,
        labelled=tuple(sorted(labelled)),
        copies=tuple(
            CopyTruth(p.path, of[p.shot.index], p.copy, p.labelled) for p in photos if p.copy
        ),
        broken=tuple(BrokenTruth(f.path, f.kind, BROKEN[f.kind][1]) for f in broken),
        unusual=tuple(
            UnusualTruth(p.path, *UNUSUAL_FORMS[p.shot.form])
            for p in photos
            if p.shot.form in UNUSUAL_FORMS
        ),
        annotation_faults=tuple(annotation_faults),
        contradictions=tuple(contradictions),
        drift=Drift(DRIFTING_ANNOTATOR, "occluded", DRIFT_START),
        weak_slice=WeakSlice(
            WEAK_LABEL,
            WEAK_LIGHTING,
            MISTAKEN_FOR,
            images=tuple(sorted(p.path for p in weak if p.labelled)),
            unlabelled_images=tuple(
                sorted(p.path for p in weak if not p.labelled and p.copy != EXACT)
            ),
        ),
        rare_label=RARE_LABEL,
        rare_images=tuple(
            sorted(p.path for p in photos if p.labelled and _holds(p, painted, RARE_LABEL))
        ),
        giveaway_camera=GIVEAWAY_CAMERA,
        giveaway_label=GIVEAWAY_LABEL,
        frequent_camera=FREQUENT_CAMERA,
        look_alikes=tuple(
            tuple(p.path for p in photos if p.shot.burst == burst and not p.copy)
            for burst in bursts
        ),
        unlabelled_yard=tuple(
            sorted(
                p.path
                for p in photos
                if p.shot.camera == "yard" and not p.labelled and p.copy != EXACT
            )
        ),
    )


def write_truth(truth: Truth, world: Path) -> None:
    """Write the truth into the folder of a world."""
    path = world / TRUTH_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TypeAdapter(Truth).dump_json(truth, indent=1))


def read_truth(world: Path) -> Truth:
    """Read the truth of the world in a folder; for tests."""
    return TypeAdapter(Truth).validate_json((world / TRUTH_NAME).read_bytes())


def _holds(photo: Photo, painted: dict[str, Painted], label: str) -> bool:
    return any(fruit.label == label for fruit in painted[photo.path].fruit)
