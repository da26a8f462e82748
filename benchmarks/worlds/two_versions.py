"""Two dataset versions of generated images, of which one in a hundred differs in each respect.

The later one lacks one image in a hundred and has as many new ones, moved one in a hundred to
another split, and shifted one box in a hundred. The catalogue that they were made from has the
images, the boxes and three metadata events an image, at the versions that both record.
"""

from __future__ import annotations

import binascii
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas import ANNOTATIONS, IMAGE_METADATA, IMAGES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.manifest import MANIFEST, SCHEMA_ID, dataset_digest
from cv_pipeline.datasets.record import (
    ANNOTATIONS_FILE,
    DATASET_FILE,
    MANIFEST_FILE,
    DatasetRecord,
    summarize,
    write_record,
    write_table,
)
from cv_pipeline.project import Ontology, Split
from cv_pipeline.storage import open_store

CLASSES = ("apple", "banana", "kiwi", "lemon", "tomato")
BOXES = 3
"""Boxes of an image."""
SHARE = 0.01
SIDE = 1024


def ids(count: int, *, seed: int, digits: int = 64) -> pa.Array:
    """Distinct hexadecimal names, in no order."""
    data = binascii.hexlify(np.random.default_rng(seed).bytes(count * digits // 2))
    offsets = pa.py_buffer(np.arange(0, (count + 1) * digits, digits, dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), count, [None, offsets, pa.py_buffer(data)])


def write_two_versions(folder: Path, images: int) -> tuple[Path, Path]:
    """Write ``before``, ``after`` and their catalogue below a folder."""
    before, after = folder / "before", folder / "after"
    catalog = catalog_of(folder)
    random = np.random.default_rng(0)
    names, fresh = ids(images, seed=1), ids(max(1, int(images * SHARE)), seed=2)
    split = random.choice(3, images, p=[0.8, 0.1, 0.1])
    corner = random.uniform(0, SIDE - 200, (images * BOXES, 2))
    size = random.uniform(8, 200, (images * BOXES, 2))
    label = random.integers(0, len(CLASSES), images * BOXES)
    keys = ids(images * BOXES, seed=3, digits=32)
    _write(catalog, before, names, split, keys, label, corner, size)
    kept = random.uniform(size=images) >= SHARE
    boxes = np.repeat(kept, BOXES)
    moved = random.uniform(size=images) < SHARE
    split = np.where(moved, (split + 1) % 3, split)
    corner = corner + (random.uniform(size=(images * BOXES, 1)) < SHARE)
    more = len(fresh) * BOXES
    _write(
        catalog,
        after,
        pa.concat_arrays([names.filter(pa.array(kept)), fresh]),
        np.concatenate([split[kept], np.zeros(len(fresh), int)]),
        pa.concat_arrays([keys.filter(pa.array(boxes)), ids(more, seed=4, digits=32)]),
        np.concatenate([label[boxes], label[:more]]),
        np.concatenate([corner[boxes], corner[:more]]),
        np.concatenate([size[boxes], size[:more]]),
    )
    return before, after


def catalog_of(folder: Path) -> Catalog:
    """The catalogue that two versions were made from."""
    return Catalog(open_store(str(folder / "store")), "fruit")


def _write(
    catalog: Catalog,
    folder: Path,
    names: pa.Array,
    split: NDArray[np.int64],
    keys: pa.Array,
    label: NDArray[np.int64],
    corner: NDArray[np.float64],
    size: NDArray[np.float64],
) -> None:
    folder.mkdir(parents=True)
    count, boxes = len(names), len(keys)
    short = pa.array([f"{n:07d}.jpg" for n in range(count)])
    manifest = _table(
        MANIFEST,
        count,
        image_id=names,
        split=pa.array(["train", "val", "test"]).take(pa.array(split)),
        path=short,
        format=pa.repeat("JPEG", count),
        width=pa.repeat(SIDE, count),
        height=pa.repeat(SIDE, count),
        bands=pa.repeat(3, count),
        dtype=pa.repeat("uint8", count),
        batch=pa.repeat("first", count),
        cluster=names,
        unit=names,
        objects=pa.repeat(BOXES, count),
        labels_state=pa.repeat("labelled", count),
    ).sort_by("image_id")
    edges = np.concatenate([corner, corner + size], axis=1).T
    annotations = _table(
        ANNOTATIONS,
        boxes,
        annotation_id=keys,
        image_id=names.take(pa.array(np.repeat(np.arange(count), BOXES))),
        label=pa.array(CLASSES).take(pa.array(label)),
        kind=pa.repeat("bbox", boxes),
        **dict(zip(("x_min", "y_min", "x_max", "y_max"), edges, strict=True)),
        attributes=pa.repeat('{"occluded":false}', boxes),
        annotator=pa.array(["ann", "bob"]).take(pa.array(label % 2)),
        role=pa.repeat("annotator", boxes),
        ontology_version=pa.repeat("1", boxes),
        guideline_version=pa.repeat("1", boxes),
        source=pa.repeat("labels.json", boxes),
        original_id=keys,
    ).sort_by([("image_id", "ascending"), ("annotation_id", "ascending")])
    rule = Split()
    record = DatasetRecord(
        schema_id=SCHEMA_ID,
        digest=dataset_digest(manifest, annotations, split=rule),
        project="fruit",
        task="detection",
        ontology=Ontology(labels=CLASSES),
        rule=rule,
        aggregation="latest",
        query="labelled",
        sql="",
        parameters={},
        table_versions=_write_tables(catalog, manifest, annotations),
        contents=summarize(manifest, annotations),
        near_duplicates={},
        shortfalls=(),
        left_out=0,
        verdicts=(),
        code_version="1",
    )
    write_table(manifest, folder / MANIFEST_FILE)
    write_table(annotations, folder / ANNOTATIONS_FILE)
    write_record(record, folder / DATASET_FILE)


def _write_tables(catalog: Catalog, manifest: pa.Table, annotations: pa.Table) -> dict[str, int]:
    """Write what the catalogue knew when a version was made; gives the table versions."""
    count, now = len(manifest), pa.scalar(0, IMAGES.field("ingested_at").type)
    known = {name: manifest[name] for name in manifest.column_names if name in IMAGES.names}
    known |= {
        "source": pa.repeat("images", count),
        "bytes": pa.repeat(6_250, count),
        "ingested_at": pa.repeat(now, count),
        "split": pa.nulls(count, pa.string()),
    }
    number = np.arange(count)
    events = [
        {
            "image_id": manifest["image_id"],
            "key": pa.repeat(key, count),
            "value": pa.array(number % kinds).cast(pa.string()),
            "actor": pa.repeat("import", count),
            "at": pa.repeat(now, count),
        }
        for key, kinds in (("camera", 4), ("line", 20), ("scene", 6))
    ]
    metadata = [_table(IMAGE_METADATA, count, **event) for event in events]
    return {
        "images": catalog.table("images").replace(_table(IMAGES, count, **known)),
        "annotations": catalog.table("annotations").replace(annotations),
        "image_metadata": catalog.table("image_metadata").replace(pa.concat_tables(metadata)),
    }


def _table(schema: pa.Schema, rows: int, **columns: Any) -> pa.Table:
    """Columns of a schema; what is not there is null."""
    made = {f.name: columns.get(f.name, pa.nulls(rows, f.type)) for f in schema}
    return pa.table(made).cast(schema)
