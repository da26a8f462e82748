"""What an evaluation asks the lake: declared slices as of the dataset version, and measures."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.catalog.schemas import IMAGE_METADATA, SIGNATURES
from cv_pipeline.catalog.snapshot import fixed_versions
from cv_pipeline.evaluation.slicing.lake import declared_slices, known_images
from cv_pipeline.project import Project
from tests.catalog.event_lake import DAY, lake, rows_of

IMAGES = dict.fromkeys("abcd", DAY)
LIT = [("a", "lighting", "dim"), ("b", "lighting", "bright"), ("c", "lighting", "dim")]


def project(**queries: object) -> Project:
    return Project.model_validate(
        {
            "name": "fruit",
            "task": "detection",
            "charter": {"problem": "find fruit"},
            "source": {"images": "images"},
            "annotations": {"source": "labels"},
            "ontology": {"labels": ["apple"]},
            "training": {"model": "any", "input_size": (32, 32)},
            "evaluation": {"slice_queries": queries},
        }
    )


def test_queries_are_answered_as_of_the_dataset_version() -> None:
    with lake(images=IMAGES, metadata=LIT) as catalog:
        versions = fixed_versions(catalog)
        later = rows_of(
            IMAGE_METADATA,
            [{"image_id": "d", "key": "lighting", "value": "dim", "at": DAY.replace(day=9)}],
        )
        catalog.table("image_metadata").append(later)
        asked = project(
            dark="metadata.lighting = 'dim'",
            lit={"metadata": {"lighting": "bright"}},
            one="metadata.lighting = 'dim' limit 1",
        )
        then = declared_slices(asked, catalog, table_versions=versions)
        now = declared_slices(asked, catalog, table_versions=fixed_versions(catalog))
    assert {name: sorted(a.image_ids.to_pylist()) for name, a in then.items()} == {
        "dark": ["a", "c"],
        "lit": ["b"],
        "one": ["a"],
    }
    assert now["dark"].image_ids.to_pylist() == ["a", "c", "d"]
    # a sample is no condition that more images could be asked for by
    assert {name: a.query for name, a in then.items()} == {
        "dark": "metadata.lighting = 'dim'",
        "lit": "metadata.lighting = 'bright'",
        "one": "",
    }


def test_a_project_without_queries_asks_nothing() -> None:
    with lake(images=IMAGES) as catalog:
        assert declared_slices(project(), catalog, table_versions={}) == {}


def test_descriptors_are_those_of_the_dataset_version(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image_id": ["a", "c"]}), tmp_path / "manifest.parquet")
    rows = [
        {"image_id": name, "thumbnail": bytes(1024), "descriptor": [0.0] * 63 + [1.0]}
        for name in "abc"
    ]
    with lake(images=IMAGES, labelled={"a", "b"}) as catalog:
        catalog.table("signatures").merge(
            pa.Table.from_pylist(rows, schema=SIGNATURES), on=["image_id"]
        )
        known = known_images(
            project(),
            catalog,
            dataset=tmp_path,
            table_versions={
                "image_features": 0,
                "annotations": catalog.table("annotations").version,
            },
        )
    assert known.descriptors["image_id"].to_pylist() == ["a", "c"]
    assert known.declared == {}
    assert sorted(known.annotations.to_pylist(), key=lambda r: r["image_id"]) == [
        {"image_id": "a", "annotations_count": 2},
        {"image_id": "b", "annotations_count": 2},
    ]
