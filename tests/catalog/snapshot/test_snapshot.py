from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.actor import is_person
from cv_pipeline.catalog.lake import current_metadata, current_tags
from cv_pipeline.catalog.schemas import (
    ANNOTATIONS,
    IMAGE_FEATURES,
    IMAGE_METADATA,
    IMAGE_TAGS,
    IMAGES,
    TAKEOUTS,
)
from cv_pipeline.catalog.snapshot import TABLES_READ, Snapshot, open_snapshot, relations
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CatalogError
from cv_pipeline.storage import ObjectStore, open_store
from tests.catalog.event_lake import DAY, rows_of

Row = dict[str, Any]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def add_images(catalog: Catalog, *ids: str) -> int:
    rows = [{"image_id": i, "path": f"{i}.jpg"} for i in ids]
    return catalog.table("images").merge(rows_of(IMAGES, rows), on=["image_id"])


def add_tags(catalog: Catalog, *tags: tuple[str, str], actor: str = "anna") -> int:
    rows = [{"image_id": i, "tag": t, "present": True, "actor": actor} for i, t in tags]
    return catalog.table("image_tags").append(rows_of(IMAGE_TAGS, [r | {"at": DAY} for r in rows]))


def add_annotations(catalog: Catalog, *rows: Row) -> int:
    made = [{"annotation_id": f"{n}", "attributes": "{}"} | row for n, row in enumerate(rows)]
    return catalog.table("annotations").merge(rows_of(ANNOTATIONS, made), on=["annotation_id"])


def facts(snapshot: Snapshot, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(snapshot.images[name].to_pylist() for name in names), strict=True))


def test_the_relations_have_the_columns_that_statements_are_written_for(
    catalog: Catalog, cache: Path
) -> None:
    empty = open_snapshot(catalog, cache=cache)
    assert empty.table_versions == dict.fromkeys(TABLES_READ, 0)
    add_images(catalog, "b", "a")
    add_tags(catalog, ("a", "x"))
    add_annotations(catalog, {"image_id": "a", "label": "l", "annotator": "anna"})
    for snapshot in (empty, open_snapshot(catalog, cache=cache)):
        for name, table in snapshot.relations().items():
            schema = getattr(relations, name.upper())
            assert table.schema.names == schema.names
            for field in table.schema:
                kind = field.type
                kind = kind.value_type if pa.types.is_dictionary(kind) else kind
                assert kind == schema.field(field.name).type, (name, field)


def test_an_image_is_numbered_by_its_id_and_has_all_that_is_known(
    catalog: Catalog, cache: Path
) -> None:
    add_images(catalog, "b", "c", "a")
    features = {"image_id": "b", "phash": 2**64 - 1, "brightness": 0.5, "thumbnail": bytes(1024)}
    blank = {n: 0 for n in IMAGE_FEATURES.names if n in ("phash_mirrored",)}
    blank |= dict.fromkeys(("contrast", "sharpness", "saturation", "hue"), 0.25)
    columns = {f.name: [(blank | features).get(f.name)] for f in IMAGE_FEATURES}
    catalog.table("image_features").merge(pa.table(columns, IMAGE_FEATURES), on=["image_id"])
    taken_out = [{"image_id": "c", "at": DAY}, {"image_id": "unknown", "at": DAY}]
    catalog.table("takeouts").merge(rows_of(TAKEOUTS, taken_out), on=["image_id"])
    snapshot = open_snapshot(catalog, cache=cache)
    assert facts(snapshot, "n", "image_id", "path", "brightness", "phash", "taken_out_at") == [
        (0, "a", "a.jpg", None, None, None),
        (1, "b", "b.jpg", 0.5, 2**64 - 1, None),
        (2, "c", "c.jpg", None, None, DAY),
    ]
    assert facts(snapshot, "taken_out", "tags_count", "annotations_count", "disagreement") == [
        (False, 0, 0, 0.0),
        (False, 0, 0, 0.0),
        (True, 0, 0, 0.0),
    ]


def test_what_people_did_counts_and_gold_labels_are_nobodys(catalog: Catalog, cache: Path) -> None:
    add_images(catalog, "a", "b", "c")
    add_tags(catalog, ("a", "x"), ("a", "y"), actor="anna")
    add_tags(catalog, ("b", "x"), actor="auto:blur")
    add_annotations(
        catalog,
        *({"image_id": "a", "label": lab, "annotator": who} for lab, who in ("kb", "kb", "lc")),
        {"image_id": "b", "label": "k", "annotator": "model:v1"},
        {"image_id": "c", "label": "k", "annotator": "gold"},
        {"image_id": "c", "label": "l", "annotator": "anna"},
        {"image_id": "elsewhere", "label": "l", "annotator": "anna"},
    )
    counts = ("tags_count", "annotations_count", "labels_count", "annotators_count")
    assert facts(open_snapshot(catalog, cache=cache), *counts, "disagreement") == [
        (4, 3, 2, 2, 0.5),
        (0, 1, 1, 1, 0.0),
        (2, 2, 2, 1, 0.0),
    ]


def folders(cache: Path) -> dict[str, int]:
    """Part name to how many of it lie in the cache."""
    return Counter(p.parent.name.rpartition("-")[0] for p in cache.glob("*/*/part.json"))


def test_new_tags_lead_to_a_new_part_of_tags_and_nothing_else(
    catalog: Catalog, cache: Path
) -> None:
    add_images(catalog, "a", "b")
    before = open_snapshot(catalog, cache=cache)
    assert set(folders(cache).values()) == {1}
    add_tags(catalog, ("a", "x"))
    after = open_snapshot(catalog, cache=cache)
    assert {name for name, count in folders(cache).items() if count == 2} == {"tags"}
    assert facts(before, "tags_count") == [(0,), (0,)]
    assert facts(after, "tags_count") == [(1,), (0,)]
    catalog.table("images").merge(
        rows_of(IMAGES, [{"image_id": "a", "path": "moved.jpg"}]), on=["image_id"]
    )
    moved = open_snapshot(catalog, cache=cache)
    assert facts(moved, "path") == [("moved.jpg",), ("b.jpg",)]
    assert {name for name, count in folders(cache).items() if count == 2} == {"images", "tags"}


def test_an_earlier_version_is_shown_as_it_was(catalog: Catalog, cache: Path) -> None:
    add_images(catalog, "b")
    add_tags(catalog, ("b", "x"))
    before = open_snapshot(catalog, cache=cache)
    add_images(catalog, "a")
    add_tags(catalog, ("a", "x"), ("b", "y"))
    assert facts(open_snapshot(catalog, cache=cache), "image_id", "tags_count") == [
        ("a", 1),
        ("b", 2),
    ]
    again = open_snapshot(catalog, table_versions=before.table_versions, cache=cache)
    assert again.images.equals(before.images)
    partly = open_snapshot(catalog, table_versions={"image_tags": 0}, cache=cache)
    assert facts(partly, "image_id", "tags_count") == [("a", 0), ("b", 0)]


def test_a_version_that_was_cleaned_up_is_an_error_even_if_it_was_shown_before(
    catalog: Catalog, cache: Path
) -> None:
    add_images(catalog, "a")
    gone = add_tags(catalog, ("a", "x"))
    open_snapshot(catalog, cache=cache)
    latest = add_tags(catalog, ("a", "y"))
    catalog.table("image_tags").cleanup(older_than=dt.timedelta(0))
    with pytest.raises(
        CatalogError, match=rf"Version {gone} of table image_tags .*\(0, {latest}\)"
    ):
        open_snapshot(catalog, table_versions={"image_tags": gone}, cache=cache)


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_file_of_a_table_that_is_lost_or_damaged(
    catalog: Catalog, cache: Path, damage: str
) -> None:
    add_images(catalog, "a")
    add_tags(catalog, ("a", "x"))
    [file] = Path(catalog.store.url).glob("projects/fruit/catalog/image_tags.lance/data/*")
    data = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(data[:10])
    with pytest.raises(CatalogError, match=r"Version 2 of table image_tags cannot be read"):
        open_snapshot(catalog, cache=cache)
    assert "tags" not in folders(cache)


def test_a_store_that_was_made_anew_is_not_taken_for_the_old_one(
    catalog: Catalog, cache: Path
) -> None:
    add_images(catalog, "a")
    assert facts(open_snapshot(catalog, cache=cache), "image_id") == [("a",)]
    shutil.rmtree(catalog.store.url)
    add_images(catalog, "b")
    assert facts(open_snapshot(catalog, cache=cache), "image_id") == [("b",)]


def test_it_does_not_depend_on_the_order_or_the_commits_that_rows_came_in(tmp_path: Path) -> None:
    images = [f"{n:02x}" for n in range(20)]
    tags = [(i, tag) for i in images[::2] for tag in ("x", "y")]
    annotations = [
        {"annotation_id": f"{n}", "image_id": images[n % 15], "label": f"l{n % 4}"}
        | {"annotator": f"a{n % 3}", "attributes": "{}"}
        for n in range(60)
    ]
    shown = []
    for seed in range(3):
        order = Random(seed)
        catalog = Catalog(open_store(str(tmp_path / f"store{seed}")), "fruit")
        for rows, add in (
            (images, add_images),
            (tags, add_tags),
            (annotations, add_annotations),
        ):
            shuffled = order.sample(rows, len(rows))
            for start in range(0, len(rows), 7 + seed):
                add(catalog, *shuffled[start : start + 7 + seed])
        snapshot = open_snapshot(catalog, cache=tmp_path / f"cache{seed}")
        shown.append({name: t.to_pylist() for name, t in snapshot.relations().items()})
    assert shown[0] == shown[1] == shown[2]


def test_a_lake_in_a_bucket(s3_store: ObjectStore, cache: Path) -> None:
    catalog = Catalog(s3_store, "fruit")
    add_images(catalog, "b", "a")
    before = open_snapshot(catalog, cache=cache)
    add_tags(catalog, ("a", "x"))
    assert facts(open_snapshot(catalog, cache=cache), "tags_count") == [(1,), (0,)]
    again = open_snapshot(catalog, table_versions=before.table_versions, opened=before)
    assert again is before


IDS = st.sampled_from("abcd")
UNKNOWN = st.sampled_from("abcdz")
WHEN = st.integers(0, 3).map(lambda n: DAY + dt.timedelta(days=n))
ACTORS = st.sampled_from(["anna", "ben", "source", "gold", "auto:x", "model:y"])
WORDS = st.sampled_from(["x", "y", ""])


@settings(deadline=None, max_examples=20)
@given(
    images=st.sets(IDS, min_size=1),
    metadata=st.lists(
        st.tuples(UNKNOWN, st.sampled_from("kl"), st.none() | WORDS, ACTORS, WHEN), max_size=10
    ),
    tags=st.lists(st.tuples(UNKNOWN, WORDS, st.booleans(), ACTORS, WHEN), max_size=10),
    annotations=st.lists(st.tuples(UNKNOWN, WORDS, ACTORS), max_size=12),
)
def test_it_agrees_with_the_events_and_with_plain_python(
    images: set[str],
    metadata: list[tuple[str, str, str | None, str, dt.datetime]],
    tags: list[tuple[str, str, bool, str, dt.datetime]],
    annotations: list[tuple[str, str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(open_store(f"{folder}/store"), "fruit")
        add_images(catalog, *images)
        for name, schema, rows in (
            ("image_metadata", IMAGE_METADATA, metadata),
            ("image_tags", IMAGE_TAGS, tags),
        ):
            made = [dict(zip(schema.names, row, strict=True)) for row in rows]
            catalog.table(name).append(pa.Table.from_pylist(made, schema))
        add_annotations(
            catalog,
            *({"image_id": i, "label": lab, "annotator": who} for i, lab, who in annotations),
        )
        snapshot = open_snapshot(catalog, cache=Path(folder) / "cache")
        ids = snapshot.images["image_id"].to_pylist()
        assert ids == sorted(images)
        for table, expected in (
            (snapshot.metadata, current_metadata(catalog)),
            (snapshot.tags, current_tags(catalog)),
        ):
            rows = [{"image_id": ids[row.pop("n")], **row} for row in table.to_pylist()]
            assert rows == [row for row in expected.to_pylist() if row["image_id"] in images]
        for row in snapshot.images.to_pylist():
            check_counts(row, tags, annotations)


def check_counts(
    row: Row,
    tags: list[tuple[str, str, bool, str, dt.datetime]],
    annotations: list[tuple[str, str, str]],
) -> None:
    """Whether the counts of one image are what its events and annotations come to."""
    own = [(label, who) for image, label, who in annotations if image == row["image_id"]]
    answers: dict[str, list[str]] = {}
    for label, who in own:
        if who != "gold":
            answers.setdefault(who, []).append(label)
    alike = Counter(tuple(sorted(labels)) for labels in answers.values())
    several = len(answers) > 1
    latest: dict[str, tuple[Any, ...]] = {}
    for image, tag, present, actor, at in tags:
        if image == row["image_id"]:
            # later first, then present before removed, then by actor
            key = (-at.timestamp(), not present, actor)
            latest[tag] = min(latest.get(tag, (key, present, actor)), (key, present, actor))
    by_people = sum(present and is_person(actor) for _, present, actor in latest.values())
    assert row["annotations_count"] == len(own)
    assert row["labels_count"] == len({label for label, _ in own})
    assert row["annotators_count"] == len(answers)
    assert row["tags_count"] == by_people + len({lab for lab, who in own if is_person(who)})
    expected = 1 - max(alike.values()) / len(answers) if several else 0
    assert row["disagreement"] == pytest.approx(expected)
