"""Materializations as Dagster's event log recorded them, read and never written.

Every storage id here comes from ``fetch_materializations``: on SQLite the ids of a run's own
event file are other numbers. Nothing is cached, so an answer is as new as the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagster import (
    AssetKey,
    AssetObservation,
    AssetRecordsFilter,
    DagsterInstance,
    EventLogRecord,
)
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
)

from cv_pipeline.errors import ProvenanceError

PAGE = 500
ASKED = "asked_model"
"""Metadata that names a model that was read through the registry and not through the graph."""


@dataclass(frozen=True)
class Input:
    """What a materialization read: one parent, at one exact event.

    Attributes:
        key: the parent's asset key, such as ``fruit/dataset_version``.
        version: the parent's data version.
        storage_id: the parent's materialization event.
    """

    key: str
    version: str
    storage_id: int


@dataclass(frozen=True)
class Materialization:
    """One materialization event.

    Attributes:
        key: asset key as a user types it: ``project/asset``.
        storage_id: id of the event in the event log.
        run_id: the run that made it.
        timestamp: when, UTC.
        version: its data version: the content hash of what it made.
        code_version: the asset's code version.
        inputs: what it read.
        metadata: its metadata as plain values.
    """

    key: str
    storage_id: int
    run_id: str
    timestamp: datetime
    version: str
    code_version: str
    inputs: tuple[Input, ...]
    metadata: Mapping[str, Any]

    @property
    def project(self) -> str:
        """First part of the key."""
        return self.key.split("/")[0]

    @property
    def asset(self) -> str:
        """Last part of the key."""
        return self.key.split("/")[-1]

    @property
    def asked(self) -> tuple[Input, ...]:
        """What it read beside the graph, where an edge would close a cycle: the model it asked."""
        told = self.metadata.get(ASKED)
        if not isinstance(told, Mapping) or not {"key", "version", "storage_id"} <= set(told):
            return ()
        return (Input(str(told["key"]), str(told["version"]), int(told["storage_id"])),)

    def input(self, key: str) -> Input | None:
        """The input with this key, or None when it did not read it."""
        return next((i for i in self.inputs if i.key == key), None)


class EventLog:
    """Reads materializations from a Dagster instance.

    Args:
        instance: the instance whose event log is the provenance record.
    """

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance

    def asset_keys(self, project: str | None = None) -> list[str]:
        """Keys of all assets that were ever materialized, of one project or of all, sorted."""
        prefix = [project] if project else None
        return sorted(k.to_user_string() for k in self.instance.get_asset_keys(prefix=prefix))

    def newest_first(
        self,
        key: str,
        *,
        after: int | None = None,
        since: float | None = None,
        before: float | None = None,
    ) -> Iterator[Materialization]:
        """Materializations of an asset, newest first, fetched a page at a time.

        Args:
            key: asset key.
            after: only events with a larger storage id.
            since: only events with a later timestamp (seconds since the epoch).
            before: only events with an earlier timestamp.
        """
        yield from self._pages(key, after=after, since=since, before=before, ascending=False)

    def oldest_first(self, key: str, *, after: int | None = None) -> Iterator[Materialization]:
        """Materializations of an asset, oldest first, fetched a page at a time."""
        yield from self._pages(key, after=after, since=None, before=None, ascending=True)

    def latest(self, key: str) -> Materialization | None:
        """The newest materialization, or None when there is none."""
        return next(self.newest_first(key), None)

    def event(self, key: str, storage_id: int) -> Materialization | None:
        """The materialization with this storage id, or None when it is not in the log."""
        records = self.instance.fetch_materializations(
            AssetRecordsFilter(asset_key=AssetKey.from_user_string(key), storage_ids=[storage_id]),
            limit=1,
        ).records
        return _materialization(records[0]) if records else None

    def of_version(self, key: str, version: str) -> Materialization:
        """The newest materialization whose data version is, or begins with, ``version``.

        Raises:
            ProvenanceError: none has it, or a prefix fits several versions.
        """
        found: Materialization | None = None
        for event in self.newest_first(key):
            if event.version == version:
                return event
            if event.version.startswith(version):
                if found and found.version != event.version:
                    raise ProvenanceError(
                        f"{version!r} fits several versions of {key}: {found.version[:16]}… and"
                        f" {event.version[:16]}….",
                        do="Give more of its characters.",
                    )
                found = found or event
        if found is None:
            raise ProvenanceError(
                f"No materialization of {key} has the version {version!r}.",
                do=f"List them with: dagster asset list, or open {key} in the Dagster UI.",
            )
        return found

    def first_of_version(self, key: str, version: str) -> Materialization | None:
        """The oldest materialization with this data version."""
        return next((e for e in self.oldest_first(key) if e.version == version), None)

    def in_run(self, key: str, run_id: str) -> Materialization | None:
        """The newest materialization of an asset that this run made."""
        record = self.instance.get_run_record_by_id(run_id)
        since = record.create_timestamp.timestamp() - 1.0 if record else None
        return next((e for e in self.newest_first(key, since=since) if e.run_id == run_id), None)

    def _pages(
        self,
        key: str,
        *,
        after: int | None,
        since: float | None,
        before: float | None,
        ascending: bool,
    ) -> Iterator[Materialization]:
        cursor: str | None = None
        while True:
            page = self.instance.fetch_materializations(
                AssetRecordsFilter(
                    asset_key=AssetKey.from_user_string(key),
                    after_storage_id=after,
                    after_timestamp=since,
                    before_timestamp=before,
                ),
                limit=1 if cursor is None and not ascending and after is None else PAGE,
                cursor=cursor,
                ascending=ascending,
            )
            yield from map(_materialization, page.records)
            if not page.has_more:
                return
            cursor = page.cursor


def observations(instance: DagsterInstance, key: str) -> Iterator[AssetObservation]:
    """Everything that was ever observed of an asset, newest first."""
    cursor: str | None = None
    while True:
        page = instance.fetch_observations(
            AssetRecordsFilter(asset_key=AssetKey.from_user_string(key)),
            limit=PAGE,
            cursor=cursor,
        )
        yield from (r.asset_observation for r in page.records if r.asset_observation is not None)
        if not page.has_more:
            return
        cursor = page.cursor


def _materialization(record: EventLogRecord) -> Materialization:
    event = record.asset_materialization
    if event is None:
        raise ProvenanceError(f"Event {record.storage_id} is not a materialization.")
    tags = event.tags or {}
    inputs = []
    for tag, version in tags.items():
        if tag.startswith(INPUT_DATA_VERSION_TAG_PREFIX + "/"):
            key = tag.removeprefix(INPUT_DATA_VERSION_TAG_PREFIX + "/")
            pointer = tags.get(f"{INPUT_EVENT_POINTER_TAG_PREFIX}/{key}", "")
            if pointer.isdigit():
                inputs.append(Input(key=key, version=version, storage_id=int(pointer)))
    return Materialization(
        key=event.asset_key.to_user_string(),
        storage_id=record.storage_id,
        run_id=record.run_id,
        timestamp=datetime.fromtimestamp(record.timestamp, UTC),
        version=tags.get(DATA_VERSION_TAG, ""),
        code_version=tags.get(CODE_VERSION_TAG, ""),
        inputs=tuple(sorted(inputs, key=lambda i: i.key)),
        metadata={k: v.value for k, v in event.metadata.items()},
    )
