"""What the event log says of dataset versions and of the candidates that none came of.

Read from events alone; a version's own record is read where one version is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from cv_pipeline.datasets.record import DATASET_FILE, DatasetRecord
from cv_pipeline.datasets.waiver import Waiver
from cv_pipeline.errors import DatasetError, ObjectNotFound
from cv_pipeline.inspector.data.models import ModelRow
from cv_pipeline.project import SplitName
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.storage import ObjectStore

_SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


class VersionRow(BaseModel):
    """One dataset version, as lists show it."""

    digest: str
    made_at: datetime
    run_id: str
    images: int
    objects: int
    splits: dict[str, int]
    warnings: list[str]
    waived: list[str]
    models: int
    best: float | None
    best_model: str
    before: str


class CandidateRow(BaseModel):
    """One candidate: what was to become a dataset version."""

    storage_id: int
    digest: str
    made_at: datetime
    run_id: str
    images: int
    objects: int
    version: str
    corrective: str


def version_rows(log: LineageIndex, project: str, models: list[ModelRow]) -> list[VersionRow]:
    """Every dataset version of a project, the newest first.

    Args:
        log: the event log.
        project: the project.
        models: its models.
    """
    trained: dict[str, list[ModelRow]] = defaultdict(list)
    for model in models:
        trained[model.dataset].append(model)
    rows: list[VersionRow] = []
    before = ""
    waived = _waived(log, project)
    for event in log.first_of_each_version(f"{project}/dataset_version"):
        told = event.metadata
        own = [m for m in trained[event.version] if m.value is not None]
        best = max(own, key=lambda m: m.value or 0.0, default=None)
        rows.append(
            VersionRow(
                digest=event.version,
                made_at=event.timestamp,
                run_id=event.run_id,
                images=_count(told, "dagster/row_count"),
                objects=_count(told, "objects"),
                splits=_splits(told),
                warnings=texts(told.get("warnings")),
                waived=sorted(waived[event.version]),
                models=len(trained[event.version]),
                best=best.value if best else None,
                best_model=best.digest if best else "",
                before=before,
            )
        )
        before = event.version
    return rows[::-1]


def candidate_rows(log: LineageIndex, project: str, *, limit: int = 20) -> list[CandidateRow]:
    """The newest candidates of a project, each with the version that came of that very one."""
    made: dict[int, str] = {}
    for event in log.newest_first(f"{project}/dataset_version"):
        pointer = event.input(f"{project}/dataset_candidate")
        if pointer:
            made.setdefault(pointer.storage_id, event.version)
    rows: list[CandidateRow] = []
    for event in log.newest_first(f"{project}/dataset_candidate"):
        if len(rows) == limit:
            break
        rows.append(candidate_row(event, made.get(event.storage_id, "")))
    return rows


def candidate_row(event: Materialization, version: str) -> CandidateRow:
    """A candidate, and the version that came of it; empty for none."""
    told = event.metadata
    return CandidateRow(
        storage_id=event.storage_id,
        digest=event.version,
        made_at=event.timestamp,
        run_id=event.run_id,
        images=_count(told, "dagster/row_count"),
        objects=_count(told, "objects"),
        version=version,
        corrective=str(told.get("corrective") or ""),
    )


def waivers_of(log: LineageIndex, project: str, digest: str) -> list[Waiver]:
    """What was waived whenever a dataset version was made, oldest first.

    The same content may be made twice, and only the first time writes the version's own record.
    """
    found: dict[str, Waiver] = {}
    for event in log.oldest_first(f"{project}/dataset_version"):
        told = event.metadata.get("waivers")
        if event.version == digest and isinstance(told, list | tuple):
            for waiver in told:
                with suppress(ValidationError):
                    read = Waiver.model_validate(waiver)
                    found[read.digest] = read
    return list(found.values())


def _waived(log: LineageIndex, project: str) -> dict[str, set[str]]:
    """Checks that were waived for each version, whenever it was made."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in log.oldest_first(f"{project}/dataset_version"):
        found[event.version].update(texts(event.metadata.get("waived")))
    return found


def read_version_record(store: ObjectStore, project: str, digest: str) -> DatasetRecord:
    """What a dataset version says of itself, without its tables.

    Raises:
        DatasetError: its folder is gone, or is not what this version of the code writes.
    """
    key = f"projects/{project}/datasets/{digest}/{DATASET_FILE}"
    try:
        return DatasetRecord.model_validate_json(store.read(key))
    except ObjectNotFound:
        raise DatasetError(
            f"The folder of the dataset version {digest[:12]} is not in the store any more.",
            do="Restore it from a backup: cvp verify says all that is missing.",
        ) from None
    except ValidationError as error:
        raise DatasetError(
            f"The record of {digest[:12]} cannot be read: {error.errors()[0]['msg']}.",
            do="Run: cvp verify",
        ) from error


def in_order(splits: Mapping[SplitName, int]) -> dict[SplitName, int]:
    """Counts by split, train before val before test."""
    return {split: splits[split] for split in _SPLITS if split in splits}


def texts(value: object) -> list[str]:
    """A list of texts, as metadata hold it; empty for anything else."""
    return [str(v) for v in value] if isinstance(value, list | tuple) else []


def _splits(told: Mapping[str, Any]) -> dict[str, int]:
    known = {split: told.get(f"images_{split}") for split in _SPLITS}
    return {split: int(count) for split, count in known.items() if isinstance(count, int | float)}


def _count(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name, 0)
    return int(value) if isinstance(value, int | float) else 0
