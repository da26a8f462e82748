"""Splits that an export declares: Pascal VOC's lists, YOLO's folders, or what is said of images."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa

from cv_pipeline.annotations.formats import ExportFiles
from cv_pipeline.annotations.raw import ParsedExport
from cv_pipeline.annotations.values import as_split
from cv_pipeline.catalog.ingest.path_matching import match_images
from cv_pipeline.errors import SourceError
from cv_pipeline.project import SplitName
from cv_pipeline.storage import open_source

_LISTS = "ImageSets/Main"


@dataclass(frozen=True)
class SplitList:
    """The images of one official split.

    Attributes:
        images: their names or paths, as a split list has them, a line each.
        url: the list itself, where the export has one; None where folders tell.
    """

    images: tuple[str, ...]
    url: str | None


def official_splits(
    export: ExportFiles, parsed: ParsedExport, *, image_paths: pa.Array
) -> dict[SplitName, SplitList]:
    """Return the splits that an export declares; empty when it declares none.

    Args:
        export: the export's files.
        parsed: what they say.
        image_paths: paths in the source of the images.
    """
    if parsed.format == "pascal_voc":
        return _voc_splits(export)
    stated = _stated(parsed)
    matches = match_images(
        pa.array([path for path, _ in stated], pa.string()),
        files=pa.table({"path": image_paths, "image_id": image_paths}),
    )
    members: dict[SplitName, set[str]] = {}
    for (_, split), image in zip(stated, matches.image_ids.to_pylist(), strict=True):
        if image is not None:
            members.setdefault(split, set()).add(image)
    if "train" not in members or len(members) < 2:
        return {}
    return {split: SplitList(tuple(sorted(m)), None) for split, m in sorted(members.items())}


def _stated(parsed: ParsedExport) -> list[tuple[str, SplitName]]:
    """Images, as the export names them, and the splits that they are said to be in.

    In YOLO's ``images/train/…`` or ``train/images/…`` the last folder with a split's name counts.
    """
    if parsed.format == "yolo":
        folders = {p: [as_split(f) for f in PurePosixPath(p).parts[:-1]] for p in parsed.images}
        named = {path: [f for f in found if f] for path, found in folders.items()}
        return [(path, found[-1]) for path, found in named.items() if found]
    paths, splits = (parsed.facts[name].to_pylist() for name in ("image_path", "split"))
    return [(path, split) for path, split in zip(paths, splits, strict=True) if split]


def _voc_splits(export: ExportFiles) -> dict[SplitName, SplitList]:
    """The lists of ``ImageSets/Main``, in the export or beside it."""
    lists = {
        PurePosixPath(path).stem: (_inside(export.url, path), data)
        for path, data in export.files.items()
        if path.endswith(".txt") and posixpath.dirname(f"/{path}").endswith(f"/{_LISTS}")
    }
    return _from_lists(lists or _lists_beside(export.url))


def _lists_beside(url: str) -> dict[str, tuple[str, bytes]]:
    outer, mark, inner = url.partition("!")
    if mark:
        beside = f"{outer}!{posixpath.join(posixpath.dirname(inner), _LISTS)}"
    else:
        beside = posixpath.join(posixpath.dirname(url), _LISTS)
    try:
        source = open_source(beside)
        paths = [e.path for e in source.list() if e.path.endswith(".txt") and "/" not in e.path]
        files = dict(source.read_many(paths))
    except SourceError:
        return {}  # most exports have no lists: that is nothing to report
    return {PurePosixPath(p).stem: (_inside(source.url, p), data) for p, data in files.items()}


def _from_lists(lists: Mapping[str, tuple[str, bytes]]) -> dict[SplitName, SplitList]:
    """Lists of one class, such as ``dog_train``, are none of ours."""
    found: dict[SplitName, SplitList] = {}
    wanted: dict[SplitName, tuple[str, ...]] = {
        "train": ("train", "trainval"),
        "val": ("val",),
        "test": ("test",),
    }
    for split, stems in wanted.items():
        stem = next((s for s in stems if s in lists), None)
        if stem is None:
            continue
        url, data = lists[stem]
        lines = data.decode("utf-8-sig", "replace").splitlines()
        images = tuple(line.strip() for line in lines if line.strip())
        if images:
            found[split] = SplitList(images, url)
    return found if "train" in found and len(found) > 1 else {}


def _inside(url: str, path: str) -> str:
    """URL of a file of a source, as ``open_source`` takes it."""
    is_archive = "!" not in url and url.lower().endswith((".tar.gz", ".tgz", ".tar", ".zip"))
    return f"{url}{'!' if is_archive else '/'}{path}"
