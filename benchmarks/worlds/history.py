"""Dataset versions and models of a generated lake, in a real Dagster instance.

Version k of V holds the first k shares of the lake's labelled images, so that they grow as real
ones do. Every model has predictions, an evaluation with a row for each test image, and the four
events that name exactly what was read. Digests here only name things; nothing hashes to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dagster import AssetKey, AssetMaterialization, DagsterInstance
from dagster._core.definitions.data_version import (
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from benchmarks.worlds.large_lake import CLASSES, PROJECT
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.manifest import MANIFEST
from cv_pipeline.datasets.membership import IDS_FILE, write_ids
from cv_pipeline.datasets.record import (
    ANNOTATIONS_FILE,
    DATASET_FILE,
    MANIFEST_FILE,
    DatasetRecord,
    summarize,
    write_record,
    write_table,
)
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.project import Ontology, Split
from cv_pipeline.provenance import EventLog, Materialization

SHARE = 0.5
"""Share of the lake's images that the newest version holds."""


def name_of(what: str) -> str:
    """A digest that names something generated."""
    return hashlib.sha256(what.encode()).hexdigest()


def make_history(
    catalog: Catalog, instance: DagsterInstance, *, home: Path, versions: int, models: int
) -> None:
    """Write dataset versions and models, and the events that tell of them.

    Args:
        catalog: the lake.
        instance: an empty Dagster instance.
        home: folder of the lake, with its ``store``.
        versions: dataset versions, each larger than the one before.
        models: models, shared out among the versions in turn.
    """
    store = home / "store" / "projects" / PROJECT
    manifest, annotations = _newest_version(catalog)
    log = EventLog(instance)
    raw = report(log, "raw_images", name_of("raw"), {"table_versions": catalog.versions()}, {})
    datasets, tests = [], []
    for number in range(1, versions + 1):
        size = len(manifest) * number // versions
        version = name_of(f"dataset {number}")
        part = manifest.slice(0, size).sort_by("image_id")
        folder = store / "datasets" / version
        labels = _labels_of(annotations, size)
        _write_version(folder, part, labels, version=version, catalog=catalog)
        facts = {
            "dagster/row_count": size,
            "objects": len(labels),
            "table_versions": catalog.versions(),
        }
        candidate = report(log, "dataset_candidate", version, facts, {"raw_images": raw})
        parents = {"dataset_candidate": candidate}
        datasets.append(report(log, "dataset_version", version, facts, parents))
        tests.append(part.filter(pc.equal(part["split"], "test"))["image_id"])
    random = np.random.default_rng(1)
    for number in range(models):
        at = number % versions
        _model(log, store, number, datasets[at], tests[at], random)


def _newest_version(catalog: Catalog) -> tuple[pa.Table, pa.Table]:
    """Manifest and labels of the largest version, images in the order in which versions grow.

    The labels have a column ``row``, the image's row in the manifest, by which they are sorted.
    """
    images = catalog.table("images").read()
    images = images.slice(0, int(SHARE * len(images)))
    count = len(images)
    split = np.random.default_rng(0).choice(3, count, p=[0.8, 0.1, 0.1])
    columns: dict[str, Any] = {
        "split": pa.array(["train", "val", "test"]).take(pa.array(split)),
        "cluster": images["image_id"],
        "unit": images["image_id"],
        "objects": pa.repeat(pa.scalar(1, pa.int32()), count),
        "labels_state": pa.repeat("labelled", count),
    }
    for field in MANIFEST:
        if field.name in images.schema.names and field.name != "split":
            columns[field.name] = images[field.name]
        elif field.name not in columns:
            columns[field.name] = pa.nulls(count, field.type)
    manifest = pa.table({name: columns[name] for name in MANIFEST.names}).cast(MANIFEST)
    annotations = catalog.table("annotations").read()
    row = pc.index_in(annotations["image_id"], value_set=images["image_id"].combine_chunks())
    annotations = annotations.append_column("row", row).filter(row.is_valid())
    return manifest, annotations.sort_by("row").combine_chunks()


def _labels_of(annotations: pa.Table, size: int) -> pa.Table:
    """The labels of the first images, sorted by image."""
    end = int(np.searchsorted(annotations["row"].to_numpy(), size))
    return annotations.slice(0, end).drop_columns(["row"]).sort_by("image_id")


def _write_version(
    folder: Path, manifest: pa.Table, annotations: pa.Table, *, version: str, catalog: Catalog
) -> None:
    folder.mkdir(parents=True)
    write_table(manifest, folder / MANIFEST_FILE)
    write_table(annotations, folder / ANNOTATIONS_FILE)
    write_ids(manifest["image_id"], folder / IDS_FILE)
    record = DatasetRecord(
        schema_id="dataset/2",
        digest=version,
        project=PROJECT,
        task="detection",
        ontology=Ontology(labels=CLASSES),
        rule=Split(),
        aggregation="latest",
        query="labelled = true",
        sql="select n from images",
        parameters={},
        table_versions=catalog.versions(),
        contents=summarize(manifest, annotations),
        near_duplicates={},
        shortfalls=(),
        left_out=0,
        verdicts=(Verdict(check="integrity", passed=True, severity="error", summary="None."),),
        code_version="1",
    )
    write_record(record, folder / DATASET_FILE)


def _model(
    log: EventLog,
    store: Path,
    number: int,
    dataset: Materialization,
    test: pa.ChunkedArray,
    random: np.random.Generator,
) -> None:
    """A model, its predictions and its evaluation, one detection a test image."""
    digest = {what: name_of(f"{what} {number}") for what in ("model", "predictions", "evaluation")}
    count = len(test)
    score = random.uniform(0, 1, count)
    correct = score > 0.4
    found: dict[str, Any] = {
        "image_id": test,
        "rank": np.ones(count, np.int32),
        "label": pa.array(CLASSES).take(pa.array(random.integers(0, len(CLASSES), count))),
        "score": score,
        **{edge: random.uniform(0, 400, count) for edge in ("x_min", "y_min", "x_max", "y_max")},
    }
    results: dict[str, Any] = {
        "image_id": test,
        "split": pa.repeat("test", count),
        "objects": np.full(count, 3),
        "true_positives": np.where(correct, 3, 1),
        "false_positives": np.where(correct, 0, 1),
        "false_negatives": np.where(correct, 0, 2),
        "correct": correct,
        "score": score,
    }
    _write_folder(store / "predictions" / digest["predictions"], "predictions", PREDICTIONS, found)
    _write_folder(store / "evaluations" / digest["evaluation"], "per_image", PER_IMAGE, results)
    model = report(
        log, "trained_model", digest["model"], {"dataset": dataset.version, "seconds": 60.0},
        {"dataset_version": dataset},
    )  # fmt: skip
    named = {"model": model.version, "dataset": dataset.version}
    predictions = report(
        log, "predictions", digest["predictions"], {**named, "dagster/row_count": count},
        {"trained_model": model, "dataset_version": dataset},
    )  # fmt: skip
    metrics = {"AP50": 0.5 + 0.4 * number / 1000, "precision": 0.7 + 0.22 * (number % 100) / 100}
    report(
        log, "eval_slices", digest["evaluation"],
        {**named, **metrics, "metric": "AP50", "split": "test"},
        {"predictions": predictions, "dataset_version": dataset},
    )  # fmt: skip


def _write_folder(folder: Path, name: str, schema: pa.Schema, columns: Mapping[str, Any]) -> None:
    """A published folder with one table: columns that are left out are null."""
    count = len(columns["image_id"])
    made = [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in schema]
    folder.mkdir(parents=True)
    table = pa.table(made, names=schema.names).cast(schema)
    write_table(table, folder / f"{name}.parquet")
    marker = "predictions.json" if name == "predictions" else "evaluation.json"
    (folder / marker).write_text("{}\n")


def report(
    log: EventLog,
    asset: str,
    version: str,
    metadata: Mapping[str, Any],
    inputs: Mapping[str, Materialization],
) -> Materialization:
    """Write one materialization as the assets do, and read it back."""
    key = AssetKey([PROJECT, asset])
    tags = {DATA_VERSION_TAG: version}
    for parent in inputs.values():
        parent_key = AssetKey.from_user_string(parent.key)
        tags[get_input_data_version_tag(parent_key)] = parent.version
        tags[get_input_event_pointer_tag(parent_key)] = str(parent.storage_id)
    log.instance.report_runless_asset_event(
        AssetMaterialization(key, metadata={"digest": version, **metadata}, tags=tags)
    )
    made = log.latest(key.to_user_string())
    assert made is not None
    return made
