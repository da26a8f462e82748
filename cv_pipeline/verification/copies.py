"""A folder that left the store, verified by what it says of itself.

An export lists every file with its SHA-256 in ``export.json``; the copy of a dataset version has
its digest in ``dataset.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cv_pipeline.annotations.formats.registry import EXPORT_FILE
from cv_pipeline.datasets.exporting.record import ExportedFile, read_export_record
from cv_pipeline.datasets.record import DATASET_FILE
from cv_pipeline.errors import DatasetError
from cv_pipeline.storage.read_ahead import read_ahead
from cv_pipeline.verification.published import KINDS, verify_folder
from cv_pipeline.verification.report import Problem, Progress, Report

_READERS = 4


def verify_copy(folder: Path, *, progress: Progress) -> Report:
    """Verify an exported folder, or the copy of a dataset version.

    Args:
        folder: the folder.
        progress: told of every file.

    Raises:
        DatasetError: it is neither, or its own list of files was altered.
    """
    if (folder / EXPORT_FILE).is_file():
        return _verify_export(folder, progress)
    if (folder / DATASET_FILE).is_file():
        kind = KINDS["datasets"]
        do = "Copy it again from the store."
        return verify_folder(folder, kind, name=kind.name_of(folder), do=do)
    raise DatasetError(
        f"{folder} says nothing of itself: it has neither {EXPORT_FILE} nor {DATASET_FILE}.",
        do="Name a folder that cvp export made, or the copy of a dataset version.",
    )


def _verify_export(folder: Path, progress: Progress) -> Report:
    record = read_export_record(folder)
    do = (
        f"Copy it again, or make a new one: cvp export {record.project}@{record.dataset[:12]}"
        f" --format {record.format} --to DIR"
    )
    problems = [
        Problem("file", path, f"{path} is not listed in {EXPORT_FILE}.", "Move it away.")
        for path in _extra(folder, record.files)
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        results = read_ahead(
            record.files.items(),
            lambda item: (item[0], _differs(folder / item[0], item[1])),
            size=lambda _: 1,  # a file is read in blocks
            pool=pool,
        )
        for number, (path, what) in enumerate(results, start=1):
            if what:
                problems.append(Problem("file", path, f"{path} {what}.", do))
            progress(number, len(record.files), "files")
    return Report({"files": len(record.files)}, tuple(problems), record.taken_out)


def _differs(path: Path, expected: ExportedFile) -> str:
    """How a file differs from what is listed; empty when it does not."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if found == expected.sha256:
        return ""
    size = path.stat().st_size
    return f"was altered: it has {size} bytes and hashes to {found}, not to {expected.sha256}"


def _extra(folder: Path, listed: dict[str, ExportedFile]) -> Iterator[str]:
    """Files that are there and not listed, sorted."""
    for path in sorted(p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()):
        name = path.relative_to(folder).as_posix()
        if name not in listed and name != EXPORT_FILE:
            yield name
