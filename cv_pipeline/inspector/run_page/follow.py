"""Follows a run: each time only what is new is read of its events."""

from __future__ import annotations

import threading
import time

from dagster import DagsterInstance, DagsterRun

from cv_pipeline.inspector.run_page.progress import Progress, Reader

_AT_ONCE = 1_000


class Follower:
    """What was read of one run so far. It is safe for many threads.

    Args:
        instance: the Dagster instance.
        run: the run.
    """

    def __init__(self, instance: DagsterInstance, run: DagsterRun) -> None:
        self._instance = instance
        self._run_id = run.run_id
        self._lock = threading.Lock()
        self._cursor: str | None = None
        plan = run.execution_plan_snapshot_id
        steps = instance.get_execution_plan_snapshot(plan).steps if plan is not None else ()
        self._reader = Reader([step.key for step in steps])

    def progress(self) -> Progress:
        """How far the run is now."""
        with self._lock:
            more = True
            while more:
                page = self._instance.get_records_for_run(
                    self._run_id, cursor=self._cursor, limit=_AT_ONCE
                )
                self._reader.take(record.event_log_entry for record in page.records)
                self._cursor = page.cursor
                more = page.has_more
            return self._reader.progress(now=time.time())
