"""An event log and a store as a pipeline leaves them, made without running one.

Events are reported with the tags and metadata that the assets give; folders hold the tables that
are read of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.datasets.manifest import MANIFEST
from cv_pipeline.provenance import EventLog, Materialization
from cv_pipeline.storage import ObjectStore


def sha(*parts: object) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def report(
    instance: dg.DagsterInstance,
    asset: str,
    version: str,
    read: Sequence[Materialization] = (),
    *,
    project: str = "p",
    metadata: Mapping[str, Any] | None = None,
) -> Materialization:
    """Put a materialization into the log, as a run would, and give it as the log has it."""
    tags = {"dagster/data_version": version}
    for parent in read:
        tags[f"dagster/input_data_version/{parent.key}"] = parent.version
        tags[f"dagster/input_event_pointer/{parent.key}"] = str(parent.storage_id)
    key = dg.AssetKey([project, asset])
    instance.report_runless_asset_event(
        dg.AssetMaterialization(key, tags=tags, metadata=dict(metadata or {}))
    )
    event = EventLog(instance).latest(f"{project}/{asset}")
    assert event is not None
    return event


def write_table(store: ObjectStore, key: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema):
    """Write rows, of which some columns may be left out, as Parquet with small row groups."""
    full = [{f.name: row.get(f.name, _blank(f)) for f in schema} for row in rows]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(full, schema=schema), sink, row_group_size=4)
    store.write(key, sink.getvalue().to_pybytes())


def _blank(column: pa.Field) -> Any:
    if column.nullable:
        return None
    if pa.types.is_string(column.type):
        return ""
    return pa.scalar(0).cast(column.type).as_py()


@dataclass
class RecordedWorld:
    """A project whose history is told step by step.

    Attributes:
        instance: its Dagster instance.
        store: its object store.
        project: its name.
        labels: image to its class, as the next dataset version will have it.
    """

    instance: dg.DagsterInstance
    store: ObjectStore
    project: str = "p"
    labels: dict[str, str] = field(default_factory=dict)

    def report(self, asset: str, version: str, *read: Materialization, **metadata: Any):
        """Report a materialization of this project."""
        return report(self.instance, asset, version, read, project=self.project, metadata=metadata)

    def raw(self, number: int) -> Materialization:
        """The raw set, with the catalogue at a version that tells one from another."""
        versions = {"images": number, "image_metadata": number, "image_tags": number}
        return self.report("raw_images", sha("raw", number), table_versions=versions)

    def dataset(self, splits: Mapping[str, str], raw: Materialization) -> Materialization:
        """A dataset version: image to split; each image with one box and its label of now."""
        images = sorted(splits)
        labels = {i: self.labels.get(i, "tomato") for i in images}
        version = sha("dataset", self.project, sorted(splits.items()), sorted(labels.items()))
        key = f"projects/{self.project}/datasets/{version}"
        manifest = [{"image_id": i, "path": path_of(i), "split": splits[i]} for i in images]
        write_table(self.store, f"{key}/manifest.parquet", manifest, MANIFEST)
        boxes = [
            {"image_id": i, "label": labels[i], "kind": "bbox", "annotator": "anna"}
            | {"x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0, "attributes": "{}"}
            for i in images
        ]
        write_table(self.store, f"{key}/annotations.parquet", boxes, ANNOTATIONS)
        self.store.write(f"{key}/dataset.json", b"{}")
        versions = {**raw.metadata["table_versions"], "annotations": 7}
        candidate = self.report("dataset_candidate", version, raw, table_versions=versions)
        return self.report("dataset_version", version, candidate, table_versions=versions)

    def model(self, dataset: Materialization, name: str) -> Materialization:
        """A model of a dataset version."""
        return self.report("trained_model", sha("model", name), dataset, dataset=dataset.version)

    def evaluation(
        self,
        model: Materialization,
        dataset: Materialization,
        results: Sequence[Mapping[str, Any]],
        **metrics: float,
    ) -> Materialization:
        """Predictions on a dataset version, one box an image, and what they come to."""
        version = sha("predictions", model.version, dataset.version, sorted(metrics.items()))
        key = f"projects/{self.project}/predictions/{version}"
        said = [
            {"image_id": row["image_id"], "rank": rank, "label": "kiwi", "score": 1 / (1 + rank)}
            for row in sorted(results, key=lambda row: row["image_id"])
            for rank in (1, 2)
        ]
        write_table(self.store, f"{key}/predictions.parquet", said, PREDICTIONS)
        self.store.write(f"{key}/predictions.json", b"{}")
        predictions = self.report("predictions", version, model, dataset, model=model.version)
        evaluation = sha("evaluation", version)
        key = f"projects/{self.project}/evaluations/{evaluation}"
        write_table(self.store, f"{key}/per_image.parquet", results, PER_IMAGE)
        self.store.write(f"{key}/evaluation.json", json.dumps({"split": "test"}).encode())
        facts = {"split": "test", "model": model.version, "dataset": dataset.version}
        return self.report("eval_slices", evaluation, predictions, dataset, **metrics, **facts)


def path_of(image_id: str) -> str:
    return f"camera/{image_id[:6]}.jpg"
