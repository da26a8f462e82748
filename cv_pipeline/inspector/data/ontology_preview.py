"""What a changed ontology would do to the labels that there are, before it is in place."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from cv_pipeline.annotations.ontology.effect import Effect, effect
from cv_pipeline.annotations.ontology.relabelling import relabelling_batch
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ProjectError
from cv_pipeline.project import Project, read_project
from cv_pipeline.yaml_file import parse_yaml

_TAKEN = ("ontology", "annotations")
"""Sections that count where not all of project.yaml is pasted; the others are as they are now."""
_NAMING_CLASSES = ("requirements", "checks", "expectations", "evaluation")
_PASTED = Path("The changed project.yaml")


class MoveRow(BaseModel):
    """Labels of one class that become another's, or cannot come along.

    Attributes:
        label: the class that they are of now.
        version: of the ontology that they were made under.
        into: the class that they become; empty for those that cannot come along.
        relabel: whether their images go to the relabelling batch.
        detail: why they cannot come along, as a sentence.
        labels: how many.
        images: on how many images.
        examples: ids of some of these.
    """

    label: str
    version: str
    into: str
    relabel: bool
    detail: str
    labels: int
    images: int
    examples: list[str]


class OntologyPreview(BaseModel):
    """What a changed ontology would do; nothing is changed by asking.

    Attributes:
        version: its version.
        moves: which labels would go where; those that stay are not among them.
        labels: labels that there are.
        stays: how many of them stay what they are.
        converted: how many would become of another class.
        quarantined: how many could not come along.
        relabel: images that people would have to label again.
        relabel_batch: the batch that those would be set aside as; empty for none.
        problems: what stands in the way, as sentences.
    """

    version: str
    moves: list[MoveRow]
    labels: int
    stays: int
    converted: int
    quarantined: int
    relabel: int
    relabel_batch: str
    problems: list[str]


def preview(text: str, now: Project, catalog: Catalog, *, projects: Path) -> OntologyPreview:
    """What a changed ontology would do.

    Args:
        text: a changed project.yaml, or as much of it as changes: its ``ontology``, and what it
            says of ``annotations``.
        now: the project as it is.
        catalog: its tables.
        projects: folder of the projects.

    Raises:
        ProjectError: the text is no YAML, has no ontology, is of another project, or is wrong; the
            message says where.
    """
    changed = _changed(text, now, projects)
    return _told(effect(changed, catalog, now=now, projects=projects))


def _changed(text: str, now: Project, projects: Path) -> Project:
    _refuse_aliases(text)
    told = parse_yaml(text, _PASTED).values
    if not isinstance(told.get("ontology"), dict):
        raise ProjectError(
            "It has no section ontology:.",
            do="Paste the changed project.yaml, or its section that begins with ontology:.",
        )
    if told.get("name", now.name) != now.name:
        raise ProjectError(
            f"It is of the project {told['name']!r}, not of {now.name!r}.",
            do="Paste the changed project.yaml of the same project.",
        )
    if "name" not in told:
        path = projects / now.name / "project.yaml"
        whole = parse_yaml(path.read_text(encoding="utf-8"), path).values
        # what names classes elsewhere is not what is asked about here
        kept = {name: part for name, part in whole.items() if name not in _NAMING_CLASSES}
        text = json.dumps({**kept, **{name: told[name] for name in _TAKEN if name in told}})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "project.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return read_project(path)
        except ProjectError as error:
            raise ProjectError(error.what.replace(str(path), str(_PASTED)), do=error.do) from error


def _refuse_aliases(text: str) -> None:
    """A few lines of aliases can stand for gigabytes."""
    try:
        if any(isinstance(event, AliasEvent) for event in YAML().parse(text)):
            raise ProjectError("It has aliases (*name).", do="Write out what they stand for.")
    except YAMLError:
        return  # who parses it says what is wrong


def _told(found: Effect) -> OntologyPreview:
    moves = [
        MoveRow(
            label=move.label,
            version=move.version,
            into=move.into,
            relabel=move.relabel,
            detail=move.detail,
            labels=move.labels,
            images=move.images,
            examples=list(move.examples),
        )
        for move in found.moves
    ]
    lost = sum(found.quarantined.values())
    converted = sum(move.labels for move in moves if move.into)
    return OntologyPreview(
        version=found.version,
        moves=moves,
        labels=found.labels,
        stays=found.labels - converted - lost,
        converted=converted,
        quarantined=lost,
        relabel=len(found.relabel),
        relabel_batch=relabelling_batch(found.version) if found.relabel else "",
        problems=list(found.problems),
    )
