"""A lake of a few images, without their pixels, that can be pushed."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cv_pipeline.catalog.datalake.image_batches import set_aside
from cv_pipeline.catalog.schemas import FILES, IMAGES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.pull import PullReport, pull
from cv_pipeline.labeling.exchange.push import push
from cv_pipeline.labeling.exchange.push_report import PushReport
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.project import Project, load_project
from cv_pipeline.storage import ObjectStore, open_store
from tests.labeling.studio import Studio

PROJECT = """\
name: {name}
task: detection
charter: {{problem: coloured squares}}
source:
  images: ${{CV_HOME}}/images
labeling:
  url: {url}
  hand_off: {{enforce: false}}
ontology:
  labels: [red, blue]
  attributes: {{occluded: []}}
training: {{model: fcos_resnet18, input_size: [48, 64]}}
"""


@dataclass
class PushedLake:
    """A project with a lake of images without pixels, and the tool that it is pushed to."""

    folder: Path
    project: Project
    store: ObjectStore
    catalog: Catalog
    studio: Studio
    image_ids: list[str]

    @property
    def name(self) -> str:
        return self.project.name

    def set_aside(self, batch: str, image_ids: list[str]) -> None:
        set_aside(
            self.catalog,
            pa.array(sorted(image_ids)),
            name=batch,
            purpose="label",
            reason="a test",
            query="",
            actor="tester",
        )

    def push(self, batch: str = "first", *, tool: Tool | None = None, **more: Any) -> PushReport:
        return push(
            self.project,
            batch,
            catalog=self.catalog,
            store=self.store,
            tool=tool or self.studio.tool,
            **more,
        )

    def pull(self, *, tool: Tool | None = None, **more: Any) -> PullReport:
        return pull(
            self.project,
            catalog=self.catalog,
            store=self.store,
            tool=tool or self.studio.tool,
            **more,
        )

    def tasks(self, batch: str = "first") -> dict[str, int]:
        """Image to its task, as written down."""
        rows = self.catalog.table("labeling_tasks").read().to_pylist()
        return {r["image_id"]: r["task"] for r in rows if r["batch"] == batch}

    def tool_project(self, batch: str = "first") -> int:
        """The tool's project of a batch, as written down."""
        rows = self.catalog.table("labeling_tasks").read().to_pylist()
        return next(r["tool_project"] for r in rows if r["batch"] == batch)

    def states(self) -> list[dict[str, Any]]:
        """The history, in the order in which it was written."""
        rows = self.catalog.table("tool_annotations").read()
        return rows.sort_by([("seen_at", "ascending"), ("annotation", "ascending")]).to_pylist()

    def refused(self) -> dict[str, str]:
        """Place to reason, of what the quarantine holds."""
        rows = self.catalog.table("quarantine").read().to_pylist()
        return {r["field"]: r["reason"] for r in rows}

    def content(self) -> dict[str, int]:
        """Versions of the tables, to see that nothing was written."""
        return {
            n: self.catalog.table(n).version
            for n in ("labeling_tasks", "tool_annotations", "labeling_pulls", "quarantine")
        }


def make_lake(folder: Path, studio: Studio, *, images: int = 6) -> PushedLake:
    """A lake of its own, with a batch ``first`` of all of its images."""
    name = f"p{uuid.uuid4().hex[:10]}"
    file = folder / "projects" / name / "project.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(PROJECT.format(name=name, url=studio.url))
    store = open_store(str(folder / "home" / "store"))
    catalog = Catalog(store, name)
    ids = sorted(hashlib.sha256(f"{name}{i}".encode()).hexdigest() for i in range(images))
    now = datetime.now(UTC)
    known = {
        "source": "s", "format": "PNG", "width": 64, "height": 48, "bands": 3, "dtype": "uint8",
        "bytes": 1, "batch": "b", "ingested_at": now,
    }  # fmt: skip
    rows = [{"image_id": i, "path": f"{n}.png", **known} for n, i in enumerate(ids)]
    catalog.table("images").merge(pa.Table.from_pylist(rows, schema=IMAGES), on=["image_id"])
    files = [{field.name: row.get(field.name, _blank(field)) for field in FILES} for row in rows]
    catalog.table("files").merge(pa.Table.from_pylist(files, schema=FILES), on=["path"])
    lake = PushedLake(folder, load_project(file), store, catalog, studio, ids)
    lake.set_aside("first", ids)
    return lake


def _blank(field: pa.Field) -> Any:
    return None if field.nullable else "" if pa.types.is_string(field.type) else 0
