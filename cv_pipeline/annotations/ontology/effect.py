"""What a changed ontology would do to the labels that there are, before it is put in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.ontology.chain import Chain
from cv_pipeline.annotations.ontology.migrate import Migrated, StepCount, migrate
from cv_pipeline.annotations.ontology.moves import ROW, Move, moves_of
from cv_pipeline.annotations.ontology.record import changed_versions
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.project import Project

_COLUMNS = (
    "image_id",
    "annotator",
    "role",
    "kind",
    "label",
    "attributes",
    "ontology_version",
    "source",
    "original_id",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
)


@dataclass(frozen=True)
class ClassChange:
    """Labels of one class, before and after.

    Attributes:
        label: the class, as it is called before, or after, or both.
        before: labels of it now.
        after: labels of it under the changed ontology.
    """

    label: str
    before: int
    after: int


@dataclass(frozen=True)
class Effect:
    """What a changed ontology would do.

    Attributes:
        version: its version.
        steps: what each step would do.
        moves: which labels would become which, and which could not come along.
        classes: labels of each class, before and after, those of the changed ontology first.
        labels: labels that there are now.
        converted: labels that would be of another version.
        quarantined: reason to labels that could not come along.
        relabel: ids of the images that people would have to label again, sorted.
        made_under: version to the labels that there are of it now.
        problems: what stands in the way of it, or is likely a mistake, as sentences.
    """

    version: str
    steps: tuple[StepCount, ...]
    moves: tuple[Move, ...]
    classes: tuple[ClassChange, ...]
    labels: int
    converted: int
    quarantined: Mapping[str, int]
    relabel: tuple[str, ...]
    made_under: Mapping[str, int]
    problems: tuple[str, ...]


def effect(
    changed: Project, catalog: Catalog, *, now: Project | None = None, projects: Path | None = None
) -> Effect:
    """What a changed project would do to the labels that there are.

    Args:
        changed: the project with the changed ontology.
        catalog: its tables.
        now: the project as it is; the changed one by default.
        projects: folder of the projects; ``CV_PROJECTS`` by default.
    """
    rows = catalog.table("annotations").read(columns=_COLUMNS)
    rows = rows.append_column(ROW, pa.array(np.arange(len(rows))))
    migrated = migrate(rows, changed.ontology)
    made_under = _counted(rows["ontology_version"])
    problems = [f"{e.what} {e.do}" for e in changed_versions(changed, catalog, projects=projects)]
    problems += _likely_mistakes(changed, now or changed, made_under)
    older = sum(count for v, count in made_under.items() if v != changed.ontology.version)
    return Effect(
        version=changed.ontology.version,
        steps=migrated.counts,
        moves=moves_of(rows, migrated),
        classes=tuple(_classes(rows, migrated, changed)),
        labels=len(rows),
        converted=older - len(migrated.unconverted),
        quarantined=dict(sorted(Counter(migrated.unconverted["reason"].to_pylist()).items())),
        relabel=tuple(migrated.relabel.to_pylist()),
        made_under=made_under,
        problems=tuple(problems),
    )


def _likely_mistakes(changed: Project, now: Project, made_under: Mapping[str, int]) -> list[str]:
    known = Chain.of(changed.ontology).versions
    told = []
    lost = [version for version in made_under if version not in known]
    if lost:
        told.append(
            f"No migration leads from version {', '.join(map(repr, lost))}, of which there are"
            f" {sum(made_under[v] for v in lost):,} labels: they would be quarantined."
        )
    before = now.annotations.ontology_version or now.ontology.version
    after = changed.annotations.ontology_version or changed.ontology.version
    if before != after and now.annotations.source == changed.annotations.source:
        told.append(
            f"The export of annotations.source would be taken as made under version {after!r}. If"
            f" it is the one of before, declare annotations.ontology_version: {before!r}."
        )
    return told


def _classes(rows: pa.Table, migrated: Migrated, changed: Project) -> list[ClassChange]:
    def counts(table: pa.Table) -> dict[str, int]:
        return _counted(table["label"].filter(pc.not_equal(table["kind"], "tag")))

    before, after = counts(rows), counts(migrated.rows)
    names = [*changed.ontology.labels, *(n for n in before if n not in changed.ontology.labels)]
    return [ClassChange(n, before.get(n, 0), after.get(n, 0)) for n in names]


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    found = column.value_counts().to_pylist()
    return {c["values"]: c["counts"] for c in sorted(found, key=lambda c: str(c["values"]))}
