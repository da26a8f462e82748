"""Copies of images that this machine keeps beside the object store: its cache and its scratch.

What is there can be made again, so a copy of an image is found by its name or its content and
removed, whoever put it there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cv_pipeline.storage.scratch import sweep


@dataclass(frozen=True)
class LocalCopies:
    """What became of the copies on this machine.

    Attributes:
        removed: files that were removed, sorted.
        in_use: scratch folders of processes that still run, or of another host, which may hold a
            staged copy until those end; sorted.
    """

    removed: tuple[Path, ...]
    in_use: tuple[Path, ...]


def remove_copies(
    home: Path, images: Mapping[str, int | None], *, projects: Iterable[str]
) -> LocalCopies:
    """Remove copies of some images from a state folder.

    Args:
        home: ``CV_HOME``; the object store in it is left alone.
        images: image id to the size of the file in bytes, None where it is not known.
        projects: projects whose unfinished work may hold a copy.
    """
    cache = home / "cache"
    # others clean the cache up too: os.walk minds no folder that vanishes
    files = sorted(Path(folder) / name for folder, _, names in os.walk(cache) for name in names)
    removed = [path for path in files if path.is_file() and _is_copy(path, cache, images)]
    for path in removed:
        path.unlink(missing_ok=True)
    in_use = [
        folder for p in sorted(set(projects)) for folder in sweep(home / "scratch", project=p)
    ]
    return LocalCopies(removed=tuple(removed), in_use=tuple(sorted(in_use)))


def _is_copy(path: Path, cache: Path, images: Mapping[str, int | None]) -> bool:
    """By its name or a folder's that it is in, or by its content where that can be one of them."""
    name = str(path.relative_to(cache))
    if any(image_id in name for image_id in images):
        return True
    sizes = images.values()
    try:
        if path.stat().st_size not in sizes and None not in sizes:
            return False
        with path.open("rb") as file:  # a cache has files larger than memory
            return hashlib.file_digest(file, "sha256").hexdigest() in images
    except FileNotFoundError:  # others clean the cache up too
        return False
