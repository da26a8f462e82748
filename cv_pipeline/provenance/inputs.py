"""Which materialization a step reads, and the tags that say so: the one place that decides.

Dagster itself records the latest parent when a step starts, which in two interleaved runs is the
other run's. Here a parent is resolved once, read by its digest, and named exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

from dagster import AssetKey, DagsterInstance, DagsterRun
from dagster._core.definitions.data_version import (
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance.event_log import EventLog, Materialization


class Inputs:
    """The parents that one step of one run reads.

    Args:
        instance: the Dagster instance.
        run: the run that the step belongs to.
        project: first part of every asset key.
    """

    def __init__(self, *, instance: DagsterInstance, run: DagsterRun, project: str) -> None:
        self._log = EventLog(instance)
        self._run = run
        self._project = project
        self._read: dict[str, Materialization] = {}

    def read(
        self, asset: str, *, version: str | None = None, made_with: Materialization | None = None
    ) -> Materialization:
        """Resolve the materialization of a parent that this step reads.

        In this order: the one that this run made; the one whose version is configured; the one
        that an earlier step of this run read; for a re-execution, the one that the original run
        made or read; the one that ``made_with`` was made from; the latest.

        Args:
            asset: name of the parent, without the project.
            version: configured data version, or an unambiguous prefix.
            made_with: another parent that was made from this one too: a model and its predictions
                should agree on the dataset.

        Raises:
            ProvenanceError: the parent was never materialized; the configured version is unknown
                or ambiguous; or the run makes the parent and configures another version of it.
        """
        key = f"{self._project}/{asset}"
        if key not in self._read:
            self._read[key] = self._resolve(key, version, made_with)
        return self._read[key]

    def follow(self, child: Materialization, asset: str) -> Materialization:
        """Read the very parent that ``child`` was made from, such as its dataset.

        Raises:
            ProvenanceError: the child does not name that parent, or its record is gone.
        """
        key = f"{self._project}/{asset}"
        pointer = child.input(key)
        event = self._log.event(key, pointer.storage_id) if pointer else None
        if event is None:
            raise ProvenanceError(
                f"{child.key} (event {child.storage_id}) does not say which {key} it was made"
                " from.",
                do=f"Materialize {child.key} again.",
            )
        self._read[key] = event
        return event

    @property
    def log(self) -> EventLog:
        """The event log that all this is read from."""
        return self._log

    def before(self, asset: str) -> Materialization | None:
        """The materialization of an asset that was the newest when this run began.

        Of a re-execution, when the first of the runs that it repeats began; so whatever other runs
        make in the meantime, it stays the same. It is not one of the inputs.
        """
        first = [self._run.run_id, *self._originals()][-1]
        record = self._log.instance.get_run_record_by_id(first)
        began = (record.start_time or record.create_timestamp.timestamp()) if record else None
        return next(self._log.newest_first(f"{self._project}/{asset}", before=began), None)

    def tags(self) -> dict[str, str]:
        """Tags for ``MaterializeResult`` that name exactly what was read."""
        tags: dict[str, str] = {}
        for key, event in sorted(self._read.items()):
            asset_key = AssetKey.from_user_string(key)
            tags[get_input_data_version_tag(asset_key)] = event.version
            tags[get_input_event_pointer_tag(asset_key)] = str(event.storage_id)
        return tags

    def _resolve(
        self, key: str, version: str | None, made_with: Materialization | None
    ) -> Materialization:
        own = self._log.in_run(key, self._run.run_id)
        if version:
            chosen = self._log.of_version(key, version)
            if own is not None and own.version != chosen.version:
                raise ProvenanceError(
                    f"This run makes {key} and is configured to read version {version!r} of it.",
                    do=f"Leave {key} out of the run, or the version out of its configuration.",
                )
            return own or chosen
        event = own or self._read_earlier(key, self._run.run_id)
        for run_id in self._originals():
            event = event or self._log.in_run(key, run_id) or self._read_earlier(key, run_id)
        pointer = made_with.input(key) if made_with else None
        if event is None and pointer is not None:
            event = self._log.event(key, pointer.storage_id)
        event = event or self._log.latest(key)
        if event is None:
            raise ProvenanceError(
                f"{key} was never materialized.",
                do=f"Run: dagster asset materialize -m cv_pipeline.definitions --select"
                f" '+key:\"{key}\"'",
            )
        return event

    def _originals(self) -> Iterator[str]:
        """Runs that this run re-executes, nearest first."""
        run: DagsterRun | None = self._run
        while run is not None and run.parent_run_id:
            yield run.parent_run_id
            run = self._log.instance.get_run_by_id(run.parent_run_id)

    def _read_earlier(self, key: str, run_id: str) -> Materialization | None:
        """The materialization of ``key`` that any step of a run recorded as its input."""
        siblings = self._log.instance.get_asset_keys_for_run(run_id)
        for sibling in sorted(k.to_user_string() for k in siblings):
            event = self._log.in_run(sibling, run_id)
            pointer = event.input(key) if event else None
            if pointer is not None:
                return self._log.event(key, pointer.storage_id)
        return None
