"""Lineage both ways, from a real event log and real manifests."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance import trace
from cv_pipeline.provenance.trace import flatten
from cv_pipeline.storage import open_store

IMAGE = hashlib.sha256(b"pixels").hexdigest()
OTHER = hashlib.sha256(b"other pixels").hexdigest()


def kinds(traces):
    return sorted(n.kind for n in flatten(traces) if n.kind != "pause")


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def write_dataset(store, version: str, splits: dict[str, str]) -> None:
    """The parts of a dataset version that tracing reads."""
    manifest = pa.table(
        {
            "image_id": sorted(splits),
            "path": [f"camera/{i[:6]}.jpg" for i in sorted(splits)],
            "split": [splits[i] for i in sorted(splits)],
        }
    )
    columns = ["image_id", "label", "attributes", "annotator"]
    boxes = ["x_min", "y_min", "x_max", "y_max"]
    annotations = pa.table(
        {c: [IMAGE if c == "image_id" else "tomato"] for c in columns} | {b: [1.0] for b in boxes}
    )
    for name, table in (("manifest.parquet", manifest), ("annotations.parquet", annotations)):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        store.write(f"projects/p/datasets/{version}/{name}", sink.getvalue().to_pybytes())
    store.write(f"projects/p/datasets/{version}/dataset.json", b"{}")


def test_a_model_up_to_its_dataset_and_down_to_its_metrics(materialize, log, instance):
    materialize()
    model = log.latest("p/trained_model")
    for ref in (f"p@{model.version[:8]}", model.version, "p@latest"):
        found = trace("model", ref, instance=instance)
        assert found.node.storage_id == model.storage_id
        assert kinds(found.up) == ["dataset"]
        assert kinds(found.down) == ["evaluation", "predictions"]
    assert set(found.to_json()["node"]) == {
        "kind", "key", "version", "storage_id", "run_id", "timestamp", "metadata"
    }  # fmt: skip
    json.dumps(found.to_json())


def test_a_dataset_down_to_every_model_that_used_it(materialize, log, instance, world):
    materialize()
    first = log.latest("p/dataset_version").version
    world.content = "second"
    materialize()
    materialize("trained_model", trained_model={"dataset_version": first})
    found = trace("dataset", first[:12], instance=instance)
    assert found.node.version == first
    models = [n for n in flatten(found.down) if n.kind == "model"]
    assert {n.version for n in models} == {
        e.version for e in log.oldest_first("p/trained_model") if e.inputs[0].version == first
    }


def test_a_metric_up_to_the_evaluation_that_it_is_of(materialize, instance, log):
    materialize()
    evaluation = log.latest("p/eval_slices").version
    with pytest.raises(ProvenanceError, match="has no metric 'AP50'"):
        trace("metric", f"p/AP50@{evaluation}", instance=instance)
    with pytest.raises(ProvenanceError, match="Write project/metric@evaluation"):
        trace("metric", "AP50", instance=instance)


def test_an_image_to_everything_that_used_it_with_its_labels(
    materialize, log, instance, world, store, tmp_path
):
    materialize()
    first = log.latest("p/dataset_version").version
    world.content = "second"
    materialize()
    second = log.latest("p/dataset_version").version
    write_dataset(store, first, {IMAGE: "train", OTHER: "test"})
    write_dataset(store, second, {OTHER: "test"})
    file = tmp_path / "local.jpg"
    file.write_bytes(b"pixels")
    for ref in (IMAGE, IMAGE[:8], f"camera/{IMAGE[:6]}.jpg", str(file)):
        found = trace("image", ref, instance=instance, store=store)
        assert found.node.version == IMAGE
        assert [d.node.version for d in found.down] == [first]
        assert found.down[0].node.metadata["split"] == "train"
        assert [x["label"] for x in found.down[0].node.metadata["labels"]] == ["tomato"]
        assert kinds(found.down) == ["dataset", "evaluation", "model", "predictions"]
    assert len(trace("image", OTHER, instance=instance, store=store).down) == 2
    with pytest.raises(ProvenanceError, match="No dataset version holds"):
        trace("image", "nowhere.jpg", instance=instance, store=store)


def test_a_version_that_is_lost_says_so_and_hides_nothing(materialize, log, instance, world, store):
    materialize()
    first = log.latest("p/dataset_version").version
    world.content = "second"
    materialize()
    second = log.latest("p/dataset_version").version
    write_dataset(store, first, {IMAGE: "train"})
    found = trace("image", IMAGE, instance=instance, store=store)
    assert [d.node.version for d in found.down] == [first, second]
    assert ["lost" in d.node.metadata for d in found.down] == [False, True]
    with pytest.raises(ProvenanceError, match="1 versions are lost"):
        trace("image", "nowhere.jpg", instance=instance, store=store)


def test_unknown_references_name_what_is_known(materialize, instance):
    materialize()
    with pytest.raises(ProvenanceError, match=r"'modle' cannot be traced.*'model'"):
        trace("modle", "x", instance=instance)
    with pytest.raises(ProvenanceError, match="No trained_model has the version 'ffff'"):
        trace("model", "ffff", instance=instance)
    with pytest.raises(ProvenanceError, match="Project 'q' has no trained_model"):
        trace("model", "q@ffff", instance=instance)
