"""The difference of two dataset versions, worked out once and then read from disk a page at a time.

Both versions are immutable, so what was found is kept below ``CV_HOME`` by their digests.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ValidationError

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.differences.difference import (
    counts,
    difference,
    plain_reasons,
    reasons,
)
from cv_pipeline.datasets.record import DATASET_FILE
from cv_pipeline.datasets.version import DatasetVersion, load_version
from cv_pipeline.inspector.jobs import Job, Progress, jobs_of
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.storage.folders import fetch

LAYOUT = 1
What = Literal["images", "labels"]

_PLAIN = "plain_reason"
_SUMMARY = "summary.json"


class Reason(BaseModel):
    """How many changes of one kind have one reason."""

    change: str
    reason: str
    count: int


class Summary(BaseModel):
    """How two versions differ, in numbers."""

    images: dict[str, int]
    labels: dict[str, int]
    image_reasons: list[Reason]
    label_reasons: list[Reason]
    rules: list[str]
    note: str

    def counts_of(self, what: What) -> dict[str, int]:
        """Changes of each kind."""
        return self.images if what == "images" else self.labels

    def reasons_of(self, what: What) -> list[Reason]:
        """Changes of each kind by reason, the most first."""
        return self.image_reasons if what == "images" else self.label_reasons


class Changes:
    """A difference on disk.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.summary = Summary.model_validate_json((folder / _SUMMARY).read_bytes())
        self._tables = {what: _mapped(folder / f"{what}.arrow") for what in ("images", "labels")}

    def rows(
        self, what: What, *, change: str, reason: str, offset: int, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Some changes, and how many there are.

        Args:
            what: of images or of labels.
            change: only of this kind; of every kind when empty.
            reason: only with this plain reason; with any when empty.
            offset: how many to pass over.
            limit: how many to return at most.
        """
        table = self._tables[what]
        kept = None
        for name, wanted in (("change", change), (_PLAIN, reason)):
            if wanted:
                fits = pc.equal(table[name], wanted)
                kept = fits if kept is None else pc.and_(kept, fits)
        if kept is None:
            found = table.slice(offset, limit)
            return found.drop_columns([_PLAIN]).to_pylist(), len(table)
        if not len(table):  # Arrow crashes on the indices of no chunk at all
            return [], 0
        places = pc.indices_nonzero(kept)
        found = table.take(places.slice(offset, limit))
        return found.drop_columns([_PLAIN]).to_pylist(), len(places)


def ask_changes(workspace: Workspace, project: str, before: str, after: str) -> Job[Changes]:
    """The difference of two versions; begun in the background when it is not on disk.

    Args:
        workspace: what is read.
        project: the project of both.
        before: digest of the earlier version.
        after: of the later.
    """
    folder = workspace.cache / "inspector" / "changes" / f"{before[:32]}-{after[:32]}-{LAYOUT}"

    def work(tell: Progress) -> Changes:
        found = _kept(folder)
        if found is None:
            _compare(workspace, project, before, after, folder, tell)
            found = Changes(folder)
        return found

    return jobs_of(workspace).ask(("changes", project, before, after), work)


def _kept(folder: Path) -> Changes | None:
    """What is on disk; None where it is not, or cannot be read."""
    try:
        return Changes(folder)
    except (OSError, ValidationError, pa.ArrowException):
        return None


def _compare(
    workspace: Workspace, project: str, before: str, after: str, folder: Path, tell: Progress
) -> None:
    first, second = (_version(workspace, project, digest) for digest in (before, after))
    found = difference(
        first,
        second,
        catalog=Catalog(workspace.store, project),
        progress=lambda share: tell(0.8 * share),  # the reasons are looked up afterwards
    )
    summary = Summary(
        images=counts(found.images),
        labels=counts(found.labels),
        image_reasons=[Reason(**row) for row in reasons(found.images)],
        label_reasons=[Reason(**row) for row in reasons(found.labels)],
        rules=list(found.rules),
        note="" if found.same else found.note,
    )
    made = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    made.mkdir(parents=True)
    try:
        for what, table in (("images", found.images), ("labels", found.labels)):
            _write(table.append_column(_PLAIN, plain_reasons(table)), made / f"{what}.arrow")
        (made / _SUMMARY).write_text(json.dumps(summary.model_dump(mode="json")))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    except FileExistsError:
        pass  # another process was faster
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _version(workspace: Workspace, project: str, digest: str) -> DatasetVersion:
    key = f"projects/{project}/datasets/{digest}"
    return load_version(fetch(workspace.store, key, marker=DATASET_FILE, cache=workspace.cache))


def _write(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=1 << 20)


def _mapped(path: Path) -> pa.Table:
    """A table that is read from disk as it is needed."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def image_ids(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Images of some changes, each once."""
    return list(dict.fromkeys(str(row["image_id"]) for row in rows))
