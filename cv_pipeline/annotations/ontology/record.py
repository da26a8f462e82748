"""What each version of the ontology and of the guideline was when labels were made under it.

Kept in the catalogue from the first label on. Whoever changes classes or a guideline later without
raising the version is told, before anything is labelled or imported under two meanings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cv_pipeline.annotations.ontology.chain import YES_OR_NO, Chain
from cv_pipeline.annotations.ontology.guidelines import (
    Guideline,
    guideline_path,
    read_guideline,
)
from cv_pipeline.catalog.schemas import GUIDELINE_VERSIONS, ONTOLOGY_VERSIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import OntologyError
from cv_pipeline.project import Project


@dataclass(frozen=True)
class OntologyVersion:
    """A version of the ontology that labels were made under.

    Attributes:
        version: of the ontology.
        digest: SHA-256 of the content.
        content: labels, attributes, geometry, keypoints and tags.
        at: when labels were first made under it, UTC.
    """

    version: str
    digest: str
    content: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class GuidelineVersion:
    """A version of the guideline that labels were made under.

    Attributes:
        guideline: its version, text and digest.
        at: when labels were first made under it, UTC.
    """

    guideline: Guideline
    at: datetime


@dataclass(frozen=True)
class Locked:
    """What is locked from now on.

    Attributes:
        ontology_version: the current one.
        ontology_digest: SHA-256 of its content.
        guideline: the text that annotators work by; None where there is none.
    """

    ontology_version: str
    ontology_digest: str
    guideline: Guideline | None


def ontology_content(project: Project) -> dict[str, Any]:
    """What a version stands for: everything that changes what a label means, without order.

    What must be answered, and in which order classes are trained, may change under a version.
    """
    ontology = project.ontology
    return {
        "labels": sorted(ontology.labels),
        "attributes": {n: sorted(v) for n, v in sorted(ontology.attributes.items())},
        "geometry": sorted(ontology.shapes(project.task)),
        "keypoints": {n: list(v) for n, v in sorted(ontology.keypoints.items())},
        "tags": sorted(ontology.tags),
    }


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content of a version."""
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def lock(project: Project, catalog: Catalog, *, projects: Path | None = None) -> Locked:
    """Record what the current versions stand for; the same again changes nothing.

    Called before labels are made under them (a push), and when labels of them are imported.

    Args:
        project: whose versions.
        catalog: where they are recorded.
        projects: folder of the projects; ``CV_PROJECTS`` by default.

    Raises:
        OntologyError: labels were made under one of these versions when it was something else.
        ProjectError: the guideline cannot be read.
    """
    content = ontology_content(project)
    guideline = read_guideline(project, projects=projects)
    require_unchanged(project, catalog, projects=projects)
    now = datetime.now(UTC)
    digest = content_digest(content)
    version = {"version": project.ontology.version, "digest": digest, "at": now}
    row = {**version, "content": _canonical(content)}
    _insert(catalog, "ontology_versions", row, ONTOLOGY_VERSIONS)
    if guideline is not None:
        row = {**guideline.__dict__, "at": now}
        _insert(catalog, "guideline_versions", row, GUIDELINE_VERSIONS)
    # of two that locked at one moment the first counts, and the other must be told
    require_unchanged(project, catalog, projects=projects)
    return Locked(project.ontology.version, digest, guideline)


def require_unchanged(project: Project, catalog: Catalog, *, projects: Path | None = None) -> None:
    """Pass if the current versions are what labels were made under, where any were.

    Raises:
        OntologyError: one is not; the message says what changed and what to do.
        ProjectError: the guideline cannot be read.
    """
    mistakes = changed_versions(project, catalog, projects=projects)
    if mistakes:
        raise mistakes[0]


def changed_versions(
    project: Project, catalog: Catalog, *, projects: Path | None = None
) -> list[OntologyError]:
    """What changed under a version that labels were made under.

    Raises:
        ProjectError: the guideline cannot be read.
    """
    return [*_changed_ontology(project, catalog), *_changed_guideline(project, catalog, projects)]


def ontology_versions(catalog: Catalog) -> list[OntologyVersion]:
    """The versions that labels were made under, the first first."""
    rows = catalog.table("ontology_versions").read().to_pylist()
    found = [
        OntologyVersion(r["version"], r["digest"], json.loads(r["content"]), r["at"]) for r in rows
    ]
    return sorted(found, key=lambda v: (v.at, v.version))


def guideline_versions(catalog: Catalog) -> list[GuidelineVersion]:
    """The guideline's versions that labels were made under, the first first."""
    rows = catalog.table("guideline_versions").read().to_pylist()
    found = [
        GuidelineVersion(Guideline(r["version"], r["text"], r["digest"]), r["at"]) for r in rows
    ]
    return sorted(found, key=lambda v: (v.at, v.guideline.version))


def _insert(catalog: Catalog, name: str, row: dict[str, Any], schema: pa.Schema) -> None:
    table = catalog.table(name)
    known = table.read(columns=["version"])["version"].to_pylist()
    if row["version"] not in known:
        table.insert(pa.Table.from_pylist([row], schema=schema), on=table.key)


def _changed_ontology(project: Project, catalog: Catalog) -> list[OntologyError]:
    versions = Chain.of(project.ontology).versions
    now = ontology_content(project)
    changed = []
    for recorded in ontology_versions(catalog):
        state = versions.get(recorded.version)
        if recorded.version == project.ontology.version:
            told = _differences(recorded.content, now)
            do = (
                "Raise ontology.version and declare the change under ontology.migrations"
                " (docs/labeling/ontology.md), or undo it."
            )
            what = f"{'; '.join(told)}, and the version is {recorded.version!r} still."
        elif state is not None:
            then = {
                "labels": sorted(state.labels),
                "attributes": {n: sorted(v) for n, v in state.attributes.items()},
            }
            told = _differences(recorded.content, {**recorded.content, **then})
            do = "Declare under ontology.original and ontology.migrations what the version was."
            what = f"what project.yaml says of it differs: {'; '.join(told)}."
        else:
            continue
        if told:
            changed.append(
                OntologyError(
                    f"Labels of project {project.name} were made under version"
                    f" {recorded.version!r} of the ontology since {recorded.at:%Y-%m-%d}, but"
                    f" {what}",
                    do=do,
                )
            )
    return changed


def _changed_guideline(
    project: Project, catalog: Catalog, projects: Path | None
) -> list[OntologyError]:
    changed = []
    for recorded in guideline_versions(catalog):
        known = recorded.guideline
        found = read_guideline(project, known.version, projects=projects)
        if found is not None and found.digest != known.digest:
            path = guideline_path(project, known.version, projects=projects)
            changed.append(
                OntologyError(
                    f"{path} has changed, although labels of project {project.name} were made"
                    f" by it since {recorded.at:%Y-%m-%d}.",
                    do="Undo that, save the new text as the next version beside it, and raise"
                    " ontology.guideline_version.",
                )
            )
    return changed


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two contents, a phrase for each part."""
    told = []
    for part in ("labels", "tags", "geometry"):
        told += _named(part, then.get(part, ()), now.get(part, ()))
    for part in ("attributes", "keypoints"):
        old, new = then.get(part, {}), now.get(part, {})
        told += _named(part, old, new)
        for name in sorted({*old} & {*new}):
            told += _named(f"{part}.{name}", old[name] or YES_OR_NO, new[name] or YES_OR_NO)
    return told


def _named(part: str, then: Any, now: Any) -> list[str]:
    gone = [name for name in then if name not in now]
    come = [name for name in now if name not in then]
    told = [f"{part} lost {', '.join(map(repr, gone))}"] if gone else []
    return told + ([f"{part} got {', '.join(map(repr, come))}"] if come else [])


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
