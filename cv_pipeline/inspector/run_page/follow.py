"""Follows a run: each time only what is new is read of its events."""

from __future__ import annotations

import threading
import time

from dagster import DagsterInstance, DagsterRun

from cv_pipeline.inspector.run_page.progress import Progress, Reader

_AT_ONCE = 1_000
ASSETS = (
    "raw_images",
    "annotation_exports",
    "image_features",
    "dataset_candidate",
    "candidate_checks",
    "dataset_version",
    "trained_model",
    "predictions",
    "eval_slices",
    "error_analysis",
    "champion",
)
"""The order in which a project's assets are made; checks come after what they check."""


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
        self._reader = Reader(sorted((step.key for step in steps), key=_place))

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


def _place(step: str) -> tuple[int, str]:
    """Where a step comes in the order of the assets."""
    fits = [n for n, asset in enumerate(ASSETS) if step.startswith(asset)]
    return (max(fits) if fits else len(ASSETS), step)
