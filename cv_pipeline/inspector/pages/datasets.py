"""Dataset versions: the list, one version with all that is known of it, and refused candidates."""

from __future__ import annotations

import time
from typing import Any

import pyarrow.parquet as pq
from pydantic import BaseModel

from cv_pipeline.datasets.exporting.exports import written_formats
from cv_pipeline.datasets.record import LEFT_OUT_FILE, DatasetRecord
from cv_pipeline.datasets.waiver import Waiver
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.data.candidates import Refused, find_candidate, refused_candidate
from cv_pipeline.inspector.data.findings import (
    CheckRow,
    WaiverRow,
    check_results,
    check_rows,
    rows_of_verdicts,
    waiver_rows,
)
from cv_pipeline.inspector.data.models import ModelRow, model_rows
from cv_pipeline.inspector.data.versions import (
    CandidateRow,
    VersionRow,
    candidate_rows,
    in_order,
    read_version_record,
    texts,
    version_rows,
    waivers_of,
)
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import FRESH_SECONDS, CurrentWorkspace, Workspace
from cv_pipeline.project import Ontology
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.references import find_event
from cv_pipeline.storage.folders import published

routes = Routes("Datasets")

LEFT_OUT_SHOWN = 100


class Datasets(BaseModel):
    """Every dataset version of a project, and what did not become one."""

    project: str
    metric: str
    task: str
    versions: list[VersionRow]
    candidates: list[CandidateRow]
    refused: Refused | None


class ClassCounts(BaseModel):
    """Labels of one class, by split, with the query for the images that have it."""

    label: str
    counts: dict[str, int]
    total: int


class LeftOut(BaseModel):
    """An image that was selected and is not in the version, with the reason."""

    image_id: str
    reason: str
    belongs_to: str


class FileRow(BaseModel):
    """A file of a published folder."""

    name: str
    bytes: int


class Dataset(BaseModel):
    """One dataset version."""

    project: str
    metric: str
    row: VersionRow
    after: str
    others: list[str]
    candidate: CandidateRow | None
    classes: list[ClassCounts]
    most: int
    splits: dict[str, int]
    checks: list[CheckRow]
    waivers: list[WaiverRow]
    query: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    ontology: Ontology
    rule: dict[str, Any]
    aggregation: str
    near_duplicates: dict[str, int]
    shortfalls: list[str]
    left_out: int
    bridges: int
    left_out_rows: list[LeftOut]
    corrective: str
    code_version: str
    schema_id: str
    models: list[ModelRow]
    sample: list[str]
    files: list[FileRow]
    exports: list[str]
    problem: str

    @property
    def images_query(self) -> str:
        """The query for its images."""
        return links.of_dataset(self.project, self.row.digest)

    def split_query(self, split: str) -> str:
        """The query for the images of one of its splits."""
        return links.of_dataset(self.project, self.row.digest, split=split)

    @property
    def moment(self) -> str:
        """As of when its labels are asked for: as it has them."""
        return self.row.digest[: links.SHORT_DIGEST]

    def class_query(self, label: str, split: str = "") -> str:
        """The query for its images that have a class, to be asked as of its moment."""
        within = links.of_dataset(self.project, self.row.digest, split=split or None)
        return f"{within} and label = {links.quoted(label)}"


@routes.page("/p/{project}/datasets", template="pages/datasets.html", permission=Permission.VIEW)
def datasets(project: str, workspace: CurrentWorkspace) -> Datasets:
    """Every dataset version, and the newest candidate that did not become one."""
    settings = workspace.project(project)
    with workspace.log() as log:
        versions = version_rows(log, project, model_rows(log, settings))
        candidates = candidate_rows(log, project)
        newest = log.latest(f"{project}/dataset_candidate")
    waits = newest if candidates and newest and not candidates[0].version else None
    return Datasets(
        project=project,
        metric=settings.metric,
        task=settings.task,
        versions=versions,
        candidates=candidates,
        refused=refused_candidate(workspace, project, waits, candidates[0]) if waits else None,
    )


@routes.page(
    "/p/{project}/datasets/{digest}", template="pages/dataset.html", permission=Permission.VIEW
)
def dataset(project: str, digest: str, workspace: CurrentWorkspace) -> Dataset:
    """One dataset version: counts, classes, checks, query, tables, models and what was left out.

    ``digest`` is a digest, a prefix of one, or ``latest``.
    """
    settings = workspace.project(project)
    with workspace.log() as log:
        event = find_event(log, asset="dataset_version", ref=f"{project}@{digest}")
        models = model_rows(log, settings)
        versions = version_rows(log, project, models)
        pointer = event.input(f"{project}/dataset_candidate")
        made_from = log.event(pointer.key, pointer.storage_id) if pointer else None
        given = waivers_of(log, project, event.version)
    place = next(n for n, row in enumerate(versions) if row.digest == event.version)
    problem, record = "", None
    try:
        record = read_version_record(workspace.store, project, event.version)
    except CVPipelineError as error:
        problem = str(error)
    return _dataset(
        workspace,
        project=project,
        metric=settings.metric,
        event=event,
        made_from=made_from,
        row=versions[place],
        after=versions[place - 1].digest if place else "",
        others=[v.digest for v in versions if v.digest != event.version],
        models=[m for m in models if m.dataset == event.version],
        record=record,
        waivers=[*{w.digest: w for w in (*(record.waivers if record else ()), *given)}.values()],
        problem=problem,
    )


def _dataset(
    workspace: Workspace,
    *,
    project: str,
    metric: str,
    event: Materialization,
    made_from: Materialization | None,
    row: VersionRow,
    after: str,
    others: list[str],
    models: list[ModelRow],
    record: DatasetRecord | None,
    waivers: list[Waiver],
    problem: str,
) -> Dataset:
    classes = _classes(record) if record else []
    results = _results(workspace, made_from, record)
    folder = str(made_from.metadata.get("folder", "")) if made_from else ""
    ontology = record.ontology if record else Ontology(labels=("unknown",))
    return Dataset(
        project=project,
        metric=metric,
        row=row,
        after=after,
        others=others,
        candidate=find_candidate(workspace, project, made_from.storage_id)[1]
        if made_from
        else None,
        classes=classes,
        most=max((c.total for c in classes), default=0),
        splits=in_order(record.splits) if record else row.splits,
        checks=check_rows(results, waivers),
        waivers=waiver_rows(waivers),
        query=record.query if record else "",
        sql=record.sql if record else "",
        parameters=dict(record.parameters) if record else {},
        table_versions=record.table_versions if record else {},
        ontology=ontology,
        rule=record.rule.model_dump(mode="json") if record else {},
        aggregation=record.aggregation if record else "",
        near_duplicates=record.near_duplicates if record else {},
        shortfalls=[
            f"No {s.label} in {s.split}: {s.units} independent images or groups show it."
            for s in (record.shortfalls if record else ())
        ],
        left_out=record.left_out if record else 0,
        bridges=record.bridges if record else 0,
        left_out_rows=_left_out(workspace, project, folder),
        corrective=(record.corrective or "") if record else "",
        code_version=record.code_version if record else event.code_version,
        schema_id=record.schema_id if record else "",
        models=models,
        sample=texts(event.metadata.get("pictured")),
        files=_files(workspace, project, event.version),
        exports=[
            f"cvp export {project}@{event.version[:12]} --format {name} --to {project}-{name}"
            for name in (written_formats(record.task) if record else ())
        ],
        problem=problem,
    )


def _results(
    workspace: Workspace, candidate: Materialization | None, record: DatasetRecord | None
) -> list[Any]:
    """What the checks said: with rows where the event log has them, else as the version says."""
    recorded = {v.check: v for v in record.verdicts} if record else {}
    if candidate is None:
        return rows_of_verdicts(list(recorded.values()))
    found = workspace.kept.get(
        ("results", candidate.key, candidate.storage_id, int(time.monotonic() // FRESH_SECONDS)),
        lambda: check_results(workspace.instance, candidate),
    )
    ran = [r for r in found if r.at is not None]
    return ran or rows_of_verdicts(list(recorded.values()))


def _classes(record: DatasetRecord) -> list[ClassCounts]:
    """The classes in the order of the ontology, those that it does not know after them."""
    known = [*record.ontology.labels]
    found = {label for part in record.contents.values() for label in part.labels}
    rows = []
    for label in [*known, *sorted(found - set(known))]:
        counts = {s: record.contents[s].labels.get(label, 0) for s in in_order(record.splits)}
        rows.append(ClassCounts(label=label, counts=counts, total=sum(counts.values())))
    return rows


def _left_out(workspace: Workspace, project: str, folder: str) -> list[LeftOut]:
    """The first images that the candidate left out; none where its folder is gone."""
    key = f"projects/{project}/candidates/{folder}"
    if not folder or not published(workspace.store, key, marker="candidate.json"):
        return []
    where = workspace.store.arrow(f"{key}/{LEFT_OUT_FILE}")
    try:
        rows = pq.read_table(where.path, filesystem=where.filesystem)
    except (OSError, ValueError):
        return []
    return [LeftOut(**row) for row in rows.slice(0, LEFT_OUT_SHOWN).to_pylist()]


def _files(workspace: Workspace, project: str, digest: str) -> list[FileRow]:
    start = f"projects/{project}/datasets/{digest}/"
    return [
        FileRow(name=info.key.removeprefix(start), bytes=info.size)
        for info in workspace.store.list(start)
    ]
