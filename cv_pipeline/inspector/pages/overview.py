"""Everything of a project on one page; each number leads to the images that it counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.charts import Chart, Sample, Tick, line_chart
from cv_pipeline.inspector.data.links import quoted
from cv_pipeline.inspector.data.models import ModelRow, model_rows
from cv_pipeline.inspector.data.versions import VersionRow, version_rows
from cv_pipeline.inspector.jobs import JobState, Progress, jobs_of
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace
from cv_pipeline.overview import Overview, overview_of
from cv_pipeline.project import Project
from cv_pipeline.provenance.lineage_index import LineageIndex

routes = Routes("Overview")

SHOWN = 8
"""Versions and models that are listed."""
_MOST_MONTHS = 8


class CountedRow(BaseModel):
    """How many images are in some state, with the query for them; empty where there is none."""

    name: str
    count: int
    note: str
    query: str
    kind: str = ""


class Group(BaseModel):
    """A class or an annotator, with the query for the images of it."""

    name: str
    labels: int
    images: int
    last: datetime | None
    query: str


class Queue(BaseModel):
    """What waits for a label, and when none will."""

    waiting: int
    images_per_day: float | None
    low: float | None
    high: float | None
    days: float | None
    estimated_end: datetime | None
    earliest: datetime | None
    latest: datetime | None
    query: str


class OverviewPage(BaseModel):
    """A project on one page."""

    project: str
    metric: str
    problem: str
    job: JobState
    at: datetime | None
    total: int
    bytes: int
    states: list[CountedRow]
    classes: list[Group]
    annotators: list[Group]
    growth: list[dict[str, Any]]
    chart: Chart | None
    quarantined: dict[str, int]
    queue: Queue | None
    versions: list[VersionRow]
    versions_total: int
    ingested_since: dict[str, int]
    models: list[ModelRow]
    models_total: int


@routes.page("/p/{project}/overview", template="pages/overview.html", permission=Permission.VIEW)
def project_overview(project: str, workspace: CurrentWorkspace) -> OverviewPage:
    """Images, labels, what waits for a label and until when, versions and models."""
    settings = workspace.project(project)
    snapshot = workspace.snapshot(project)
    catalog = workspace.lake(project).catalog
    with workspace.log() as log:
        models = model_rows(log, settings)
        versions = version_rows(log, project, models)

    def work(_: Progress) -> Overview:
        log = LineageIndex(workspace.instance)
        return overview_of(settings, log=log, catalog=catalog, snapshot=snapshot)

    # counted anew when the lake changes, a version or model is made, and every hour for the queue
    key = (
        "overview",
        project,
        tuple(sorted(snapshot.identities.items())),
        len(versions),
        len(models),
        f"{datetime.now(UTC):%Y%m%d%H}",
        settings.ontology.version,
        settings.ontology.guideline_version,
    )
    job = jobs_of(workspace).ask(key, work)
    found = job.result
    lake = found.lake if found else None
    growth = lake.growth if lake else []
    return OverviewPage(
        project=project,
        metric=settings.metric,
        problem=settings.charter.problem,
        job=JobState.of(job),
        at=found.at if found else None,
        total=lake.images.total if lake else 0,
        bytes=lake.images.bytes if lake else 0,
        states=_states(found, settings) if found else [],
        classes=[
            Group(
                name=row["label"],
                labels=row["labels"],
                images=row["images"],
                last=None,
                query=f"label = {quoted(row['label'])}",
            )
            for row in (lake.classes if lake else [])
        ],
        annotators=[
            Group(
                name=row["annotator"],
                labels=row["labels"],
                images=row["images"],
                last=row["last_label_at"],
                query=f"annotator = {quoted(row['annotator'])}",
            )
            for row in (lake.annotators if lake else [])
        ],
        growth=growth,
        chart=_growth_chart(growth) if growth else None,
        quarantined=lake.quarantined if lake else {},
        queue=_queue(found) if found else None,
        versions=versions[:SHOWN],
        versions_total=len(versions),
        ingested_since={v.version: v.ingested_since for v in found.versions} if found else {},
        models=models[:SHOWN],
        models_total=len(models),
    )


def _states(found: Overview, settings: Project) -> list[CountedRow]:
    images, ontology = found.lake.images, settings.ontology
    there = max(images.total - images.taken_out, 1)
    stale = (
        f"annotations(ontology_version != {quoted(ontology.version)} or guideline_version !="
        f" {quoted(ontology.guideline_version)})"
    )

    def share(count: int) -> str:
        return f"{100 * count / there:.0f} %"

    return [
        CountedRow(
            name="Images",
            count=images.total - images.taken_out,
            note=f"{images.taken_out:,} taken out" if images.taken_out else "",
            query="all images",
        ),
        CountedRow(
            name="Labelled",
            count=images.labelled,
            note=share(images.labelled),
            query="labelled",
        ),
        CountedRow(
            name="Unlabelled",
            count=images.unlabelled,
            note=share(images.unlabelled),
            query="not labelled",
        ),
        CountedRow(
            name="Untouched",
            count=images.untouched,
            note="neither tag nor label",
            query="tags_count = 0",
        ),
        CountedRow(
            name="Contested",
            count=images.contested,
            note=f"of {images.labelled_twice:,} labelled twice",
            query="disagreement > 0",
            kind="warn" if images.contested else "",
        ),
        CountedRow(
            name="Stale",
            count=images.stale,
            note="of another ontology or guideline",
            query=stale,
            kind="warn" if images.stale else "",
        ),
    ]


def _queue(found: Overview) -> Queue:
    queue = found.lake.queue
    return Queue(
        waiting=queue.waiting,
        images_per_day=queue.images_per_day,
        low=queue.low,
        high=queue.high,
        days=queue.days,
        estimated_end=queue.estimated_end,
        earliest=queue.earliest,
        latest=queue.latest,
        query="not labelled",
    )


def _growth_chart(growth: list[dict[str, Any]]) -> Chart:
    """Images and labelled images over the months, added up."""
    samples: dict[str, list[Sample]] = {"images": [], "labelled": []}
    for name, words in (("images", "ingested"), ("labelled", "labelled")):
        total = 0
        for row in growth:
            total += row[name]
            samples[name].append(
                Sample(
                    _number_of(row["month"]),
                    float(total),
                    f"{total:,} images {words} by the end of {row['month']}, {row[name]:,} in it",
                    row["month"],
                )
            )
    words = f"Images and labelled images over {len(growth)} months."
    lines = [("images", samples["images"]), ("labelled", samples["labelled"])]
    return line_chart(
        lines,
        title="Growth",
        words=words,
        unit=(0.0, 1e18),
        height=200.0,
        axis=_months([row["month"] for row in growth]),
        zero=True,
    )


def _number_of(month: str) -> float:
    """Months since the year 0, by which months are evenly spread."""
    year, of_year = month.split("-")
    return 12.0 * int(year) + int(of_year)


def _months(known: list[str]) -> list[Tick]:
    """Marks of an axis of months, every so many of them, the first among them."""
    first, last = _number_of(known[0]), _number_of(known[-1])
    span = max(last - first, 1.0)
    every = next(n for n in (1, 2, 3, 6, 12, 24, 60, 120, 1_200) if span / n < _MOST_MONTHS)
    marks = range(int(first), int(last) + 1, every)
    return [Tick(at=n, text=f"{(n - 1) // 12:04d}-{(n - 1) % 12 + 1:02d}") for n in marks]
