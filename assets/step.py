"""What every asset needs: its project, its stores, its inputs, and one way to report a result."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import dagster as dg
import pyarrow as pa

from cv_pipeline.catalog.pictures import keep_contact_sheet
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.taken_out import taken_out_since
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.project import Project, SplitName
from cv_pipeline.provenance import Inputs, Materialization
from cv_pipeline.settings import cv_home
from cv_pipeline.storage import Blobs, ObjectStore
from cv_pipeline.storage.folders import fetch, publish
from cv_pipeline.storage.scratch import scratch_folder
from resources import ObjectStoreResource, Projects

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

LOG_SECONDS = 3.0
TABLE_ROWS = 50


def reporting(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn this project's errors into Dagster failures that show the sentence, not our stack."""

    @wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except CVPipelineError as error:
            raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from None

    return wrapper


class Step:
    """One asset or check of one project, while it runs.

    Args:
        context: Dagster's context of the step.
        projects: looks up the project.
        object_store: opens stores and sources.
        project: name of the project.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
        *,
        projects: Projects,
        object_store: ObjectStoreResource,
        project: str,
    ) -> None:
        self._context = context
        self._object_store = object_store
        self.log = context.log
        self.project: Project = projects.get(project)
        self.inputs = Inputs(instance=context.instance, run=context.run, project=project)

    @classmethod
    def of_asset(
        cls,
        context: dg.AssetExecutionContext,
        *,
        projects: Projects,
        object_store: ObjectStoreResource,
    ) -> "Step":
        """The step that materializes ``context``'s asset."""
        project = context.asset_key.path[0]
        return cls(context, projects=projects, object_store=object_store, project=project)

    @cached_property
    def store(self) -> ObjectStore:
        """The object store."""
        return self._object_store.open()

    @cached_property
    def catalog(self) -> Catalog:
        """The project's tables."""
        return Catalog(self.store, self.project.name)

    @cached_property
    def blobs(self) -> Blobs:
        """The images' bytes."""
        return Blobs(self.store)

    def key(self, kind: str, digest: str) -> str:
        """Key of an immutable folder of this project, such as a dataset version."""
        return f"projects/{self.project.name}/{kind}/{digest}"

    def fetch(self, kind: str, digest: str, *, marker: str) -> Path:
        """A published folder of this project as a local path."""
        return fetch(self.store, self.key(kind, digest), marker=marker, cache=cv_home() / "cache")

    def publish(self, kind: str, digest: str, folder: Path, *, marker: str) -> Path:
        """Publish a folder under its digest, and return it as readers will see it."""
        publish(self.store, self.key(kind, digest), folder, marker=marker)
        return self.fetch(kind, digest, marker=marker)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that is gone when the step ends, or when the project's next step begins."""
        with scratch_folder(cv_home() / "scratch", project=self.project.name) as folder:
            yield folder

    def progress(self) -> "Progress":
        """A progress callback that writes to the run's log."""
        return Progress(self.log.info)

    def result(
        self, version: str, metadata: Mapping[str, Any], *, inputs: bool = True
    ) -> dg.MaterializeResult[Any]:
        """The materialization: its content hash, and exactly what it read."""
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version),
            metadata={"digest": version, **metadata},
            tags=self.inputs.tags() if inputs else None,
        )

    def taken_out(self, dataset: Materialization, splits: Sequence[SplitName]) -> tuple[str, ...]:
        """Images of some splits of a dataset version that were taken out since."""
        key = self.key("datasets", dataset.version)
        return tuple(taken_out_since(self.store, key, splits=splits, cache=cv_home() / "cache"))

    def picture(self, image_ids: Sequence[str]) -> dict[str, Any]:
        """Metadata that says where a contact sheet of some images is, and what is on it.

        The picture itself stays out of the event log, from which nothing can be removed.
        """
        limit = self.project.source.max_pixels
        kept = keep_contact_sheet(self.store, self.project.name, image_ids, max_pixels=limit)
        if kept is None:
            return {}
        key, shown = kept
        return {"picture": dg.MetadataValue.path(f"{self.store.url}/{key}"), "pictured": shown}


class Progress:
    """Writes how far a long step is, at most every few seconds.

    Args:
        write: takes one line of text.
    """

    def __init__(self, write: Any) -> None:
        self._write = write
        self._began = time.monotonic()
        self._last = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report that ``done`` of ``total`` things, called ``what``, are done."""
        now = time.monotonic()
        if done < total and now - self._last < LOG_SECONDS:
            return
        self._last = now
        seconds = now - self._began
        left = f", {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
        self._write(f"{what}: {done:,} of {total:,} in {seconds:.0f} s{left}")


def table_versions(*events: Materialization) -> dict[str, int]:
    """The catalogue versions that some materializations recorded."""
    merged: dict[str, int] = {}
    for event in events:
        merged.update({k: int(v) for k, v in event.metadata["table_versions"].items()})
    return merged


def metadata_table(rows: pa.Table, columns: Sequence[str] | None = None) -> dg.MetadataValue:
    """The first rows of a table, as Dagster shows tables."""
    shown = rows.select(list(columns) if columns else rows.column_names).slice(0, TABLE_ROWS)
    records = [
        dg.TableRecord(
            {k: v if isinstance(v, int | float | bool) else str(v) for k, v in r.items()}
        )
        for r in shown.to_pylist()
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(n) for n in shown.column_names])
    return dg.MetadataValue.table(records, schema=schema)
