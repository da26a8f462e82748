"""What is labelled and how: classes, their versions, the guideline, and whether work may start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.annotations.ontology import changed_versions, read_guideline
from cv_pipeline.annotations.ontology.record import guideline_versions
from cv_pipeline.annotations.ontology.relabelling import relabelling_batch
from cv_pipeline.catalog.tables import one_of
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.data.ontology import Labels, OntologyVersion, labels_of, versions_of
from cv_pipeline.inspector.data.ontology_preview import OntologyPreview, preview
from cv_pipeline.inspector.jobs import JobState, Progress, jobs_of
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.labeling.batches.hand_off import PARTS, HandOffState, state
from cv_pipeline.labeling.batches.pilot import Pilot
from cv_pipeline.labeling.batches.pilot_parts import PilotPart, pilot_parts
from cv_pipeline.labeling.exchange.imported import pulled_and_not_imported
from cv_pipeline.markdown import rendered
from cv_pipeline.project import Project
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.ontology_use import ontology_use

routes = Routes("Ontology and guideline")

_PILOTS = 3
"""Pilot rounds whose parts are told: the latest."""


class GuidelineText(BaseModel):
    """A version of the guideline; ``html`` is safe to show."""

    version: str
    current: bool
    since: datetime | None
    text: str
    html: str


class GuidelinePage(BaseModel):
    """The guideline that annotators work by; nothing where there is no text of its version."""

    project: str
    version: str
    guideline: GuidelineText | None


class MissingRow(BaseModel):
    """One thing that is missing before volume work may start, and what to do next."""

    what: str
    do: str


class GatePart(BaseModel):
    """One part of the gate, and what is missing of it."""

    part: str
    title: str
    missing: list[MissingRow]


class GoldRow(BaseModel):
    """Gold images of a class or an edge case, and how many there must be."""

    name: str
    images: int
    needed: int


class PilotPartRow(BaseModel):
    """A class, edge case or pair of annotators of a pilot round, and how far people agree there.

    Attributes:
        kind: class, edge case or pair; pairs are told to who may launch, for they are of persons.
        fails: whether that is less than the pilot must show.
        query: its images, in the query language, where people differ most first.
    """

    kind: str
    name: str
    alpha: float | None
    why: str
    images: int | None
    fails: bool
    query: str


class PilotRow(BaseModel):
    """A pilot round and how far people agree on it, and on its parts, the worst first."""

    batch: str
    finished: bool
    images: int
    annotators: int
    alpha: float | None
    low: float | None
    high: float | None
    mean_iou: float | None
    why: str
    parts: list[PilotPartRow]


class Gate(BaseModel):
    """Whether volume work may start."""

    may_start: bool
    enforced: bool
    parts: list[GatePart]
    gold: list[GoldRow]
    pilots: list[PilotRow]


class Found(BaseModel):
    """What is worked out in the background."""

    labels: Labels
    versions: list[OntologyVersion]
    gate: Gate


class OntologyPage(BaseModel):
    """Classes and attributes with their labels, versions, guideline and gate."""

    project: str
    version: str
    guideline_version: str
    problems: list[MissingRow]
    guidelines: list[GuidelineText]
    to_relabel: str
    job: JobState
    found: Found | None


class ChangedOntology(BaseModel):
    """A changed ``project.yaml``, or its section ``ontology:`` alone."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=200_000)


@routes.page("/p/{project}/ontology", template="pages/ontology.html", permission=Permission.VIEW)
def ontology(project: str, workspace: CurrentWorkspace, access: CurrentAccess) -> OntologyPage:
    """Classes with examples, versions with what led to them, guideline, and the hand-off gate."""
    settings = workspace.project(project)
    catalog = workspace.lake(project).catalog
    with workspace.log() as log:
        events = [
            next((e.storage_id for e in log.newest_first(f"{project}/{asset}")), 0)
            for asset in ("annotation_exports", "dataset_version", "trained_model")
        ]

    def work(_: Progress) -> Found:
        return _found(workspace, settings)

    tables = ("annotations", "labeling_batches", "labeling_tasks", "tool_annotations", "quarantine")
    more = ("image_batches", "ontology_versions", "tool_people")
    identities = tuple(catalog.table(name).identity() for name in (*tables, *more))
    waiting = pulled_and_not_imported(catalog)  # which an import changes that makes no label
    asks = settings.labeling.hand_off.gold.query is not None  # which may be about anything
    lake = tuple(sorted(workspace.snapshot(project).identities.items())) if asks else ()
    stamp = settings.model_dump_json(include={"ontology", "labeling", "annotations"})
    guidelines = _guidelines(workspace, settings)
    texts = tuple(g.text for g in guidelines)
    key = ("ontology", project, identities, waiting, lake, tuple(events), stamp, texts)
    job = jobs_of(workspace).ask(key, work)
    return OntologyPage(
        project=project,
        version=settings.ontology.version,
        guideline_version=settings.ontology.guideline_version,
        problems=[
            MissingRow(what=e.what, do=e.do)
            for e in changed_versions(settings, catalog, projects=workspace.projects_folder)
        ],
        guidelines=guidelines,
        to_relabel=_relabelling(workspace, settings),
        job=JobState.of(job),
        found=_shown(job.result, by_person=access.may(Permission.LAUNCH, project)),
    )


@routes.page(
    "/p/{project}/guideline", template="pages/guideline.html", permission=Permission.ASSIGNED
)
def guideline(project: str, workspace: CurrentWorkspace) -> GuidelinePage:
    """The guideline that annotators work by."""
    settings = workspace.project(project)
    known = _guidelines(workspace, settings)
    return GuidelinePage(
        project=project,
        version=settings.ontology.guideline_version,
        guideline=next((one for one in known if one.current), None),
    )


@routes.api("POST", "/p/{project}/ontology/preview", permission=Permission.REVIEW)
def preview_ontology(
    project: str, changed: ChangedOntology, workspace: CurrentWorkspace
) -> OntologyPreview:
    """What a changed ontology would do to the labels that there are; nothing is changed."""
    return preview(
        changed.text,
        workspace.project(project),
        workspace.lake(project).catalog,
        projects=workspace.projects_folder,
    )


def _found(workspace: Workspace, settings: Project) -> Found:
    catalog = workspace.lake(settings.name).catalog
    log = LineageIndex(workspace.instance)
    use = ontology_use(log, workspace.store, project=settings.name)
    versions = versions_of(settings, catalog, log, use)
    gate = state(settings, catalog=catalog, projects=workspace.projects_folder)
    parts = {one.batch: pilot_parts(settings, catalog, one) for one in gate.pilots[:_PILOTS]}
    return Found(labels=labels_of(settings, catalog), versions=versions, gate=_gate(gate, parts))


def _shown(found: Found | None, *, by_person: bool) -> Found | None:
    """What was found as somebody may see it: how pairs of people agree is for who may launch."""
    if found is None or by_person:
        return found
    shown = found.model_copy(deep=True)
    for pilot in shown.gate.pilots:
        pilot.parts = [part for part in pilot.parts if part.kind != "pair"]
    return shown


def _guidelines(workspace: Workspace, settings: Project) -> list[GuidelineText]:
    """The texts of all versions that were used, and of the current one, the newest first."""
    catalog = workspace.lake(settings.name).catalog
    current = settings.ontology.guideline_version
    known = {v.guideline.version: (v.guideline.text, v.at) for v in guideline_versions(catalog)}
    now = read_guideline(settings, projects=workspace.projects_folder)
    texts: list[tuple[str, str, datetime | None]] = [(v, *told) for v, told in known.items()]
    if now is not None and current not in known:
        texts.append((current, now.text, None))
    return [
        GuidelineText(
            version=version,
            current=version == current,
            since=at,
            text=text,
            html=str(rendered(text)),
        )
        for version, text, at in reversed(texts)
    ]


def _relabelling(workspace: Workspace, settings: Project) -> str:
    """Name of the batch of images that this version needs labelled again; empty for none."""
    name = relabelling_batch(settings.ontology.version)
    table = workspace.lake(settings.name).catalog.table("image_batches")
    return name if len(table.read(columns=["name"], filter=one_of("name", [name]))) else ""


def _gate(found: HandOffState, parts: Mapping[str, Sequence[PilotPart]]) -> Gate:
    return Gate(
        may_start=not found.missing,
        enforced=found.enforced,
        parts=[
            GatePart(
                part=part,
                title=title,
                missing=[MissingRow(what=m.what, do=m.do) for m in found.of(part)],
            )
            for part, title in PARTS.items()
        ],
        gold=[GoldRow(name=g.name, images=g.images, needed=g.needed) for g in found.gold],
        pilots=[_pilot(pilot, parts.get(pilot.batch, ())) for pilot in found.pilots],
    )


def _pilot(pilot: Pilot, parts: Sequence[PilotPart]) -> PilotRow:
    said = pilot.agreement
    return PilotRow(
        batch=pilot.batch,
        finished=pilot.finished,
        images=said.images,
        annotators=said.annotators,
        alpha=said.alpha.value,
        low=said.alpha.low,
        high=said.alpha.high,
        mean_iou=said.mean_iou,
        why=said.alpha.why,
        parts=[
            PilotPartRow(
                kind=one.part.kind,
                name=one.part.name,
                alpha=one.part.alpha.value,
                why=one.part.alpha.why,
                images=one.part.images,
                fails=one.fails,
                query=one.query,
            )
            for one in parts
        ],
    )
