from __future__ import annotations

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.schemas import FILES, IMAGES
from cv_pipeline.catalog.snapshot import open_snapshot
from cv_pipeline.catalog.snapshot.look_up import find_image, find_images
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import QueryError
from cv_pipeline.storage import open_store
from tests.catalog.event_lake import rows_of

IDS = ["ab" * 32, "abababab" + "0" * 56, "cd" * 32, "ef" * 32]
PATHS = ["a.jpg", "deadbeef", "a.jpg", "cdcdcdcdc"]


@pytest.fixture
def catalog(catalog: Catalog) -> Catalog:
    images = [{"image_id": i, "path": p} for i, p in zip(IDS, PATHS, strict=True)]
    catalog.table("images").merge(rows_of(IMAGES, images), on=["image_id"])
    files = [{"image_id": IDS[2], "path": "copy.jpg"}, {"image_id": "gone", "path": "old.jpg"}]
    catalog.table("files").merge(rows_of(FILES, files), on=["path"])
    return catalog


@pytest.mark.parametrize(
    ("ref", "image_id"),
    [
        (IDS[2], IDS[2]),
        (IDS[2].upper(), IDS[2]),
        ("cdcdcdcd", IDS[2]),
        ("cdcdcdcdc", IDS[2]),  # a prefix comes before a path
        ("abababab0", IDS[1]),
        ("deadbeef", IDS[1]),  # a path that looks like a prefix, which fits none
        ("copy.jpg", IDS[2]),
    ],
)
def test_what_a_reference_means(catalog: Catalog, ref: str, image_id: str) -> None:
    snapshot = open_snapshot(catalog)
    number = find_image(snapshot, catalog, ref)
    assert snapshot.images["image_id"][number].as_py() == image_id
    others = find_images(snapshot, catalog, [IDS[1], ref, IDS[0], ref])
    assert others.tolist() == [0, number, 1, number]


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("abababab", "fits several"),
        ("a.jpg", "fits several"),
        ("cdcdcdc", "no image"),  # a prefix has eight characters
        ("old.jpg", "no image"),
        ("", "no image"),
    ],
)
def test_what_means_no_image_or_several(catalog: Catalog, ref: str, message: str) -> None:
    snapshot = open_snapshot(catalog)
    with pytest.raises(QueryError, match=message):
        find_image(snapshot, catalog, ref)
    with pytest.raises(QueryError, match=message):
        find_images(snapshot, catalog, [IDS[0], ref])


@settings(deadline=None, max_examples=10)
@given(paths=st.lists(st.text(max_size=3), max_size=8), wanted=st.text(max_size=3))
def test_any_path_is_found(paths: list[str], wanted: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(open_store(folder), "fruit")
        rows = [{"image_id": f"{n:064x}", "path": path} for n, path in enumerate(paths)]
        catalog.table("images").merge(rows_of(IMAGES, rows), on=["image_id"])
        snapshot = open_snapshot(catalog)
        for path in {*paths, wanted}:
            if paths.count(path) == 1:
                number = paths.index(path)
                assert find_image(snapshot, catalog, path) == number
                assert find_images(snapshot, catalog, [path]).tolist() == [number]
            else:
                with pytest.raises(QueryError, match=r"no image|fits several"):
                    find_image(snapshot, catalog, path)


def test_no_references(catalog: Catalog) -> None:
    assert find_images(open_snapshot(catalog), catalog, []).tolist() == []
