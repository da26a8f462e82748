from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.ingest.path_matching import match_images

FILES = {
    "a/b/x.jpg": "1",
    "c/x.jpg": "2",
    "d/y.png": "3",
    "one.jpg": "4",
    "e/same.jpg": "4",
    "z.v2.jpg": "5",
    "f/twin.tif": "6",
    "f/twin.jpg": "7",
    "f/caf\u00e9.jpg": "8",
}


def files(paths: dict[str, str]) -> pa.Table:
    return pa.table({"path": list(paths), "image_id": list(paths.values())})


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        ("a/b/x.jpg", "1"),  # as it is
        ("/home/ann/a/b/x.jpg", "1"),  # from a root further up
        ("b/x.jpg", "1"),  # from a root further down
        ("b\\x.jpg", "1"),  # from Windows
        ("./c//./x.jpg", "2"),
        ("../c/x.jpg", "2"),
        ("y.png", "3"),
        ("elsewhere/y.png", "3"),  # a name that is there only once
        ("d/y.jpg", "3"),  # converted since
        ("y.*", "3"),
        ("images/z.v2.*", "5"),
        ("z.v2", "5"),
        ("same.jpg", "4"),
        ("f/cafe\u0301.jpg", "8"),  # the same letter in two pieces
        ("f/twin.jpg", "7"),
        ("nowhere.jpg", None),
        ("b/y.x", "3"),
        ("", None),
    ],
)
def test_path_of_an_export_means_one_image(path, image_id):
    matches = match_images(pa.array([path]), files=files(FILES))

    assert matches.image_ids.to_pylist() == [image_id]
    assert matches.ambiguous.tolist() == [False]


@pytest.mark.parametrize("path", ["x.jpg", "twin.*", "f/twin.png"])
def test_path_that_could_mean_several_images_means_none(path):
    matches = match_images(pa.array([path]), files=files(FILES))

    assert matches.image_ids.to_pylist() == [None]
    assert matches.ambiguous.tolist() == [True]


def test_folders_count_when_the_export_uses_a_file_name_twice():
    paths = ["cam_1/n.jpg", "cam_2/n.jpg"]

    matches = match_images(pa.array(paths), files=files({"cam_2/n.jpg": "2"}))

    assert matches.image_ids.to_pylist() == [None, "2"]


def test_no_paths_and_no_files():
    assert match_images(pa.array([], pa.string()), files=files(FILES)).image_ids.to_pylist() == []
    empty = pa.table({"path": pa.array([], pa.string()), "image_id": pa.array([], pa.string())})
    assert match_images(pa.array(["a"]), files=empty).image_ids.to_pylist() == [None]


parts = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)
paths = st.lists(parts.map("/".join), min_size=1, max_size=12, unique=True)


@settings(deadline=None)
@given(known=paths)
def test_every_file_is_found_by_its_own_path_from_any_root(known):
    table = files({path: path for path in known})

    assert match_images(pa.array(known), files=table).image_ids.to_pylist() == known
    deep = [f"/deep/of/{path}" for path in known]
    found = match_images(pa.array(deep), files=table).image_ids.to_pylist()
    # the longest end counts, so nothing shorter can stand in its way
    assert found == known
