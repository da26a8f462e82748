"""Names of exported images: safe and unique anywhere, and the image's own where they can be."""

from __future__ import annotations

import hashlib
import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.file_names import LONGEST, stems_of, suffix_of, unique_names


def named(*paths: str) -> list[str]:
    marks = [hashlib.sha256(f"{n} {p}".encode()).hexdigest() for n, p in enumerate(paths)]
    return unique_names(stems_of(pa.array(paths, pa.string())), marks=marks)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("belt_1/001.jpg", "001"),
        ("IMG-2 (copy).JPG", "IMG-2_copy"),
        ("frame_0.5.png", "frame_0_5"),  # a dot would end a WebDataset's key
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\a b.tif", "a_b"),
        ("-rf.jpg", "rf"),
        (".hidden.jpg", "hidden"),
        ("日本語.png", "日本語"),
        ("a\nb\0c.png", "a_b_c"),
    ],
)
def test_a_name_keeps_what_it_can(path: str, name: str) -> None:
    assert named(path) == [name]


def test_names_that_only_some_systems_tell_apart_are_marked() -> None:
    found = named("a/1.jpg", "b/1.png", "Ä.jpg", "a\u0308.jpg", "2.jpg")
    assert [re.fullmatch(r".+-[0-9a-f]{8}", n) is not None for n in found] == [True] * 4 + [False]


@pytest.mark.parametrize("path", ["con.jpg", "a/NUL.png", "com1.tif"])
def test_a_name_of_a_device_is_marked(path: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9]+-[0-9a-f]{8}", named(path)[0])


@pytest.mark.parametrize("path", ["", "...", "/", "?.jpg"])
def test_nothing_to_keep_leaves_the_whole_mark(path: str) -> None:
    assert re.fullmatch(r"id-[0-9a-f]{64}", named(path)[0])


def test_a_name_that_looks_like_another_ones_mark() -> None:
    mark = hashlib.sha256(b"0 a/x.jpg").hexdigest()[:8]
    found = named("a/x.jpg", "b/x.jpg", f"x-{mark}.jpg")
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("path", "container", "suffix"),
    [
        ("a.JPG", "JPEG", "jpg"),
        ("a.jpeg", "JPEG", "jpeg"),
        ("a.png", "JPEG", "jpg"),  # its name lies
        ("a", "PNG", "png"),
        ("a.xyz", "DICOM", "dcm"),
        ("a.xyz", "FITS", "fits"),  # a container that is not known
    ],
)
def test_suffix(path: str, container: str, suffix: str) -> None:
    assert suffix_of(path, container=container) == suffix


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@settings(deadline=None)
@given(st.lists(texts | st.sampled_from(["a/1.png", "b/1.png", "A/1.PNG", "ß", "SS"]), max_size=8))
def test_any_paths(paths: list[str]) -> None:
    found = named(*paths)
    keys = {unicodedata.normalize("NFKC", name).casefold() for name in found}
    assert len(keys) == len(paths)
    for name in found:
        assert not re.search(r"[\s./\\:*?\"<>|\x00-\x1f]", name)
        assert not name.startswith("-")
        assert 0 < len(name.encode()) <= LONGEST + 9
    assert dict(zip(paths, found, strict=True)) == dict(zip(paths, named(*paths), strict=True))
