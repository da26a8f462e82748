"""An event log that remembers what it read, and knows what was made from what.

The log answers "what did this read?" by pointer, but "what read this?" only by a scan. Here each
asset's events are read once, when they are first needed, and after that only what is newer than
the last storage id. It is a cache in one process, never a store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from dagster import DagsterInstance

from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.takeout_marks import marks_of

SETTLED = timedelta(minutes=1)
"""Age from which no event of a smaller storage id is expected to appear any more.

With many writers a database hands out ids in one order and commits in another, so younger events
are read again.
"""


class LineageIndex(EventLog):
    """The event log as it was at the last :meth:`catch_up`, or at the first question since.

    Not for several threads at once.

    Args:
        instance: the instance whose event log is the provenance record.
    """

    def __init__(self, instance: DagsterInstance) -> None:
        super().__init__(instance)
        self._events: dict[str, dict[int, Materialization]] = defaultdict(dict)
        self._settled: dict[str, int] = {}
        self._readers: dict[tuple[str, str], dict[int, Materialization]] = defaultdict(dict)
        self._marks: dict[str, dict[str, list[str]]] = {}
        self._fresh: set[str] = set()
        self._keys: list[str] | None = None

    def catch_up(self) -> None:
        """See what happened since: the next questions read what is new, and only that."""
        self._fresh.clear()
        self._marks.clear()
        self._keys = None

    def asset_keys(self, project: str | None = None) -> list[str]:
        """Keys of all assets that were ever materialized, of one project or of all, sorted."""
        if self._keys is None:
            self._keys = super().asset_keys()
        return [k for k in self._keys if project is None or k.split("/")[0] == project]

    def newest_first(
        self,
        key: str,
        *,
        after: int | None = None,
        since: float | None = None,
        before: float | None = None,
    ) -> Iterator[Materialization]:
        """Materializations of an asset, newest first; see :class:`EventLog`."""
        for event in reversed(self._of(key)):
            if since is not None and event.timestamp.timestamp() <= since:
                continue
            if before is not None and event.timestamp.timestamp() >= before:
                continue
            if after is None or event.storage_id > after:
                yield event

    def oldest_first(self, key: str, *, after: int | None = None) -> Iterator[Materialization]:
        """Materializations of an asset, oldest first."""
        for event in self._of(key):
            if after is None or event.storage_id > after:
                yield event

    def event(self, key: str, storage_id: int) -> Materialization | None:
        """The materialization with this storage id, or None when it is not in the log."""
        self._read(key)
        return self._events[key].get(storage_id)

    def first_of_each_version(self, key: str) -> list[Materialization]:
        """The oldest materialization of each version of an asset, oldest first."""
        first: dict[str, Materialization] = {}
        for event in self._of(key):
            first.setdefault(event.version, event)
        return list(first.values())

    def children(self, key: str, version: str) -> Sequence[Materialization]:
        """What was made from a version of an asset, one step down.

        Lineage does not cross projects, so only the assets of the same one are looked at.

        Returns:
            The newest event of each version that read it, by asset and then by when such a
            version was first made.
        """
        for other in self.asset_keys(key.split("/")[0]):
            self._read(other)
        read_it = self._readers.get((key, version), {})
        newest: dict[tuple[str, str], Materialization] = {}
        for storage_id in sorted(read_it):
            event = read_it[storage_id]
            newest[event.key, event.version] = event
        return sorted(newest.values(), key=lambda event: event.key)  # stable within an asset

    def taken_out(self, key: str, version: str) -> list[str]:
        """Images that a model was trained on and that were taken out since, sorted."""
        if key not in self._marks:
            self._marks[key] = marks_of(self.instance, key)
        return self._marks[key].get(version, [])

    def _of(self, key: str) -> list[Materialization]:
        """Materializations of an asset, oldest first."""
        self._read(key)
        known = self._events[key]
        return [known[storage_id] for storage_id in sorted(known)]

    def _read(self, key: str) -> None:
        """Read what is new of an asset, unless that was done since the last catch-up."""
        if key in self._fresh:
            return
        limit = datetime.now(UTC) - SETTLED
        settled = True
        for event in super().oldest_first(key, after=self._settled.get(key)):
            self._events[key][event.storage_id] = event
            for read in (*event.inputs, *event.asked):
                self._readers[read.key, read.version][event.storage_id] = event
            settled = settled and event.timestamp < limit
            if settled:
                self._settled[key] = event.storage_id
        self._fresh.add(key)
