"""Each planted fault is found by the part that should find it, and by nothing else."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.annotations.resolve import ResolvedAnnotations, resolve
from cv_pipeline.datasets.duplicates.near_duplicates import near_duplicate_pairs
from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import decode, grey_thumbnail, inspect, phash, to_rgb8
from cv_pipeline.project import load_project
from cv_pipeline.samples.fruit import Truth
from cv_pipeline.storage import open_source

PROJECT = load_project(Path(__file__).parents[3] / "projects" / "fruit" / "project.yaml")


def read(folder: Path, path: str) -> np.ndarray:
    data = (folder / "images" / path).read_bytes()
    source = PROJECT.source
    inspect(data, max_pixels=source.max_pixels, max_bytes=source.max_bytes)
    return decode(data, max_pixels=source.max_pixels)


@pytest.fixture(scope="module")
def image_ids(fruit_folder: Path, truth: Truth) -> dict[str, str]:
    """Path to content hash."""
    images = fruit_folder / "images"
    return {p: hashlib.sha256((images / p).read_bytes()).hexdigest() for p in sorted(truth.images)}


@pytest.fixture(scope="module")
def resolved(fruit_folder: Path, truth: Truth, image_ids: dict[str, str]) -> ResolvedAnnotations:
    parsed = parse_export(
        read_export(open_source(str(fruit_folder / "annotations"))),
        format=PROJECT.annotations.format,
    )
    by_id = {image_id: truth.images[path] for path, image_id in image_ids.items()}
    return resolve(
        parsed,
        files=pa.table({"path": list(image_ids), "image_id": list(image_ids.values())}),
        images=pa.table(
            {
                "image_id": list(by_id),
                "width": [image.width for image in by_id.values()],
                "height": [image.height for image in by_id.values()],
            }
        ),
        ontology=PROJECT.ontology,
        refused_files=pa.array([f.path for f in truth.broken]),
    )


def test_every_file_is_in_the_truth(fruit_folder: Path, truth: Truth) -> None:
    images = fruit_folder / "images"
    files = {p.relative_to(images).as_posix() for p in images.rglob("*") if p.is_file()}
    assert files == set(truth.images) | {f.path for f in truth.broken}


def test_broken_files_and_only_those_are_refused(fruit_folder: Path, truth: Truth) -> None:
    reasons = {}
    for path in [*truth.images, *(f.path for f in truth.broken)]:
        try:
            height, width, _ = read(fruit_folder, path).shape
        except ImageError as error:
            reasons[path] = error.reason
        else:
            assert (width, height) == (truth.images[path].width, truth.images[path].height)
    assert reasons == {f.path: f.reason for f in truth.broken}


def test_unusual_files_keep_their_bits_and_bands(fruit_folder: Path, truth: Truth) -> None:
    for file in truth.unusual:
        pixels = read(fruit_folder, file.path)
        assert (pixels.shape[2], pixels.dtype) == (file.bands, np.dtype(file.dtype))
    assert Counter((f.bands, f.dtype) for f in truth.unusual) == {(3, "uint16"): 4, (4, "uint8"): 3}


def test_faulty_annotations_and_only_those_are_refused(
    resolved: ResolvedAnnotations, truth: Truth
) -> None:
    skipped = "cancelled_annotation"  # told as well, and no fault: annotators may skip an image
    refused = [(r.field, r.reason) for r in resolved.quarantine if r.reason != skipped]
    assert len(resolved.quarantine) - len(refused) == 3
    assert len(refused) == len(truth.annotation_faults)
    for fault in truth.annotation_faults:
        assert [r for f, r in refused if f.startswith(fault.field)] == [fault.reason], fault


def test_boxes_lie_on_the_fruit(
    resolved: ResolvedAnnotations, truth: Truth, image_ids: dict[str, str]
) -> None:
    fruit = {image_ids[path]: truth.images[path].fruit for path in truth.labelled}
    rows = resolved.rows.to_pylist()
    assert {row["image_id"] for row in rows} == set(fruit)
    for row in rows:
        box = np.array([row[edge] for edge in ("x_min", "y_min", "x_max", "y_max")])
        errors = [np.abs(box - np.array(f.box)).max() for f in fruit[row["image_id"]]]
        assert min(errors) <= 0.81


def test_labels_are_true_but_for_the_contradictions(
    resolved: ResolvedAnnotations, truth: Truth, image_ids: dict[str, str]
) -> None:
    wrong = Counter()
    fruit = {image_ids[path]: truth.images[path].fruit for path in truth.labelled}
    for row in resolved.rows.to_pylist():
        box = np.array([row[edge] for edge in ("x_min", "y_min", "x_max", "y_max")])
        nearest = min(fruit[row["image_id"]], key=lambda f: np.abs(box - np.array(f.box)).max())
        if row["label"] != nearest.label:
            key = (row["image_id"], row["annotator"], nearest.label, row["label"])
            wrong[key] += 1
    planted = Counter(
        (image_ids[c.path], f"annotator-{c.annotator}", c.label, c.wrong_label)
        for c in truth.contradictions
    )
    assert wrong == planted
    assert Counter(c.kind for c in truth.contradictions) == {
        "two annotators": 3,
        "near copy": 3,
        "exact copy": 2,
    }


def test_near_copies_and_only_those_are_near_duplicates(
    fruit_folder: Path, truth: Truth, image_ids: dict[str, str]
) -> None:
    paths = list({image_id: path for path, image_id in reversed(image_ids.items())}.values())
    grey = np.stack([grey_thumbnail(to_rgb8(read(fruit_folder, path))) for path in paths])
    pairs = near_duplicate_pairs(
        hashes=phash(grey),
        mirrored=phash(grey[:, :, ::-1]),
        thumbnails=np.rint(grey).astype(np.uint8),
        max_distance=PROJECT.dataset.split.near_duplicate_distance,
    )
    found = {frozenset((paths[r["i"]], paths[r["j"]])) for r in pairs.to_pylist()}
    planted = [c for c in truth.copies if c.kind != "exact"]
    assert found == {frozenset((c.path, c.of)) for c in planted}
    assert set(Counter(c.kind for c in planted).values()) == {6}
    frames = [path for burst in truth.look_alikes for path in burst]
    assert len(frames) == 24
    assert not any(pair <= set(frames) for pair in found)


def test_exact_copies_are_one_image(truth: Truth, image_ids: dict[str, str]) -> None:
    exact = [c for c in truth.copies if c.kind == "exact"]
    assert len(exact) == len(image_ids) - len(set(image_ids.values())) == 5
    assert all(image_ids[c.path] == image_ids[c.of] for c in exact)


def test_one_annotator_reads_partly_hidden_differently_from_week_three_on(
    resolved: ResolvedAnnotations, truth: Truth
) -> None:
    drift = truth.drift
    drifting = pc.equal(resolved.rows["annotator"], f"annotator-{drift.annotator}")
    late = pc.greater_equal(resolved.rows["created_at"], pa.scalar(drift.since))
    said = pa.array(
        [json.loads(a).get(drift.attribute, False) for a in resolved.rows["attributes"].to_pylist()]
    )

    def share(who: pa.ChunkedArray, when: pa.ChunkedArray) -> float:
        return pc.mean(said.filter(pc.and_(who, when).combine_chunks()).cast(pa.float64())).as_py()

    before, after = share(drifting, pc.invert(late)), share(drifting, late)
    others = share(pc.invert(drifting), late)
    assert after > 2 * others
    assert after - before > 0.2
    assert others == pytest.approx(before, abs=0.08)
    assert not json.loads(resolved.rows["attributes"][0].as_py()).keys() - {"occluded", "truncated"}


def test_dim_tomatoes_are_many_enough_to_be_measured(truth: Truth) -> None:
    weak = truth.weak_slice
    assert (weak.label, weak.lighting, weak.mistaken_for) == ("tomato", "dim", "orange")
    disguised = [f for path in truth.labelled for f in truth.images[path].fruit if f.masquerade]
    assert {f.label for f in disguised} == {"tomato"}
    assert len(disguised) >= 60
    assert len(weak.images) >= 50
    waiting = [f for path in weak.unlabelled_images for f in truth.images[path].fruit]
    assert sum(f.masquerade > 0 for f in waiting) >= 90
    assert set(weak.unlabelled_images).isdisjoint(truth.labelled)


def test_the_rare_class_is_rare_but_can_be_in_every_split(truth: Truth) -> None:
    fruit = [f for path in truth.labelled for f in truth.images[path].fruit]
    rare = [f for f in fruit if f.label == truth.rare_label]
    assert 0.0025 < len(rare) / len(fruit) < 0.004
    assert len(truth.rare_images) == len(rare) == 8
    assert not any(f.occluded for f in rare)
    assert not {c.of for c in truth.copies} & set(truth.rare_images)


def test_one_camera_gives_the_class_away_and_the_frequent_one_does_not(truth: Truth) -> None:
    seen: dict[str, Counter[str]] = {}
    for path in truth.labelled:
        camera = path.split("/")[0]
        seen.setdefault(camera, Counter()).update(f.label for f in truth.images[path].fruit)
    giveaway = seen[truth.giveaway_camera]
    assert giveaway[truth.giveaway_label] / giveaway.total() > 0.9
    elsewhere = sum(c[truth.giveaway_label] for name, c in seen.items() if name != "belt_3")
    assert 0 < elsewhere < 0.25 * giveaway[truth.giveaway_label]
    frequent = seen[truth.frequent_camera]
    assert frequent.total() == max(c.total() for c in seen.values())
    assert frequent.most_common(1)[0][1] / frequent.total() < 0.3


def test_the_yard_has_a_quarter_that_nobody_labelled(fruit_folder: Path, truth: Truth) -> None:
    rows = (fruit_folder / "metadata.csv").read_text().splitlines()[1:]
    metadata = {row.split(",")[0]: row.split(",") for row in rows}
    assert len(truth.unlabelled_yard) >= 30
    for path in truth.unlabelled_yard:
        _, captured_at, tags, scene, *_ = metadata[path]
        assert captured_at[:7] in ("2025-10", "2025-11", "2025-12")
        assert (tags, scene) == ("", "outdoor")
    assert set(truth.unlabelled_yard).isdisjoint(truth.labelled)
