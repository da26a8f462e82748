"""What is exported comes back: for every format, all that it has a place for, to the last bit."""

from __future__ import annotations

import json
import math
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.formats import FORMATS, parse_export, read_export
from cv_pipeline.annotations.formats.yolo_tasks import joined
from cv_pipeline.annotations.geometry import (
    KeyPoint,
    KeyPoints,
    Mask,
    Polygon,
    RotatedBox,
    Shape,
    keypoints,
    polygon,
    read_shape,
    rotated_box,
)
from cv_pipeline.annotations.geometry.masks import mask_of_polygon, polygon_of_mask
from cv_pipeline.annotations.geometry.run_lengths import runs_of_mask
from cv_pipeline.annotations.geometry.settle import settle
from cv_pipeline.annotations.image_facts import metadata_csv
from cv_pipeline.annotations.official_splits import official_splits
from cv_pipeline.annotations.resolve import resolve
from cv_pipeline.annotations.values import attributes_json, pseudonym
from cv_pipeline.catalog.ingest.csv_table import parse_csv
from cv_pipeline.catalog.schemas.annotations import SHAPE_KINDS
from cv_pipeline.datasets.exporting.exports import Export, export_version, written_formats
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.project import Ontology, Task
from cv_pipeline.storage import Blobs, image_id_of, open_source, open_store
from tests.datasets.versions import LABELS, image_row, label_row, picture, write_version

WIDTH, HEIGHT = 40, 30
WORK = ("annotator", "role", "lead_time", "created_at", "updated_at")
POINTS = ("left eye", "nose", 'Öhr, "2"')
SHAPES_OF = {
    "rotated_box": RotatedBox, "polygon": Polygon, "mask": Mask, "keypoints": KeyPoints
}  # fmt: skip
BOX = ("x_min", "y_min", "x_max", "y_max")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = texts.map(str.strip).filter(bool)
times = st.none() | st.datetimes(
    datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)  # fmt: skip
names = words | st.sampled_from(["difficult", "truncated", "occluded", "pose", "iscrowd"])


@st.composite
def boxes(draw: st.DrawFn) -> dict[str, Any]:
    x_min, y_min = draw(st.floats(0, WIDTH - 1)), draw(st.floats(0, HEIGHT - 1))
    return {
        "kind": "bbox",
        "x_min": x_min,
        "y_min": y_min,
        "x_max": draw(st.floats(x_min, WIDTH).filter(lambda x: x - x_min > 1e-3)),
        "y_max": draw(st.floats(y_min, HEIGHT).filter(lambda y: y - y_min > 1e-3)),
    }


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """A shape within the picture that does not cross itself."""
    center = draw(st.floats(12, WIDTH - 12)), draw(st.floats(12, HEIGHT - 12))
    shape: Shape
    match kind := draw(st.sampled_from(SHAPE_KINDS)):
        case "rotated_box":
            size = draw(st.floats(1, 12)), draw(st.floats(1, 12))
            shape = rotated_box(center, size, draw(st.floats(0.5, 359.5)))
        case "polygon":
            radii = draw(st.lists(st.floats(3, 11), min_size=3, max_size=7))
            turns = [2 * math.pi * k / len(radii) for k in range(len(radii))]
            ring = [
                (center[0] + r * math.cos(t), center[1] + r * math.sin(t))
                for r, t in zip(radii, turns, strict=True)
            ]
            hole = [tuple(c + (v - c) / 4 for v, c in zip(p, center, strict=True)) for p in ring]
            shape = polygon([ring, hole], [1]) if draw(st.booleans()) else polygon([ring])
        case "mask":
            noise = np.random.default_rng(draw(st.integers(0, 99))).random((HEIGHT, WIDTH))
            pixels = noise > draw(st.sampled_from([0.02, 0.5, 0.999]))
            pixels[0, draw(st.integers(0, WIDTH - 1))] = True
            shape = Mask((HEIGHT, WIDTH), runs_of_mask(pixels))
        case _:
            named = draw(st.lists(st.sampled_from(POINTS), min_size=1, unique=True))
            place = st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT))
            shape = keypoints(
                KeyPoint(name, *draw(place), draw(st.sampled_from([1, 2]))) for name in named
            )
    sizes = np.array([[WIDTH, HEIGHT]], dtype=float)
    settled = settle([kind], [shape.text], sizes=sizes, scaled=np.array([False]))
    edges = settled.bounds[0].tolist()
    if kind == "keypoints" and draw(st.booleans()):
        edges = [0.0, 0.0, WIDTH - 0.5, HEIGHT - 0.25]
    return {"kind": kind, "geometry": settled.texts[0], **dict(zip(BOX, edges, strict=True))}


@st.composite
def label_changes(draw: st.DrawFn) -> dict[str, Any]:
    tag = st.just({"kind": "tag"} | dict.fromkeys(BOX))
    return draw(st.one_of(boxes(), shapes(), shapes(), tag)) | {
        "label": draw(st.sampled_from(LABELS)),
        "attributes": attributes_json(draw(st.dictionaries(names, values, max_size=3))),
        "annotator": draw(words.map(pseudonym)),
        "role": draw(st.sampled_from(["annotator", "reviewer", "model"])),
        "lead_time": draw(st.none() | st.floats(1e-3, 1e6)),
        "created_at": draw(times),
        "updated_at": draw(times),
    }


def told_apart(label: dict[str, Any]) -> tuple[object, ...]:
    """Formats that know no annotator and no shapes tell labels apart by this."""
    return tuple(None if label[e] is None else round(label[e], 1) for e in BOX)


image_changes = st.fixed_dictionaries(
    {
        "path": texts
        | st.sampled_from(["a/1.png", "b/1.png", "A/1.PNG", "../../etc/x", "con.png"]),
        "split": st.sampled_from(["train", "val", "test"]),
        "captured_at": times,
    }
)
worlds = st.lists(
    st.tuples(
        image_changes,
        st.lists(label_changes(), max_size=3, unique_by=told_apart),
    ),
    min_size=1,
    max_size=5,
).filter(lambda world: any(n["kind"] != "tag" for _, labels in world for n in labels))


class Store:
    """An object store with some pictures in it, by number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = Blobs(open_store(str(folder / "store")))
        self.ids = [self.blobs.put(picture(n, width=WIDTH, height=HEIGHT)) for n in range(5)]

    def version(
        self, world: list[tuple[dict[str, Any], list[dict[str, Any]]]], task: Task
    ) -> DatasetVersion:
        images, labels = [], []
        for image_id, (image, drawn) in zip(self.ids, world, strict=False):
            images.append(image_row(image_id, **image))
            none = dict.fromkeys((*BOX, "geometry"))
            for n, changes in enumerate(drawn if task == "detection" else drawn[:1]):
                kind = {} if task == "detection" else {"kind": "class", **none}
                labels.append(label_row(image_id, n, **{**changes, **kind}))
        shutil.rmtree(self.folder / "version", ignore_errors=True)
        return write_version(self.folder / "version", images, labels, task=task)

    def export(self, version: DatasetVersion, name: str) -> Export:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return export_version(version, format=name, to=self.folder / name, blobs=self.blobs)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("exports"))


def read_back(folder: Path, name: str) -> tuple[pa.Table, dict[str, str], dict[str, Any]]:
    """Labels as the catalogue would hold them, split of each image, and facts of each image."""
    pattern = "*.tar" if name == "webdataset" else ""
    source = open_source(str(folder / pattern))
    export = read_export(source)
    parsed = parse_export(export)
    assert parsed.quarantine == ()
    found = dict(source.read_many(e.path for e in source.list() if e.path.endswith(".png")))
    ids = {path: image_id_of(data) for path, data in found.items()}
    sizes = [{"image_id": i, "width": WIDTH, "height": HEIGHT} for i in sorted({*ids.values()})]
    paths = pa.array(list(ids), pa.string())
    resolved = resolve(
        parsed,
        files=pa.table({"path": paths, "image_id": pa.array([*ids.values()], pa.string())}),
        images=pa.Table.from_pylist(sizes),
        ontology=Ontology(labels=LABELS, tags=LABELS),
    )
    # the outlines of a mask of several parts are joined by lines, which may cross them
    joins = {"self_intersection"} if name == "yolo" else set()
    assert {r.reason for r in resolved.quarantine} <= joins
    splits = official_splits(export, parsed, image_paths=paths)
    by_name = {Path(path).stem: image for path, image in ids.items()} | ids
    split_of = {by_name[image]: split for split, s in splits.items() for image in s.images}
    facts = metadata_csv(parsed, image_paths=paths)
    rows = parse_csv(facts.encode(), file="x", required=["path"]).rows.to_pylist() if facts else []
    return resolved.rows, split_of, {ids[row.pop("path")]: row for row in rows}


def expected(
    row: dict[str, Any], name: str, fields: set[str], kinds: set[str]
) -> dict[str, Any] | None:
    """A label as it must come back, by what the format holds; None for one that it leaves out."""
    kind = row["kind"]
    shape = read_shape(kind, row["geometry"]) if row["geometry"] else None
    if kind == "tag":
        return row if "tag" in fields else None
    becoming: Shape | None = shape
    if name == "yolo" and "keypoints" in kinds:  # one kind of object in a folder
        becoming = shape if kind == "keypoints" else None
    elif name == "yolo" and kinds & {"polygon", "mask"}:
        becoming = outline(row, shape)
    elif isinstance(shape, Polygon) and shape.holes and "rings" not in fields:
        becoming = mask_of_polygon(shape, (HEIGHT, WIDTH)) if "polygon" in fields else None
    elif kind == "rotated_box" and kind not in fields and "polygon" in fields:
        becoming = outline(row, shape)
    elif kind not in fields:
        becoming = None
    if becoming is None:
        return row | {"kind": "bbox", "geometry": None} if row["x_min"] is not None else row
    sizes = np.array([[WIDTH, HEIGHT]], dtype=float)
    new = next(k for k, c in SHAPES_OF.items() if isinstance(becoming, c))
    settled = settle([new], [becoming.text], sizes=sizes, scaled=np.array([False]))
    edges = dict(zip(BOX, settled.bounds[0].tolist(), strict=True))
    if kind == "keypoints" and "keypoints_box" in fields:
        edges = {}
    return row | {"kind": new, "geometry": settled.texts[0]} | edges


def outline(row: dict[str, Any], shape: Shape | None) -> Polygon:
    """What a folder of polygons makes of a shape."""
    match shape:
        case RotatedBox():
            return Polygon((shape.corners,))
        case Polygon():
            return Polygon((joined(shape),))
        case Mask():
            return Polygon((joined(polygon_of_mask(shape)),))
    left, top, right, bottom = (row[e] for e in BOX)
    return Polygon((((left, top), (right, top), (right, bottom), (left, bottom)),))


def numbers_of(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in numbers_of(value[key])]
    if isinstance(value, list):
        return [n for v in value for n in numbers_of(v)]
    return [float(value)] if isinstance(value, int | float) else []


def same(mine: dict[str, Any], theirs: dict[str, Any], held: list[str]) -> bool:
    """Whether a label came back, to a millionth of a pixel, with all that is held of it."""
    if any(mine[f] != theirs[f] for f in ("image_id", "label", "kind", *held)):
        return False
    if (mine["x_min"] is None) != (theirs["x_min"] is None):
        return False
    edges = mine["x_min"] is None or [mine[e] for e in BOX] == pytest.approx(
        [theirs[e] for e in BOX], abs=1e-6
    )
    if mine["geometry"] is None or mine["kind"] == "mask":
        return bool(edges and mine["geometry"] == theirs["geometry"])
    one, two = (numbers_of(json.loads(row["geometry"])) for row in (mine, theirs))
    return bool(edges and one == pytest.approx(two, abs=1e-6))


def check(store: Store, name: str, task: Task, world: Any) -> None:
    version = store.version(world, task)
    made = store.export(version, name)
    rows, splits, facts = read_back(made.folder, name)
    fields = set(FORMATS[name].holds[task])
    before = version.annotations.to_pylist()
    held = [f for f in ("attributes", *WORK) if f in fields]
    left = rows.to_pylist()
    for row in before:
        wanted = expected(row, name, fields, {r["kind"] for r in before})
        if wanted is not None:
            whole = row["kind"] == "tag" and name == "labelme"  # a flag says nothing else
            found = [got for got in left if same(wanted, got, [] if whole else held)]
            assert found, (wanted, left)
            left.remove(found[0])
    assert left == []
    manifest = {row["image_id"]: row for row in version.manifest.to_pylist()}
    if "unlabelled_image" not in fields:
        labelled = {row["image_id"] for row in before}
        manifest = {image: row for image, row in manifest.items() if image in labelled}
    present = {row["split"] for row in manifest.values()}
    if "train" in present and len(present) > 1:  # else nobody would call it a split
        assert splits == {image: row["split"] for image, row in manifest.items()}
    times = {i: row["captured_at"] for i, row in manifest.items() if row["captured_at"]}
    back = {i: datetime.fromisoformat(row["captured_at"]) for i, row in facts.items()}
    assert back == (times if "captured_at" in fields else {})


quick = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("name", written_formats("detection"))
@quick
@given(world=worlds)
def test_detection(name: str, store: Store, world: Any) -> None:
    check(store, name, "detection", world)


@pytest.mark.parametrize("name", written_formats("classification"))
@quick
@given(world=worlds)
def test_classification(name: str, store: Store, world: Any) -> None:
    check(store, name, "classification", world)
