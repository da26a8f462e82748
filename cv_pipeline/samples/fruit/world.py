"""Makes the world: photographs, metadata, annotations, and the truth about them.

The same seed and generator version give the same bytes, however many processes paint.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from cv_pipeline.samples.fruit.annotators import annotate
from cv_pipeline.samples.fruit.label_studio import EXPORT_NAME, export, labelling_config
from cv_pipeline.samples.fruit.painters import paint_photos, write_broken
from cv_pipeline.samples.fruit.photos import EXACT, Photo, plan_photos
from cv_pipeline.samples.fruit.plan import LINES
from cv_pipeline.samples.fruit.species import LABELS
from cv_pipeline.samples.fruit.truth import Truth, truth_of, write_truth
from cv_pipeline.samples.generated import ensure_generated

GENERATOR_VERSION = 1
SUMMARY_NAME = "world.json"
COLUMNS = ("path", "captured_at", "tags", "scene", "lighting", "camera", "line", "weather")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class FruitWorld:
    """A summary of the world.

    Attributes:
        seed: seed it was made from.
        images: image files, broken ones included.
        labelled: image files that annotators have seen.
        objects: fruit in those.
        labels: class to its number of objects in those.
        faults: kind of planted fault to how often it occurs.
    """

    seed: int
    images: int
    labelled: int
    objects: int
    labels: dict[str, int]
    faults: dict[str, int]


def generate(folder: Path, *, seed: int = 0, progress: Progress) -> FruitWorld:
    """Generate the demo world ``fruit``, unless it is there already.

    The folder then holds ``images/``, ``metadata.csv``, ``annotations/`` (a Label Studio export
    with its labelling configuration), ``truth/`` (for tests alone) and ``world.json``.

    Args:
        folder: where to; a world of another seed or version in it is replaced.
        seed: 0 or more; everything follows from it.
        progress: called with how many images are done, of how many, and what is being done.

    Raises:
        SourceError: the folder holds other files, which replacing its world would lose.
        ValueError: the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    built = ensure_generated(
        folder,
        recipe=f"fruit, version {GENERATOR_VERSION}, seed {seed}",
        build=partial(_build, seed=seed, progress=progress),
    )
    world = TypeAdapter(FruitWorld).validate_json((folder / SUMMARY_NAME).read_bytes())
    if not built:
        progress(world.images, world.images, "there already")
    return world


def _build(folder: Path, *, seed: int, progress: Progress) -> None:
    photos, broken = plan_photos(seed)
    images = folder / "images"
    painted = paint_photos(seed, photos, images, progress=progress)
    write_broken(seed, broken, images)
    annotations, contradictions = annotate(seed, photos, painted)
    seen_all_the_same = next(f.path for f in broken if f.kind == "cut_short")
    tasks, faults = export(seed, annotations, painted, seen_all_the_same)
    (folder / "annotations").mkdir()
    # as Label Studio writes it: on one line, NaN and all
    (folder / "annotations" / EXPORT_NAME).write_text(json.dumps(tasks), encoding="utf-8")
    config = folder / "annotations" / "labelling_config.xml"
    config.write_text(labelling_config(), encoding="utf-8")
    _write_metadata(folder / "metadata.csv", photos)
    truth = truth_of(
        photos, broken, painted, annotation_faults=faults, contradictions=contradictions
    )
    write_truth(truth, folder)
    world = _summary(seed, photos, truth)
    (folder / SUMMARY_NAME).write_bytes(TypeAdapter(FruitWorld).dump_json(world, indent=1))


def _write_metadata(path: Path, photos: list[Photo]) -> None:
    """What is known about each photograph; of exact copies, made by hand, nothing is known."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for photo in sorted(photos, key=lambda p: p.path):
            shot = photo.shot
            if photo.copy == EXACT:
                continue
            writer.writerow(
                (
                    photo.path,
                    f"{photo.captured_at:%Y-%m-%dT%H:%M:%SZ}",
                    ";".join(shot.tags),
                    "outdoor" if shot.camera == "yard" else "conveyor",
                    shot.lighting,
                    shot.camera,
                    LINES[shot.camera],
                    shot.weather,
                )
            )


def _summary(seed: int, photos: list[Photo], truth: Truth) -> FruitWorld:
    labels = Counter(f.label for path in truth.labelled for f in truth.images[path].fruit)
    kinds = Counter("exact copies" if c.kind == EXACT else "near copies" for c in truth.copies)
    return FruitWorld(
        seed=seed,
        images=len(photos) + len(truth.broken),
        labelled=len(truth.labelled),
        objects=labels.total(),
        labels={label: labels[label] for label in LABELS},
        faults={
            "broken files": len(truth.broken),
            "unusual files": len(truth.unusual),
            **dict(sorted(kinds.items())),
            "contradictions": len(truth.contradictions),
            "annotation faults": len(truth.annotation_faults),
        },
    )
