"""What a pull read, kept for ever under its own hash: the tool forgets, the object store does not.

Only what labels are made of is kept: neither e-mail addresses nor the addresses of images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cv_pipeline.storage import ObjectStore

_OF_TASK = ("id", "created_at", "updated_at", "annotations")
_OF_DATA = ("image_id", "batch")
_OF_ANNOTATION = (
    "id", "unique_id", "completed_by", "updated_by", "created_at", "updated_at", "lead_time",
    "was_cancelled", "ground_truth", "parent_prediction", "parent_annotation", "result",
)  # fmt: skip


class Frozen:
    """What a pull reads of one of the tool's projects, page by page.

    Args:
        store: where it is kept.
        project: name of our project.
        tool_project: id of the tool's project.
        batch: batch that it holds.
    """

    def __init__(self, store: ObjectStore, *, project: str, tool_project: int, batch: str) -> None:
        self._store = store
        self._prefix = f"projects/{project}/pulls"
        self._head = {"tool_project": tool_project, "batch": batch}
        self._pages: list[str] = []

    def add(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        """Keep some tasks as they were read."""
        self._pages.append(self._keep([_task(task) for task in tasks]))

    def finish(self) -> str:
        """Keep the list of what was added; returns its key, empty when there is nothing."""
        return self._keep({**self._head, "pages": self._pages}) if self._pages else ""

    def _keep(self, value: object) -> str:
        data = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
        key = f"{self._prefix}/{hashlib.sha256(data).hexdigest()}.json"
        self._store.create(key, data)
        return key


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    data = task.get("data")
    annotations = task.get("annotations")
    kept = {name: task.get(name) for name in _OF_TASK}
    kept["data"] = {name: data.get(name) for name in _OF_DATA} if isinstance(data, dict) else {}
    kept["annotations"] = [
        {name: told.get(name) for name in _OF_ANNOTATION}
        for told in (annotations if isinstance(annotations, list) else [])
        if isinstance(told, dict)
    ]
    return kept
