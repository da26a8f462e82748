"""A folder that appears whole: made under another name, and renamed when it is complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(out: Path) -> Iterator[tuple[Path, Path]]:
    """Give a working folder, and a folder in it that becomes ``out`` at the end.

    After an error nothing is at ``out``, nor beside it. What a killed process left beside ``out``
    stays until the same ``out`` is made again, or until the folder that it lies in is removed.

    Args:
        out: the folder to make.
    """
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    folder = partial / "folder"
    folder.mkdir(parents=True)
    try:
        yield partial, folder
        folder.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
