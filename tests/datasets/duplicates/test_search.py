"""The table of near-duplicates is that of the images, however and in whatever order they came."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas import TABLES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.duplicates import hash_index, hash_pairs
from cv_pipeline.datasets.duplicates import search as duplicate_search
from cv_pipeline.datasets.duplicates.search import (
    DuplicatesReport,
    read_pairs,
    search_near_duplicates,
)
from cv_pipeline.errors import DatasetError
from cv_pipeline.imaging.perceptual import phash
from cv_pipeline.storage import open_store

KEYS = [("image_a", "ascending"), ("image_b", "ascending")]


def smooth_picture(seed: int) -> NDArray[np.float32]:
    coarse = np.random.default_rng(seed).uniform(0, 255, (7, 7))
    line = np.clip(1 - np.abs(np.linspace(0, 6, 32)[:, None] - np.arange(7)), 0, None)
    return (line @ coarse @ line.T).astype(np.float32)


def variant(seed: int, how: int) -> NDArray[np.uint8]:
    """A picture, or a noisy, mirrored or cropped copy of it."""
    picture = smooth_picture(seed)
    if how % 4 == 2:
        picture = picture[:, ::-1]
    if how % 4 == 3:
        picture = np.kron(picture, np.ones((4, 4)))[6:122, 4:126]
        rows, columns = (np.linspace(0, side - 1, 32).astype(int) for side in picture.shape)
        picture = picture[rows][:, columns]
    noise = np.random.default_rng(1000 * seed + how).normal(0, 1, (32, 32))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


PICTURES = [variant(seed, how) for seed in range(6) for how in range(8)]
IDS = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in PICTURES]


def add(catalog: Catalog, numbers: list[int]) -> None:
    """Put pictures into the tables that a search reads."""
    stack = np.stack([PICTURES[n] for n in numbers])
    columns = {
        "image_id": [IDS[n] for n in numbers],
        "phash": phash(stack),
        "phash_mirrored": phash(stack[:, :, ::-1]),
        "thumbnail": [picture.tobytes() for picture in stack],
        "descriptor": [[1.0] + [0.0] * 63] * len(numbers),
    }
    for name in ("image_features", "images", "signatures"):
        rows = {
            field.name: columns[field.name]
            if field.name in columns
            else _blanks(field, len(numbers))
            for field in TABLES[name]
        }
        catalog.table(name).insert(pa.table(rows, schema=TABLES[name]), on=["image_id"])


def _blanks(field: pa.Field, count: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(count, field.type)
    return pa.array([""] * count if field.type == pa.string() else [0] * count, field.type)


def search(catalog: Catalog, distance: int = 6) -> DuplicatesReport:
    return search_near_duplicates(
        catalog, distance=distance, progress=lambda done, total, what: None
    )


def pairs(catalog: Catalog) -> pa.Table:
    return catalog.table("near_duplicates").read().sort_by(KEYS)


def lake(folder: Path, *parts: list[int]) -> Catalog:
    """A lake into which pictures came in parts, with a search after each."""
    catalog = Catalog(open_store(str(folder)), "fruit")
    for part in parts:
        if part:
            add(catalog, part)
        search(catalog)
    return catalog


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return lake(tmp_path_factory.mktemp("once"), list(range(len(PICTURES))))


@pytest.fixture
def small_crowds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_pairs, "CROWD", 3)
    monkeypatch.setattr(hash_pairs, "NEXT", 1)
    monkeypatch.setattr(hash_index, "NEIGHBOURS", 2)


def test_copies_of_each_picture_are_found(at_once: Catalog) -> None:
    found = pairs(at_once)
    assert found.schema == TABLES["near_duplicates"]
    sources = [
        {IDS.index(row[end]) // 8 for end in ("image_a", "image_b")} for row in found.to_pylist()
    ]
    assert all(len(source) == 1 for source in sources)
    assert len({next(iter(source)) for source in sources}) == 6
    assert set(found["kind"].to_pylist()) == {"same", "mirrored", "cropped", "cropped_mirrored"}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(len(PICTURES))), cuts=st.sets(st.integers(0, 47), max_size=3))
def test_the_order_of_arrival_does_not_matter(
    at_once: Catalog,
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int],
    cuts: set[int],
) -> None:
    edges = [0, *sorted(cuts), len(order)]
    parts = [list(order[a:b]) for a, b in pairwise(edges)]
    grown = lake(tmp_path_factory.mktemp("grown"), *parts)
    assert pairs(grown) == pairs(at_once)
    assert search(grown).digest == search(at_once).digest


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(len(PICTURES))), cut=st.integers(1, 47))
def test_nor_among_more_look_alikes_than_are_compared_with_each_other(
    small_crowds: None, tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int
) -> None:
    once = lake(tmp_path_factory.mktemp("once"), list(order))
    grown = lake(tmp_path_factory.mktemp("grown"), list(order[:cut]), list(order[cut:]))
    assert pairs(grown) == pairs(once)


def test_an_unchanged_lake_is_not_searched_again(tmp_path: Path) -> None:
    catalog = lake(tmp_path, [0, 1, 8])
    first = search(catalog)
    assert (first.searched, first.pairs, first.kinds) == (0, 1, {"same": 1})
    assert search(catalog) == first


def test_a_search_that_was_killed_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: Catalog
) -> None:
    catalog = lake(tmp_path, list(range(20)))
    add(catalog, list(range(20, len(PICTURES))))
    with monkeypatch.context() as killed:
        killed.setattr(duplicate_search, "_mark", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(catalog)
    assert pairs(catalog) == pairs(at_once)  # all is written, but does not count yet
    assert search(catalog).searched == len(PICTURES) - 20
    assert pairs(catalog) == pairs(at_once)


def test_another_distance_searches_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: Catalog
) -> None:
    catalog = lake(tmp_path, list(range(len(PICTURES))))
    narrow = search(catalog, distance=1)
    assert narrow.searched == len(PICTURES)
    assert max(pairs(catalog)["distance"].to_pylist()) <= 1
    with monkeypatch.context() as killed:
        killed.setattr(duplicate_search, "_mark", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search(catalog, distance=6)
    # pairs of either distance are in the table now, so that going back must search, too
    assert search(catalog, distance=1).searched == len(PICTURES)
    assert search(catalog, distance=1).digest == narrow.digest
    assert search(catalog, distance=6).digest == search(at_once).digest


def test_two_searches_at_once_miss_no_pair_of_each_others_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: Catalog
) -> None:
    catalog = lake(tmp_path, list(range(10)))
    add(catalog, list(range(10, 30)))
    mark, marks = duplicate_search._mark, []

    def other_run_is_faster(catalog: Catalog, new: pa.Array, distance: int) -> None:
        marks.append(len(new))
        if len(marks) == 1:  # it saw only what it added itself
            later = list(range(30, len(PICTURES)))
            add(catalog, later)
            mark(catalog, pa.array([IDS[n] for n in later]), distance)
        mark(catalog, new, distance)

    monkeypatch.setattr(duplicate_search, "_mark", other_run_is_faster)
    search(catalog)
    assert marks == [20, 20]
    mine = set(IDS[:30])
    theirs = {tuple(row.values()) for row in pairs(at_once).to_pylist()}
    here = {tuple(row.values()) for row in pairs(catalog).to_pylist()}
    assert here == {p for p in theirs if mine & {p[0], p[1]}}


def test_pairs_of_an_image_that_was_taken_out_stay_and_harm_nothing(tmp_path: Path) -> None:
    catalog = lake(tmp_path, [0, 1, 2])
    before = pairs(catalog)
    catalog.table("signatures").delete(pa.compute.field("image_id") == IDS[0])
    assert search(catalog).searched == 0
    add(catalog, [4, 5])
    catalog.table("signatures").delete(pa.compute.field("image_id") == IDS[0])
    assert search(catalog).searched == 2
    kept = set(map(tuple, (row.values() for row in before.to_pylist())))
    assert kept <= set(map(tuple, (row.values() for row in pairs(catalog).to_pylist())))


def test_an_empty_lake(tmp_path: Path) -> None:
    report = search(lake(tmp_path))
    assert (report.pairs, report.searched) == (0, 0)
    assert report.table_versions == {"duplicate_searches": 0, "near_duplicates": 0}


def test_pairs_are_read_among_some_images_and_to_a_distance(at_once: Catalog) -> None:
    versions = search(at_once).table_versions
    some = pa.array(sorted(IDS[:8]))
    found = read_pairs(at_once, some, distance=6, versions=versions)
    assert set(found["image_a"].to_pylist() + found["image_b"].to_pylist()) <= set(IDS[:8])
    assert found == found.sort_by(KEYS)
    nearer = read_pairs(at_once, some, distance=0, versions=versions)
    assert set(nearer["distance"].to_pylist()) == {0}


def test_images_that_were_not_searched_are_an_error(at_once: Catalog) -> None:
    versions = search(at_once).table_versions
    with pytest.raises(DatasetError, match="1 of the 2 selected images of fruit were not searched"):
        read_pairs(at_once, pa.array([IDS[0], "0" * 64]), distance=6, versions=versions)
    with pytest.raises(DatasetError, match=r"distance of 7.* Run: cvp run fruit"):
        read_pairs(at_once, pa.array([IDS[0]]), distance=7, versions=versions)
    with pytest.raises(DatasetError, match="were not searched"):
        read_pairs(
            at_once, pa.array([IDS[0]]), distance=6, versions={**versions, "duplicate_searches": 0}
        )
