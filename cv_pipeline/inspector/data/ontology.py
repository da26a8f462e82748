"""Classes and attributes with their labels, and what led from one version to the next."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cv_pipeline.annotations.ontology.chain import YES_OR_NO, Chain, ChainStep
from cv_pipeline.annotations.ontology.record import ontology_versions
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.inspector.data.links import quoted
from cv_pipeline.ontology_steps import Step
from cv_pipeline.project import Project
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.ontology_use import OntologyUse

EXAMPLES = 5
"""Images that are shown of each class."""

_CLASSES = """
SELECT label, count(*) AS labels, count(DISTINCT image_id) AS images
FROM annotations
WHERE kind != 'tag'
GROUP BY label
"""
# those whose objects are large, for they are seen best when small
_EXAMPLES = """
SELECT label, image_id
FROM (
    SELECT label, image_id, max((x_max - x_min) * (y_max - y_min)) AS area
    FROM annotations
    WHERE kind != 'tag'
    GROUP BY label, image_id
)
QUALIFY row_number() OVER (PARTITION BY label ORDER BY area DESC NULLS LAST, image_id) <= $most
ORDER BY label, area DESC NULLS LAST, image_id
"""
# what labels were before they were converted to what they are
_MOVED = """
SELECT json_extract_string(attributes, '$."ontology.was"') AS was, label AS "into",
    count(*) AS labels, count(DISTINCT image_id) AS images,
    list_transform(
        list_reverse_sort(max(
            struct_pack(
                area := coalesce((x_max - x_min) * (y_max - y_min), 0), image_id := image_id
            ),
            $most
        )),
        lambda one: one.image_id
    ) AS examples
FROM annotations
WHERE contains(attributes, '"ontology.was"')
GROUP BY ALL
HAVING regexp_replace(was, '@[^@]*$', '') <> "into"
ORDER BY was, labels DESC, "into"
"""
_ATTRIBUTES = """
SELECT attributes, count(*) AS labels FROM annotations GROUP BY attributes
"""


class ClassRow(BaseModel):
    """A class with its labels, and images of it."""

    name: str
    colour: int
    labels: int
    images: int
    examples: list[str]
    query: str


class MovedRow(BaseModel):
    """Labels that were of another class under an earlier version, and images of them.

    Attributes:
        was: the class that they were of.
        version: of the ontology that they were made under.
        into: the class that they are of now.
        query: the images, in the query language.
    """

    was: str
    version: str
    into: str
    labels: int
    images: int
    examples: list[str]
    query: str


class AttributeRow(BaseModel):
    """An attribute with its values, and how many labels have each."""

    name: str
    required: bool
    values: dict[str, int]


class Labels(BaseModel):
    """What is labelled."""

    classes: list[ClassRow]
    attributes: list[AttributeRow]
    labels: int
    moved: list[MovedRow]


class StepRow(BaseModel):
    """A step to a version, in words, and what it did at the last import; null before one."""

    words: str
    converted: int | None
    dropped: int | None
    relabel: int | None


class OntologyVersion(BaseModel):
    """A version of the ontology."""

    version: str
    current: bool
    since: datetime | None
    digest: str
    labels: list[str]
    attributes: list[str]
    steps: list[StepRow]
    datasets: list[str]
    models: list[str]


def labels_of(project: Project, catalog: Catalog) -> Labels:
    """Classes and attributes with their labels.

    Args:
        project: which project.
        catalog: its tables.
    """
    ontology = project.ontology
    relations = {"annotations": catalog.table("annotations").relation()}
    counted = {r["label"]: r for r in run_sql(_CLASSES, relations=relations).to_pylist()}
    examples: dict[str, list[str]] = {}
    found = run_sql(_EXAMPLES, relations=relations, parameters={"most": EXAMPLES})
    for row in found.to_pylist():
        examples.setdefault(row["label"], []).append(row["image_id"])
    said = run_sql(_ATTRIBUTES, relations=relations).to_pylist()
    moved = run_sql(_MOVED, relations=relations, parameters={"most": EXAMPLES}).to_pylist()
    return Labels(
        classes=[
            ClassRow(
                name=name,
                colour=place % 10,
                labels=counted.get(name, {}).get("labels", 0),
                images=counted.get(name, {}).get("images", 0),
                examples=examples.get(name, []),
                query=f"label = {quoted(name)}",
            )
            for place, name in enumerate(ontology.labels)
        ],
        attributes=[
            AttributeRow(
                name=name,
                required=name in ontology.required,
                values=_values(name, values or YES_OR_NO, said),
            )
            for name, values in ontology.attributes.items()
        ],
        labels=sum(row["labels"] for row in counted.values()),
        moved=[_moved_row(row) for row in moved],
    )


def versions_of(
    project: Project, catalog: Catalog, log: LineageIndex, use: tuple[OntologyUse, ...]
) -> list[OntologyVersion]:
    """Every version of the ontology, the newest first.

    Args:
        project: which project.
        catalog: its tables.
        log: the event log, for what steps did.
        use: what was made under each version.
    """
    chain = Chain.of(project.ontology)
    recorded = {v.version: v for v in ontology_versions(catalog)}
    made = {one.version: one for one in use}
    did = _steps_of_last_import(log, project.name)
    rows = []
    for version in (*(v for v in recorded if v not in chain.versions), *chain.versions):
        one, state, known = recorded.get(version), chain.versions.get(version), made.get(version)
        content: dict[str, Any] = dict(one.content) if one else {}
        steps = [
            _step_row(step, did[place] if place < len(did) else {})
            for place, step in enumerate(chain.steps)
            if step.to == version
        ]
        rows.append(
            OntologyVersion(
                version=version,
                current=version == project.ontology.version,
                since=one.at if one else None,
                digest=one.digest if one else "",
                labels=list(state.labels if state else content.get("labels", ())),
                attributes=list(state.attributes if state else content.get("attributes", ())),
                steps=steps,
                datasets=list(known.datasets) if known else [],
                models=list(known.models) if known else [],
            )
        )
    return rows[::-1]


def words_of(step: Step) -> str:
    """A step as people say it."""
    if step.split:
        into = ", ".join(step.split.classes)
        how = f"by {step.split.by}" if step.split.by else "by labelling again"
        return f"split {step.split.label} into {into} {how}"
    if step.merge:
        return f"merge {', '.join(step.merge.labels)} into {step.merge.into}"
    if step.delete:
        then = "drop its labels" if step.delete.then == "drop" else "label its images again"
        return f"delete {step.delete.label} and {then}"
    if step.add_attribute:
        values = ", ".join(step.add_attribute.values) or "yes or no"
        return f"add the attribute {step.add_attribute.name}: {values}"
    renamed = {**step.rename, **step.rename_attributes}
    if renamed:
        what = "attribute " if step.rename_attributes else ""
        return f"rename {what}{', '.join(f'{old} to {new}' for old, new in renamed.items())}"
    if step.add or step.remove_attributes:
        verb = "add" if step.add else "remove the attributes"
        return f"{verb} {', '.join(step.add or step.remove_attributes)}"
    if step.rename_values:
        told = (
            f"{name} {', '.join(f'{old} to {new}' for old, new in values.items())}"
            for name, values in step.rename_values.items()
        )
        return f"rename values of {'; '.join(told)}"
    verb, changed = ("add", step.add_values) if step.add_values else ("remove", step.remove_values)
    listed = (f"{name}: {', '.join(values)}" for name, values in changed.items())
    return f"{verb} values of {'; '.join(listed)}"


def _moved_row(row: dict[str, Any]) -> MovedRow:
    was, _, version = row["was"].rpartition("@")
    return MovedRow(
        was=was,
        version=version,
        into=row["into"],
        labels=row["labels"],
        images=row["images"],
        examples=list(dict.fromkeys(row["examples"])),
        query=f"label = {quoted(row['into'])}",
    )


def _step_row(step: ChainStep, did: dict[str, Any]) -> StepRow:
    fits = did.get("kind") == step.step.kind and did.get("to") == step.to
    counts = {
        name: int(did[name]) if fits and name in did else None
        for name in ("converted", "dropped", "relabel")
    }
    return StepRow(words=words_of(step.step), **counts)


def _steps_of_last_import(log: LineageIndex, project: str) -> list[dict[str, Any]]:
    """What each step did when labels were imported last."""
    event = next(log.newest_first(f"{project}/annotation_exports"), None)
    table = event.metadata.get("migrated") if event else None
    return [dict(record.data) for record in getattr(table, "records", ())]


def _values(name: str, allowed: tuple[str, ...], said: list[dict[str, Any]]) -> dict[str, int]:
    """Labels that have each value; of yes or no, what was not ticked counts as no."""
    counts = dict.fromkeys(allowed, 0)
    for row in said:
        value = json.loads(row["attributes"]).get(name)
        for one in value if isinstance(value, list) else [value]:
            text = {True: "yes", False: "no"}.get(one, one) if isinstance(one, bool) else one
            if isinstance(text, str) and text in counts:
                counts[text] += row["labels"]
            elif text is None and allowed == YES_OR_NO:
                counts["no"] += row["labels"]
    return counts
