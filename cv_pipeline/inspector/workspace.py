"""What the pages read: projects, lakes, the event log and the store, opened once and shared.

Everything here is a cache of what lies elsewhere; nothing is kept. It is safe for many threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from dagster import DagsterInstance
from fastapi import Depends
from sqlalchemy import Engine
from starlette.requests import Request

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.selection import Selection, select
from cv_pipeline.catalog.query import parse
from cv_pipeline.catalog.snapshot import Snapshot, open_snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.inspector.database import open_database
from cv_pipeline.inspector.kept import Kept
from cv_pipeline.inspector.shared_references import SharedReferences
from cv_pipeline.project import Project, find_project, project_names
from cv_pipeline.provenance.evaluated import Evaluated, find_evaluated
from cv_pipeline.provenance.lake_references import LakeReferences
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.settings import cv_home, dagster_home, projects_dir, store_url
from cv_pipeline.storage import ObjectStore, open_store

FRESH_SECONDS = 1.0
"""How old what is read from the event log, or from tables in a bucket, may be."""
SLOW_SECONDS = 0.05
"""Seconds from which asking for the versions of the tables takes long."""

PAST = 16
"""Earlier states of lakes, and selections from them, that are kept in memory."""


@dataclass(eq=False)
class _OpenedLake:
    """A project's lake with its newest snapshot."""

    lake: Datalake
    references: SharedReferences
    lock: threading.Lock = field(default_factory=threading.Lock)
    snapshot: Snapshot | None = None
    checked: float = 0.0
    good_for: float = 0.0
    changes: int = 0  # that the snapshot has seen


class Workspace:
    """Everything that pages read.

    Args:
        home: ``CV_HOME``.
        projects: folder of the projects.
        store: the object store.
        instance: the Dagster instance.
        database: the inspector's own state.
        dagster_ui: address of the Dagster webserver, for links and to launch runs.
        mlflow_ui: address of MLflow.
    """

    def __init__(
        self,
        *,
        home: Path,
        projects: Path,
        store: ObjectStore,
        instance: DagsterInstance,
        database: Engine,
        dagster_ui: str = "http://127.0.0.1:3000",
        mlflow_ui: str = "http://127.0.0.1:5000",
    ) -> None:
        self.home = home
        self.store = store
        self.instance = instance
        self.database = database
        self.dagster_ui = dagster_ui
        self.mlflow_ui = mlflow_ui
        self._projects = projects
        self._index = LineageIndex(instance)
        self._index_lock = threading.RLock()
        self._index_read = 0.0
        self._lakes: dict[str, _OpenedLake] = {}
        self._lakes_lock = threading.Lock()
        self._changes = 0
        self._evaluations: Kept[Evaluated] = Kept(8)
        self._selections: Kept[Selection] = Kept(64)
        self.kept: Kept[Any] = Kept(512)
        # what holds for a moment, of which there is so much that it would push all else out
        self.moments: Kept[Any] = Kept(512)
        # each holds the lake as it was, of which there is room for a few only
        self.past: Kept[Any] = Kept(PAST)

    @classmethod
    def open(cls, **more: Any) -> Workspace:
        """The workspace of the environment: ``CV_HOME``, ``DAGSTER_HOME``, ``CV_PROJECTS``, …"""
        dagster_home()
        return cls(
            home=cv_home(),
            projects=projects_dir(),
            store=open_store(store_url()),
            instance=DagsterInstance.get(),
            database=open_database(cv_home()),
            **more,
        )

    @property
    def cache(self) -> Path:
        """Folder of copies of what lies in the store."""
        return self.home / "cache"

    @property
    def projects_folder(self) -> Path:
        """Folder of the projects."""
        return self._projects

    def project_names(self) -> list[str]:
        """Names of the projects, sorted."""
        return sorted(project_names(self._projects))

    def project(self, name: str) -> Project:
        """A project.

        Raises:
            ProjectError: there is none of this name, or its file is wrong.
        """
        path = self._projects / name / "project.yaml"
        stamp = path.stat().st_mtime_ns if path.is_file() else 0
        found: Project = self.kept.get(
            ("project", name, stamp), lambda: find_project(name, self._projects)
        )
        return found

    @contextmanager
    def log(self) -> Iterator[LineageIndex]:
        """The event log as it is now, for one thread at a time."""
        with self._index_lock:
            if time.monotonic() - self._index_read > FRESH_SECONDS:
                self._index.catch_up()
                self._index_read = time.monotonic()
            yield self._index

    def lake(self, project: str) -> Datalake:
        """The datalake of a project, for what changes it; its queries are logged."""
        return self._lake(project).lake

    def references(self, project: str) -> SharedReferences:
        """What the queries of a project may refer to: what is of that project."""
        return self._lake(project).references

    def snapshot(self, project: str) -> Snapshot:
        """The newest snapshot of a project's lake."""
        opened = self._lake(project)
        with opened.lock:
            began, changes = time.monotonic(), self._changes
            old = began - opened.checked > opened.good_for or opened.changes != changes
            if opened.snapshot is None or old:
                opened.snapshot = open_snapshot(opened.lake.catalog, opened=opened.snapshot)
                opened.checked, opened.changes = time.monotonic(), changes
                # a local store is asked every time; a bucket answers with delay
                slow = opened.checked - began > SLOW_SECONDS
                opened.good_for = FRESH_SECONDS if slow else 0.0
            return opened.snapshot

    def changed(self) -> None:
        """Something was written through the inspector: whoever asks next sees it."""
        self._changes += 1

    def select(self, project: str, text: str) -> Selection:
        """The images that a query selects now; the same question is not asked twice of one state.

        Raises:
            QueryError: the query cannot be understood.
        """
        snapshot = self.snapshot(project)
        opened = self._lake(project)

        def ask() -> Selection:
            return select(
                parse(text),
                snapshot=snapshot,
                catalog=opened.lake.catalog,
                references=opened.references,
            )

        if "latest" in text:  # which may mean something else the next time
            return ask()
        state = (*sorted(snapshot.identities.items()), *self.newest_results(project, text))
        return self._selections.get((project, text, state), ask)

    def newest_results(self, project: str, text: str) -> tuple[int, ...]:
        """Storage ids of what a query means by a model's results and predictions: the newest.

        Empty for a query that asks for neither, which only the lake can give another answer.
        """
        if "results" not in text and "predictions" not in text:
            return ()
        with self.log() as log:
            events = [log.latest(f"{project}/{name}") for name in ("predictions", "eval_slices")]
        return tuple(event.storage_id if event else 0 for event in events)

    def evaluated(self, project: str, ref: str = "latest") -> Evaluated:
        """The evaluation that a digest, a prefix or ``latest`` means, its tables read once.

        Raises:
            ProvenanceError: there is none.
        """
        with self.log() as log:
            found = find_evaluated(
                log, project=project, ref=ref, store=self.store, cache=self.cache
            )
        key = (project, found.event.version, found.event.storage_id)
        return self._evaluations.get(key, lambda: found)

    def close(self) -> None:
        """Give everything back."""
        self.database.dispose()
        self.instance.dispose()

    def _lake(self, project: str) -> _OpenedLake:
        with self._lakes_lock:
            if project not in self._lakes:
                name = self.project(project).name
                catalog = Catalog(self.store, name)
                known = LakeReferences(
                    project=name, store=self.store, instance=self.instance, cache=self.cache
                )
                references = SharedReferences(name, known)
                lake = Datalake(catalog, references=references, origin="http")
                self._lakes[project] = _OpenedLake(lake, references)
            return self._lakes[project]


async def current_workspace(request: Request) -> Workspace:
    """The workspace of the application that answers."""
    found: Workspace = request.app.state.workspace
    return found


CurrentWorkspace = Annotated[Workspace, Depends(current_workspace)]
"""A parameter of a view: what it reads."""
