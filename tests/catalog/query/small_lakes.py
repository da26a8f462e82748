"""Small lakes, drawn at random, as rows to think about and as the relations that queries read."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from cv_pipeline.catalog.query import CompiledQuery, QueryNode, compile_query
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.catalog.snapshot.relations import (
    ANNOTATIONS,
    DATASET,
    IMAGES,
    METADATA,
    SET_ASIDE,
    SIMILAR,
    TAGS,
)
from cv_pipeline.catalog.sql import run_sql

Row = dict[str, Any]

IDS = ["0123abcd" + "0" * 56, "0123abcd" + "f" * 56, "0123abce" + "1" * 56, "deadbeef" + "2" * 56]
IDS += ["ffffffff" + "3" * 56, "a" * 64]
PATHS = ["belt/1.jpg", "belt/2.jpg", "deadbeef", "it's.png", "é.png", "A/b.tif"]
WORDS = ["a", "B", "b", "it's", "é"]
VALUES = [*WORDS, "", "9", "10", "10.0", " 7 ", "1e1", "-3", "nan", "inf", "0x10", "1_0", "x\ny"]
KEYS = ["scene", "any key", "it's", "and"]
ATTRIBUTES = ["occluded", "a/b", "c~1d", "", 'q"'.replace('"', "'")]
NUMBERS = [0, 1, 2, 3.5, 10, -3, 0.25]
MODELS = ["fruit@latest", "it's"]
SPLITS = ["train", "val", "test"]
MOMENTS = [
    dt.datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2025, 11, 3, 8, 30, tzinfo=dt.UTC),
    dt.datetime(2025, 11, 3, 8, 30, 0, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
]


@dataclass(frozen=True)
class SmallLake:
    """A lake; rows of models and dataset versions are by the number of the image."""

    images: list[Row]
    datasets: dict[str, dict[int, Row]] = field(default_factory=dict)
    predictions: dict[str, dict[int, list[Row]]] = field(default_factory=dict)
    results: dict[str, dict[int, Row]] = field(default_factory=dict)
    similar: dict[str, dict[int, Row]] = field(default_factory=dict)

    def relations(self, compiled: CompiledQuery) -> dict[str, pa.Table]:
        """What a compiled query reads."""
        found = {
            "images": table(IMAGES, self.images),
            "metadata": table(
                METADATA, [m for i in self.images for m in _metadata(i)], words=("key", "value")
            ),
            "tags": table(TAGS, [t for i in self.images for t in _tags(i)], words=("tag",)),
            "set_aside": table(
                SET_ASIDE,
                [{"n": i["n"], "name": name} for i in self.images for name in i["set_aside"]],
                words=("name",),
            ),
            "annotations": table(
                ANNOTATIONS, [a for i in self.images for a in i["annotations"]], words=("label",)
            ),
        }
        for reference in compiled.references:
            match reference.kind:
                case "dataset":
                    rows, schema = list(self.datasets.get(reference.ref, {}).values()), DATASET
                case "predictions":
                    nested = self.predictions.get(reference.ref, {}).values()
                    rows, schema = [row for rows in nested for row in rows], _numbered(PREDICTIONS)
                case "results":
                    rows = list(self.results.get(reference.ref, {}).values())
                    schema = _numbered(PER_IMAGE)
                case "similar":
                    rows, schema = list(self.similar.get(reference.ref, {}).values()), SIMILAR
            found[reference.relation] = table(schema, rows)
        return found

    def ask(self, query: QueryNode) -> list[int]:
        """Numbers of the images that a query selects, in order."""
        compiled = compile_query(query)
        rows = run_sql(
            compiled.sql, relations=self.relations(compiled), parameters=compiled.parameters
        )
        numbers: list[int] = rows["n"].to_pylist()
        return numbers


def table(schema: pa.Schema, rows: list[Row], *, words: tuple[str, ...] = ()) -> pa.Table:
    """Rows as a table; some columns stored as dictionaries, as the snapshot does."""
    made = pa.Table.from_pylist([{f.name: row.get(f.name) for f in schema} for row in rows], schema)
    for word in words:
        column = made[word].dictionary_encode()
        made = made.set_column(made.schema.get_field_index(word), word, column)
    return made


def image(n: int, **known: Any) -> Row:
    """An image about which nothing is known but what is said."""
    blank = {
        "image_id": f"{n:064x}",
        "path": f"{n}.jpg",
        "source": "folder",
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "bands": 3,
        "dtype": "uint8",
        "bytes": 1000,
        "ingested_at": MOMENTS[0],
        "batch": "first",
        "tags_count": 0,
        "annotations_count": 0,
        "labels_count": 0,
        "annotators_count": 0,
        "disagreement": 0.0,
        "taken_out": False,
        "metadata": {},
        "tags": set(),
        "set_aside": set(),
        "annotations": [],
    }
    return {f.name: None for f in IMAGES} | blank | {"n": n} | known


def _numbered(schema: pa.Schema) -> pa.Schema:
    fields = [f for f in schema if f.name != "image_id"]
    return pa.schema([pa.field("n", pa.int32(), nullable=False), *fields])


def _metadata(of: Row) -> list[Row]:
    return [{"n": of["n"], "key": k, "value": v} for k, v in of["metadata"].items()]


def _tags(of: Row) -> list[Row]:
    return [{"n": of["n"], "tag": tag} for tag in sorted(of["tags"])]


_numbers = st.sampled_from(NUMBERS)
_floats = _numbers.map(float)
_whole = st.sampled_from([0, 1, 2, 3, 10])
_words = st.sampled_from(WORDS)
_moments = st.sampled_from(MOMENTS)
_edges = st.fixed_dictionaries(
    {name: st.none() | _floats for name in ("x_min", "y_min", "x_max", "y_max")}
)
_attributes = st.dictionaries(
    st.sampled_from(ATTRIBUTES),
    st.booleans() | st.none() | _numbers | st.sampled_from(["true", "a", "10"]),
    max_size=3,
).map(lambda found: json.dumps(found, sort_keys=True, separators=(",", ":")))

_annotations = st.builds(
    lambda edges, row: edges | row,
    _edges,
    st.fixed_dictionaries(
        {
            "label": _words,
            "kind": st.sampled_from(["bbox", "class"]),
            "attributes": _attributes,
            "annotator": _words,
            "ontology_version": _words,
            "guideline_version": _words,
            "lead_time": st.none() | _floats,
            "created_at": st.none() | _moments,
            "updated_at": st.none() | _moments,
        }
    ),
)
_predictions = st.builds(
    lambda edges, row: edges | row,
    _edges,
    st.fixed_dictionaries({"label": _words, "score": _floats, "rank": _whole}),
)
_results = st.fixed_dictionaries(
    {
        "split": st.sampled_from(SPLITS),
        "objects": _whole,
        "true_positives": _whole,
        "false_positives": _whole,
        "false_negatives": _whole,
        "correct": st.booleans(),
        "score": _floats,
        "truth": st.none() | _words,
        "predicted": st.none() | _words,
        "confidence": st.none() | _floats,
    }
)
_images = st.fixed_dictionaries(
    {
        "source": _words,
        "format": _words,
        "width": _whole,
        "height": _whole,
        "bands": _whole,
        "dtype": _words,
        "bytes": _whole,
        "captured_at": st.none() | _moments,
        "ingested_at": _moments,
        "split": st.none() | st.sampled_from(SPLITS),
        "batch": _words,
        "brightness": st.none() | _floats,
        "contrast": st.none() | _floats,
        "sharpness": st.none() | _floats,
        "saturation": st.none() | _floats,
        "hue": st.none() | _floats,
        "phash": st.none() | st.sampled_from([0, 255, 2**64 - 1]),
        "tags_count": _whole,
        "labels_count": _whole,
        "annotators_count": _whole,
        "disagreement": _floats,
        "taken_out_at": st.none() | _moments,
        "metadata": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3),
        "tags": st.sets(_words, max_size=3),
        "set_aside": st.sets(_words, max_size=2),
        "annotations": st.lists(_annotations, max_size=3),
    }
)


@st.composite
def small_lakes(draw: st.DrawFn) -> SmallLake:
    """Lakes of a few images each, with models and dataset versions that know some of them."""
    ids = sorted(draw(st.permutations(IDS))[draw(st.integers(0, 3)) :])
    paths = draw(st.permutations(PATHS))
    images = []
    for n, (image_id, path) in enumerate(zip(ids, paths, strict=False)):
        found = image(n, image_id=image_id, path=path, **draw(_images))
        found["annotations"] = [a | {"n": n} for a in found["annotations"]]
        found["annotations_count"] = len(found["annotations"])
        found["taken_out"] = found["taken_out_at"] is not None
        images.append(found)

    def some(rows: st.SearchStrategy[Any]) -> dict[int, Any]:
        known = [n for n in range(len(images)) if draw(st.booleans())]
        return {n: draw(rows) for n in known}

    def numbered(rows: dict[int, Row]) -> dict[int, Row]:
        return {n: row | {"n": n} for n, row in rows.items()}

    split = st.fixed_dictionaries({"split": st.sampled_from(SPLITS)})
    alike = st.fixed_dictionaries({"similarity": _floats})
    return SmallLake(
        images=images,
        datasets={ref: numbered(some(split)) for ref in MODELS},
        predictions={
            ref: {
                n: [row | {"n": n} for row in rows]
                for n, rows in some(st.lists(_predictions, max_size=3)).items()
            }
            for ref in MODELS
        },
        results={ref: numbered(some(_results)) for ref in MODELS},
        similar={ref: numbered(some(alike)) for ref in PATHS[:2]},
    )
