"""The record of a corrective run: what it changes against its parent, by whom and why.

It is stored under its digest before the run starts, and the run is given the digest alone; so what
was declared is what was done.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.errors import CorrectiveError, ObjectNotFound
from cv_pipeline.project import Training
from cv_pipeline.storage import ObjectStore

SCHEMA_ID = "corrective/1"
_NOT_HASHED = {"digest", "table_versions", "at"}

Value = str | int | float | bool | None


class Selection(BaseModel):
    """The images that a corrective run is about.

    Attributes:
        query: what selects them, in the canonical text form.
        pins: what references in it mean; see ``PinnedReferences``.
        digest: SHA-256 over the ids of the images that it selected when it was declared, in their
            order, each followed by a line feed.
        images: how many those were.
        weight: times that each of them is drawn in an epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    pins: dict[str, str]
    digest: str
    images: int
    weight: int


class Change(BaseModel):
    """One parameter of the training that differs from the parent's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: Any
    after: Any


class CorrectiveRecord(BaseModel):
    """What a corrective run changes.

    Attributes:
        schema_id: version of this layout.
        digest: SHA-256 over all of it but the table versions and the time.
        project: the project.
        parent: digest of the model that it is to better.
        parent_dataset: digest of the dataset version that the parent was trained on.
        selection: images that are added to the dataset and drawn more often; None for none.
        label: class whose recall on those images it is judged by; None for all classes.
        changes: parameters that differ, by key below ``training``.
        training: all parameters of the run: the parent's with the changes.
        seed: the parent's.
        reason: why, in words.
        actor: who declared it.
        at: when, UTC.
        table_versions: the catalogue as it was then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_id: Literal["corrective/1"] = "corrective/1"
    digest: str = ""
    project: str
    parent: str
    parent_dataset: str
    selection: Selection | None
    label: str | None
    changes: dict[str, Change]
    training: Training
    seed: int
    reason: str
    actor: str
    at: datetime
    table_versions: dict[str, int]

    def signed(self) -> CorrectiveRecord:
        """The same record with its digest."""
        return self.model_copy(update={"digest": self.content_digest})

    @property
    def content_digest(self) -> str:
        """SHA-256 of the content."""
        content = self.model_dump(mode="json", exclude=_NOT_HASHED)
        return combined_digest(SCHEMA_ID, json.dumps(content, sort_keys=True, allow_nan=False))


def write_corrective(store: ObjectStore, record: CorrectiveRecord) -> None:
    """Store a signed record; one that is there already stays as it is."""
    key = _key(record.project, record.digest)
    if not store.exists(key):
        store.write(key, f"{record.model_dump_json(indent=2)}\n".encode())


def read_corrective(store: ObjectStore, project: str, digest: str) -> CorrectiveRecord:
    """Read a record.

    Raises:
        CorrectiveError: there is none of that digest, or it was changed.
    """
    try:
        record = CorrectiveRecord.model_validate_json(store.read(_key(project, digest)))
    except ObjectNotFound as error:
        raise CorrectiveError(
            f"Project {project} has no corrective record {digest[:16]}.",
            do=f"Declare one: cvp corrective {project} --query …",
        ) from error
    except ValidationError as error:
        raise CorrectiveError(
            f"The corrective record {digest[:16]} cannot be read: {error}."
        ) from error
    if record.digest != digest or record.content_digest != digest:
        raise CorrectiveError(
            f"The corrective record {digest[:16]} was changed: it hashes to"
            f" {record.content_digest[:16]}.",
            do="Restore it from a backup, or declare it anew.",
        )
    return record


def _key(project: str, digest: str) -> str:
    return f"projects/{project}/correctives/{digest}.json"
