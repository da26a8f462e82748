"""What is exported comes back: for every format, all that it has a place for, to the last bit."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.formats import FORMATS, parse_export, read_export
from cv_pipeline.annotations.image_facts import metadata_csv
from cv_pipeline.annotations.official_splits import official_splits
from cv_pipeline.annotations.resolve import resolve
from cv_pipeline.annotations.values import attributes_json, pseudonym
from cv_pipeline.catalog.ingest.csv_table import parse_csv
from cv_pipeline.datasets.exporting.exports import Export, export_version, written_formats
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.project import Ontology, Task
from cv_pipeline.storage import Blobs, image_id_of, open_source, open_store
from tests.datasets.versions import LABELS, image_row, label_row, picture, write_version

WIDTH, HEIGHT = 40, 30
WORK = ("annotator", "lead_time", "created_at", "updated_at")
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
def label_changes(draw: st.DrawFn) -> dict[str, Any]:
    x_min, y_min = draw(st.floats(0, WIDTH - 1)), draw(st.floats(0, HEIGHT - 1))
    return {
        "label": draw(st.sampled_from(LABELS)),
        "x_min": x_min,
        "y_min": y_min,
        "x_max": draw(st.floats(x_min, WIDTH).filter(lambda x: x - x_min > 1e-3)),
        "y_max": draw(st.floats(y_min, HEIGHT).filter(lambda y: y - y_min > 1e-3)),
        "attributes": attributes_json(draw(st.dictionaries(names, values, max_size=3))),
        "annotator": draw(words.map(pseudonym)),
        "lead_time": draw(st.none() | st.floats(1e-3, 1e6)),
        "created_at": draw(times),
        "updated_at": draw(times),
    }


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
        st.lists(label_changes(), max_size=3, unique_by=lambda c: tuple(c[e] for e in BOX)),
    ),
    min_size=1,
    max_size=5,
).filter(lambda world: any(labels for _, labels in world))


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
            none = dict.fromkeys(BOX)
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
        ontology=Ontology(labels=LABELS),
    )
    assert resolved.quarantine == ()
    splits = official_splits(export, parsed, image_paths=paths)
    by_name = {Path(path).stem: image for path, image in ids.items()} | ids
    split_of = {by_name[image]: split for split, s in splits.items() for image in s.images}
    facts = metadata_csv(parsed, image_paths=paths)
    rows = parse_csv(facts.encode(), file="x", required=["path"]).rows.to_pylist() if facts else []
    return resolved.rows, split_of, {ids[row.pop("path")]: row for row in rows}


def held(rows: list[dict[str, Any]], fields: set[str], *, exact: bool) -> Counter[str]:
    """Labels as text, by what a format holds of them."""
    wanted = [f for f in ("attributes", *WORK) if f in fields]
    return Counter(
        json.dumps(
            [row["image_id"], row["label"]]
            + [row[edge] if exact else row[edge] and round(row[edge], 6) for edge in BOX]
            + [row[field] for field in wanted],
            default=str,
        )
        for row in rows
    )


def check(store: Store, name: str, task: Task, world: Any) -> None:
    version = store.version(world, task)
    made = store.export(version, name)
    rows, splits, facts = read_back(made.folder, name)
    fields = set(FORMATS[name].holds[task])
    before = version.annotations.to_pylist()
    if name == "yolo" and task == "detection":
        matched = zip(
            *(
                sorted(r, key=lambda x: [x["image_id"], *(round(x[e], 3) for e in BOX)])
                for r in (before, rows.to_pylist())
            ),
            strict=True,
        )
        for mine, theirs in matched:
            assert (mine["image_id"], mine["label"]) == (theirs["image_id"], theirs["label"])
            assert [mine[e] for e in BOX] == pytest.approx([theirs[e] for e in BOX], abs=1e-6)
    else:
        assert held(rows.to_pylist(), fields, exact=True) == held(before, fields, exact=True)
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
    max_examples=30,
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
