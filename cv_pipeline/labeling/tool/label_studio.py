"""What is asked of Label Studio, in terms of projects, tasks and annotations.

Tasks are read by their ids and not by the number of a page, so that one that is deleted meanwhile
hides no other; and as many at once as make answers of a few megabytes, whatever is drawn in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cv_pipeline.annotations.values import as_time
from cv_pipeline.errors import ToolUnavailable
from cv_pipeline.labeling.tool.connection import Connection, Parameters, require_version

STUBS = 1000
"""Tasks that are listed at once."""
FIRST_READ = 100
MOST_READ = 400
"""Tasks that are read whole at once: at first, and at most."""
ANSWER_BYTES = 4_000_000
"""What an answer with whole tasks should have."""
_TITLE = 50
_EMPTY = 3


@dataclass(frozen=True)
class ToolProject:
    """One project of the tool.

    Attributes:
        id: of it.
        title: as people see it.
        description: as people see it; holds the mark of what pushed it.
        tasks: how many it has; 0 where only its name was asked for.
        configuration: its labelling configuration; empty where only its name was asked for.
        overlap: people who label each task.
        instructions: what annotators read first.
        model: model whose predictions they begin with; empty for none.
    """

    id: int
    title: str
    description: str
    tasks: int = 0
    configuration: str = ""
    overlap: int = 1
    instructions: str = ""
    model: str = ""


@dataclass(frozen=True)
class Counts:
    """What a project has, counted by the tool.

    Attributes:
        tasks: how many.
        annotations: how many are on them, those included by which somebody skipped a task.
    """

    tasks: int
    annotations: int


@dataclass(frozen=True)
class Stub:
    """A task, as lists have it.

    Attributes:
        id: of it.
        changed_at: when it or what was labelled there changed, by the tool's clock.
    """

    id: int
    changed_at: datetime


class Tool:
    """One Label Studio.

    Args:
        connection: to it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._read_at_once = FIRST_READ

    @property
    def url(self) -> str:
        """Its address."""
        return self.connection.url

    def version(self) -> str:
        """Its version.

        Raises:
            ToolUnavailable: it is too old, or something else answers.
        """
        return require_version(self.connection)

    def members(self) -> dict[int, str]:
        """Id of everybody who has an account there, with their e-mail address."""
        told = self.connection.get("/api/users/")
        listed = told.get("results") if isinstance(told, dict) else told
        if not isinstance(listed, list):
            raise self._odd("/api/users/")
        return {int(m["id"]): str(m.get("email") or "") for m in listed}

    def projects(self) -> Iterator[ToolProject]:
        """Every project, by name."""
        for one in self._projects("id", "title", "description"):
            yield ToolProject(int(one["id"]), one["title"] or "", one["description"] or "")

    def counts(self) -> dict[int, Counts]:
        """What every project has, by its id; one that is made or deleted meanwhile may be missing.

        It is one question for a hundred projects.
        """
        numbers = ("task_number", "total_annotations_number", "skipped_annotations_number")
        found: dict[int, Counts] = {}
        for one in self._projects("id", *numbers):
            tasks, annotations, skipped = (int(one.get(name) or 0) for name in numbers)
            found[int(one["id"])] = Counts(tasks, annotations + skipped)
        return found

    def clock(self) -> datetime | None:
        """What time it was there when it answered last, to the second; None when it does not say.

        The times of tasks and annotations are by this clock.
        """
        return self.connection.last_at

    def project(self, number: int) -> ToolProject | None:
        """A project; None when there is none of that number."""
        told = self.connection.found(f"/api/projects/{number}/")
        return None if told is None else _project(told)

    def make_project(
        self, title: str, *, description: str, configuration: str, overlap: int, instructions: str
    ) -> ToolProject:
        """Make a project."""
        settings = _settings(title, description, configuration, overlap, instructions)
        # people see pre-labels as what to begin with, and none sees another's work
        settings |= {"show_collab_predictions": True, "show_annotation_history": False}
        return _project(self.connection.send("POST", "/api/projects/", settings))

    def change_project(
        self,
        number: int,
        title: str,
        *,
        description: str,
        configuration: str,
        overlap: int,
        instructions: str,
    ) -> ToolProject:
        """Change what a project says; its tasks stay."""
        settings = _settings(title, description, configuration, overlap, instructions)
        return _project(self.connection.send("PATCH", f"/api/projects/{number}/", settings))

    def show_predictions(self, number: int, model: str) -> None:
        """Have annotators begin with the pre-labels of one model."""
        self.connection.send("PATCH", f"/api/projects/{number}/", {"model_version": model})

    def add_tasks(self, number: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add tasks with their predictions, all or none; returns their ids in the same order.

        Raises:
            ToolUnavailable: whether they were added is not known.
        """
        path = f"/api/projects/{number}/import"
        told = self.connection.send("POST", path, list(tasks), {"return_task_ids": "true"})
        ids = told.get("task_ids") if isinstance(told, dict) else None
        if not isinstance(ids, list) or len(ids) != len(tasks):
            raise self._odd(path)
        return [int(i) for i in ids]

    def remove_unlabelled(self, task: int) -> bool | None:
        """Remove a task on which nothing was labelled.

        The tool itself looks once more whether there is an annotation, in the request that deletes:
        one that is saved in the milliseconds of that request is lost, and a draft in the time
        between our look and it.

        Returns:
            True when it is gone by this, False when it was gone before, and None when it has work
            on it and was left.
        """
        found = self.connection.found(f"/api/tasks/{task}/")
        if found is None:
            return False
        if not _is_untouched(found):
            return None
        unlabelled = {**_filter("total_annotations", "Number", 0), "operator": "equal"}
        self.connection.send(
            "POST",
            "/api/dm/actions/",
            {
                # of these only what the filter lets through, and never another one
                "selectedItems": {"all": False, "included": [task]},
                "filters": {"conjunction": "and", "items": [unlabelled]},
            },
            {"id": "delete_tasks", "project": int(found["project"])},
        )
        left = self.connection.found(f"/api/tasks/{task}/")
        return True if left is None else None

    def replace_in_images(self, number: int, tasks: Sequence[int], old: str, new: str) -> None:
        """Replace a text in the addresses of images that tasks show, in one request.

        The tasks do not count as changed by it. Not every version of the tool has this: see what
        became of them.

        Raises:
            LabelingError: it is refused, or whether it was done is not known.
        """
        told = {
            "selectedItems": {"all": False, "included": list(tasks)},
            "value_name": "image",
            "value_type": "Expression",
            "value": f"replace({json.dumps(old)},{json.dumps(new)})",
        }
        asked: Parameters = {"id": "add_data_field", "project": number}
        self.connection.send("POST", "/api/dm/actions/", told, asked)

    def change_data(self, task: int, data: Mapping[str, Any]) -> None:
        """Change what a task shows; its annotations and predictions stay."""
        self.connection.send("PATCH", f"/api/tasks/{task}/", {"data": dict(data)})

    def stubs(self, number: int, *, since: datetime | None = None) -> Iterator[Stub]:
        """Every task of a project, or those that changed since a moment, by ascending id."""
        for task in self._listed(number, since=since, include="id,updated_at"):
            changed = as_time(task.get("updated_at"))
            if changed is None:
                raise self._odd("/api/tasks/")
            yield Stub(int(task["id"]), changed)

    def task_data(self, number: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Id and data of every task of a project, by ascending id."""
        for task in self._listed(number, since=None, include="id,data"):
            data = task.get("data")
            yield int(task["id"]), data if isinstance(data, dict) else {}

    def tasks(self, number: int, ids: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
        """Read tasks whole, some at a time; those that are gone meanwhile are left out."""
        left = list(ids)
        while left:
            wanted, left = left[: self._read_at_once], left[self._read_at_once :]
            chosen = {"selectedItems": {"all": False, "included": wanted}}
            told = self.connection.get(
                "/api/tasks/",
                {
                    "project": number,
                    "fields": "all",
                    "resolve_uri": "false",
                    "page_size": len(wanted),
                    "query": json.dumps({**chosen, "ordering": ["tasks:id"]}),
                },
            )
            found = self._tasks_of(told)
            size = self.connection.last_bytes
            there = {task["id"] for task in found}
            lacking = [task for task in wanted if task not in there]
            # gone, or more than it gives at once: only when it has none of them are they gone
            left = lacking + left if len(lacking) < len(wanted) else left
            fits = int(len(wanted) * ANSWER_BYTES / max(size, 1))
            self._read_at_once = max(1, min(MOST_READ, fits, 2 * len(wanted)))
            if found:
                yield found

    def _projects(self, *columns: str) -> Iterator[dict[str, Any]]:
        """Some columns of every project, page by page."""
        page = 1
        while True:
            told = self.connection.get(
                "/api/projects/",
                {"page": page, "page_size": 100, "include": ",".join(columns)},
            )
            listed = told.get("results") if isinstance(told, dict) else None
            if not isinstance(listed, list):
                raise self._odd("/api/projects/")
            yield from listed
            if not told.get("next"):
                return
            page += 1

    def _listed(
        self, number: int, *, since: datetime | None, include: str
    ) -> Iterator[dict[str, Any]]:
        last = empty = 0
        while True:
            items = [_filter("id", "Number", last)]
            if since is not None:
                items.append(_filter("updated_at", "Datetime", f"{since:%Y-%m-%dT%H:%M:%S.%fZ}"))
            asked = {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}
            told = self.connection.get(
                "/api/tasks/",
                {
                    "project": number,
                    "fields": "task_only",
                    "include": include,
                    "resolve_uri": "false",
                    "page_size": STUBS,
                    "query": json.dumps(asked),
                },
            )
            found = self._tasks_of(told)
            yield from found
            if int(told.get("total", 0)) <= len(found):
                return
            # fewer than there are, for that is how many it gives at once, or some are gone since it
            # counted them
            before, last = last, int(found[-1]["id"]) if found else last
            empty = 0 if last > before else empty + 1
            if empty == _EMPTY:
                raise self._odd("/api/tasks/")

    def _tasks_of(self, told: Any) -> list[dict[str, Any]]:
        found = told.get("tasks") if isinstance(told, dict) else None
        if not isinstance(found, list) or not all(isinstance(t, dict) and "id" in t for t in found):
            raise self._odd("/api/tasks/")
        return found

    def _odd(self, path: str) -> ToolUnavailable:
        return ToolUnavailable(
            f"Label Studio at {self.url} answers {path} in a way that is not known.",
            do="See that its version is one of those that docs/labeling/tool.md names.",
        )


def _filter(column: str, kind: str, value: object) -> dict[str, object]:
    """A condition of the tool that a column is greater than a value."""
    return {
        "filter": f"filter:tasks:{column}",
        "operator": "greater",
        "type": kind,
        "value": value,
    }


def _is_untouched(task: Mapping[str, Any]) -> bool:
    """Whether nobody labelled anything on a task, or began to."""
    return not task.get("annotations") and not task.get("drafts")


def _settings(
    title: str, description: str, configuration: str, overlap: int, instructions: str
) -> dict[str, Any]:
    return {
        "title": title if len(title) <= _TITLE else title[: _TITLE - 1] + "…",
        "description": description,
        "label_config": configuration,
        "maximum_annotations": overlap,
        "expert_instruction": instructions,
        "show_instruction": bool(instructions),
    }


def _project(told: Mapping[str, Any]) -> ToolProject:
    return ToolProject(
        id=int(told["id"]),
        title=told.get("title") or "",
        description=told.get("description") or "",
        tasks=int(told.get("task_number") or 0),
        configuration=told.get("label_config") or "",
        overlap=int(told.get("maximum_annotations") or 1),
        instructions=told.get("expert_instruction") or "",
        model=told.get("model_version") or "",
    )
