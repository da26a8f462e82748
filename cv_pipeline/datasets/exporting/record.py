"""What an exported folder says of itself in ``export.json``, with the SHA-256 of each file.

With it a copy can be verified anywhere, without the store that it came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cv_pipeline.annotations.formats.registry import EXPORT_FILE, EXPORT_SCHEMA
from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import SplitName, Task


class ExportPart(BaseModel):
    """A part of ``export.json``: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExportedFile(ExportPart):
    """One file: its SHA-256 and its size in bytes."""

    sha256: str
    bytes: int


class ExportedSplit(ExportPart):
    """One split: its images and labels."""

    images: int
    labels: int


class ExportRecord(ExportPart):
    """What was exported, without times, so that the same export gives the same bytes.

    Attributes:
        schema_id: version of this layout.
        format: name of the format.
        dataset: digest of the dataset version.
        project: name of the project.
        task: detection or classification.
        with_images: whether the images are there too.
        splits: each split that was exported.
        lost: field to how many images, labels or classes have it, which the format cannot hold.
        taken_out: images that are left out because they were taken out.
        digest: SHA-256 over all of ``files``.
        files: relative path to the file, sorted; all files but ``export.json``.
    """

    schema_id: Literal["cv_pipeline-export/1"]
    format: str
    dataset: str
    project: str
    task: Task
    with_images: bool
    splits: dict[SplitName, ExportedSplit]
    lost: dict[str, int]
    taken_out: tuple[str, ...]
    digest: str
    files: dict[str, ExportedFile]


def files_digest(files: Mapping[str, ExportedFile]) -> str:
    """SHA-256 over names and contents of files, as 64 lower-case hex digits."""
    parts = (text for path, file in sorted(files.items()) for text in (path, file.sha256))
    return combined_digest(EXPORT_SCHEMA, *parts)


def write_export_record(record: ExportRecord, folder: Path) -> None:
    """Write ``export.json``; the same record gives the same bytes."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)
    (folder / EXPORT_FILE).write_text(f"{text}\n", encoding="utf-8")


def read_export_record(folder: Path) -> ExportRecord:
    """Read ``export.json``.

    Raises:
        DatasetError: it is not there, is not what this version of the code writes, was altered, or
            names a file outside the folder.
            or names a file outside the folder.
    """
    path = folder / EXPORT_FILE
    again = "Export again: cvp export DATASET --format FORMAT --to DIR"
    try:
        record = ExportRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DatasetError(f"{folder} is no export: it has no {EXPORT_FILE}.", do=again) from None
    except (OSError, ValidationError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", do=again) from error
    outside = next((p for p in record.files if p.startswith("/") or ".." in p.split("/")), None)
    if outside is not None:
        raise DatasetError(f"{path} names a file that is not in the folder: {outside}.", do=again)
    if files_digest(record.files) != record.digest:
        raise DatasetError(f"{path} was altered: its list of files has another digest.", do=again)
    return record
