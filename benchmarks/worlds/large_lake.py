"""A generated catalogue of any size: images, features, metadata, tags, boxes and duplicate pairs.

Columns are drawn; there are image bytes only where pictures are given. The same size and seed give
the same rows, so that both sides of a benchmark work on the same data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas import TABLES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import open_store

PROJECT = "large"
BOXES_PER_IMAGE = 3
"""Boxes for each image of the lake; they lie on seven of ten images."""
LABELLED = 0.7
CLASSES = (*(f"class_{n}" for n in range(9)), "rare")
SCENES = ("outdoor", "indoor", "yard", "road", "river")
TAGS = ("promo", "reviewed", "hard", "night")
DAY = np.timedelta64(86_400_000_000, "us")
START = np.datetime64("2024-01-01", "us")

PROJECT_YAML = """\
name: large
task: detection
charter: {problem: a lake for benchmarks}
source: {images: nowhere}
annotations: {source: nowhere.json}
ontology:
  labels: [%s]
dataset:
  split: {ratios: {train: 0.8, val: 0.1, test: 0.1}, group_by: [patient]}
training: {model: fcos_resnet18, input_size: [96, 128]}
evaluation: {slices: [scene, camera], activation_images: 0}
"""


def make_lake(
    folder: Path, *, images: int, seed: int = 0, pictures: pa.Table | None = None
) -> Catalog:
    """Write a project and its catalogue below ``folder``.

    Args:
        folder: becomes CV_HOME: the store lies in ``store``, the project in ``projects``.
        images: number of images; there are three times as many boxes and metadata events.
        seed: of everything that is drawn.
        pictures: that many pictures, as ``make_pictures`` made them; by default there are none.
    """
    project = folder / "projects" / PROJECT / "project.yaml"
    project.parent.mkdir(parents=True, exist_ok=True)
    project.write_text(PROJECT_YAML % ", ".join(CLASSES))
    catalog = Catalog(open_store(str(folder / "store")), PROJECT)
    random = np.random.default_rng(seed)
    image_ids = hex_ids(random, images, octets=32)
    if pictures is not None:
        image_ids = pictures["image_id"].combine_chunks()
    captured = START + random.integers(0, 730 * 86_400, images) * np.timedelta64(1_000_000, "us")
    images_columns = _images(random, image_ids, captured)
    if pictures is not None:
        images_columns |= {name: pictures[name] for name in ("width", "height", "bytes")}
    _replace(catalog, "images", images_columns)
    _replace(catalog, "files", _files(images_columns))
    _replace(catalog, "image_features", _features(random, image_ids))
    _replace(catalog, "image_metadata", _metadata(random, image_ids, captured))
    _replace(catalog, "image_tags", _tags(random, image_ids, captured))
    edges = (620, 480) if pictures is None else _size_of(pictures)
    _replace(catalog, "annotations", _annotations(random, image_ids, captured, edges))
    _replace(catalog, "near_duplicates", _pairs(random, image_ids))
    _replace(catalog, "duplicate_searches", {"image_id": image_ids, "distance": 6})
    return catalog


def hex_ids(random: np.random.Generator, count: int, *, octets: int) -> pa.Array:
    """(count,) distinct random ids in hex, in no order."""
    text = random.bytes(octets * count).hex()
    offsets = np.arange(count + 1, dtype=np.int64) * 2 * octets
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text.encode())]
    return pa.Array.from_buffers(pa.large_string(), count, buffers)


def _replace(catalog: Catalog, table: str, columns: Mapping[str, Any]) -> None:
    """Write a table; columns that are left out are null, and a single value stands for all."""
    schema = TABLES[table]
    rows = next(len(c) for c in columns.values() if not isinstance(c, str | int | float))
    made = []
    for field in schema:
        value = columns.get(field.name)
        if value is None or isinstance(value, str | int | float):
            made.append(pa.repeat(pa.scalar(value, field.type), rows))
        else:
            column = pa.array(value) if isinstance(value, np.ndarray) else value
            made.append(column.cast(field.type))
    catalog.table(table).replace(pa.table(made, names=schema.names))


def _words(random: np.random.Generator, words: Sequence[str], count: int, **how: Any) -> pa.Array:
    """(count,) random words."""
    return pa.array(words).take(pa.array(random.choice(len(words), count, **how)))


def _utc(times: NDArray[np.datetime64]) -> pa.Array:
    return pa.array(times.astype("datetime64[us]"), pa.timestamp("us")).cast(
        pa.timestamp("us", tz="UTC")
    )


def _images(
    random: np.random.Generator, ids: pa.Array, captured: NDArray[np.datetime64]
) -> dict[str, Any]:
    count = len(ids)
    names = np.char.add(np.char.add("lot/", np.arange(count).astype("U8")), ".jpg")
    return {
        "image_id": ids,
        "path": pa.array(names),
        "source": "nowhere",
        "format": "JPEG",
        "width": random.choice([640, 1280, 1920], count).astype(np.int32),
        "height": np.full(count, 480, np.int32),
        "bands": 3,
        "dtype": "uint8",
        "bytes": random.integers(20_000, 400_000, count),
        "captured_at": _utc(captured),
        "batch": _words(random, [f"{n:064x}" for n in range(200)], count),
        "ingested_at": _utc(captured + DAY),
    }


def _files(images: dict[str, Any]) -> dict[str, Any]:
    """One file for each image."""
    shared = {name: images[name] for name in ("path", "image_id", "bytes", "batch")}
    return {**shared, "fingerprint": "1-1"}


def _features(random: np.random.Generator, ids: pa.Array) -> dict[str, Any]:
    count = len(ids)
    return {
        "image_id": ids,
        "phash": random.integers(0, 2**64, count, dtype=np.uint64),
        "phash_mirrored": random.integers(0, 2**64, count, dtype=np.uint64),
        "brightness": random.uniform(0, 1, count),
        "contrast": random.uniform(0, 0.5, count),
        "sharpness": random.uniform(0, 2000, count),
        "saturation": random.uniform(0, 1, count),
        "hue": random.uniform(0, 360, count),
    }


def _metadata(
    random: np.random.Generator, ids: pa.Array, captured: NDArray[np.datetime64]
) -> dict[str, Any]:
    """An event for each of three keys of every image, and a second scene for one in twenty."""
    count = len(ids)
    again = np.sort(random.choice(count, count // 20, replace=False))
    every = [
        _words(random, SCENES, count),
        _words(random, [f"camera_{n}" for n in range(20)], count),
        _words(random, [f"patient_{n}" for n in range(max(count // 100, 10))], count),
        _words(random, SCENES, len(again)),
    ]
    parts = zip(("scene", "camera", "patient", "scene"), every, strict=True)
    return {
        "image_id": pa.concat_arrays([ids, ids, ids, ids.take(pa.array(again))]),
        "key": pa.concat_arrays([pa.repeat(key, len(values)) for key, values in parts]),
        "value": pa.concat_arrays(every),
        "actor": "source",
        "at": _utc(np.concatenate([captured, captured, captured, captured[again] + DAY])),
    }


def _tags(
    random: np.random.Generator, ids: pa.Array, captured: NDArray[np.datetime64]
) -> dict[str, Any]:
    """Two events for each of three in ten images, by people; some take a tag off again."""
    rows = np.repeat(random.choice(len(ids), 3 * len(ids) // 10, replace=False), 2)
    return {
        "image_id": ids.take(pa.array(rows)),
        "tag": _words(random, TAGS, len(rows)),
        "present": pa.array(random.uniform(size=len(rows)) < 0.9),
        "actor": _words(random, ("ana", "ben", "chen"), len(rows)),
        "at": _utc(captured[rows] + random.integers(1, 90, len(rows)) * DAY),
    }


def _size_of(pictures: pa.Table) -> tuple[int, int]:
    return pictures["width"][0].as_py(), pictures["height"][0].as_py()


def _annotations(
    random: np.random.Generator,
    ids: pa.Array,
    captured: NDArray[np.datetime64],
    edges: tuple[int, int],
) -> dict[str, Any]:
    """Boxes within pictures of a width and height."""
    count = BOXES_PER_IMAGE * len(ids)
    labelled = random.choice(len(ids), int(LABELLED * len(ids)), replace=False)
    rows = labelled[np.sort(random.integers(0, len(labelled), count))]
    shares = np.array([*[0.997 / (len(CLASSES) - 1)] * (len(CLASSES) - 1), 0.003])
    width, height = edges
    left, top = random.uniform(0, 0.8 * width, count), random.uniform(0, 0.75 * height, count)
    made = _utc(captured[rows] + random.integers(1, 60, count) * DAY)
    return {
        "annotation_id": hex_ids(random, count, octets=16),
        "image_id": ids.take(pa.array(rows)),
        "label": _words(random, CLASSES, count, p=shares),
        "kind": "bbox",
        "x_min": left,
        "y_min": top,
        "x_max": left + width * random.uniform(0.01, 0.19, count),
        "y_max": top + height * random.uniform(0.01, 0.25, count),
        "attributes": _words(random, ("{}", json.dumps({"occluded": True})), count, p=[0.9, 0.1]),
        # a labeller works on whole images
        "annotator": pa.array([f"labeller_{n}" for n in range(12)]).take(pa.array(rows % 12)),
        "role": "annotator",
        "ontology_version": "1",
        "guideline_version": "1",
        "lead_time": random.uniform(1, 30, count),
        "created_at": made,
        "updated_at": made,
        "source": "nowhere.json",
        "original_id": pa.array(np.arange(count).astype("U8")),
    }


def _pairs(random: np.random.Generator, ids: pa.Array) -> dict[str, Any]:
    """One pair for each two hundred images, none of which is in two."""
    rows = random.choice(len(ids), 2 * (len(ids) // 200), replace=False).reshape(-1, 2)
    ends = np.sort(np.array(ids.take(pa.array(rows.ravel())).to_pylist()).reshape(-1, 2), axis=1)
    return {
        "image_a": pa.array(ends[:, 0]),
        "image_b": pa.array(ends[:, 1]),
        "kind": "same",
        "distance": random.integers(0, 7, len(ends)).astype(np.int32),
        "mismatch": np.full(len(ends), 0.5, np.float32),
    }
