"""Where the annotators of a pilot round disagree, and with which images to look at it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.gate_facts import fitting
from cv_pipeline.labeling.batches.pilot import Pilot, pilot_labels
from cv_pipeline.project import Project
from cv_pipeline.quality.agreement_parts import Part, agreement_parts


@dataclass(frozen=True)
class PilotPart:
    """A part of a pilot round.

    Attributes:
        part: which, and how far people agree there.
        fails: whether that is less than the pilot must show in all.
        query: its images, in the query language.
    """

    part: Part
    fails: bool
    query: str


def pilot_parts(project: Project, catalog: Catalog, pilot: Pilot) -> tuple[PilotPart, ...]:
    """How far people agree on each class, edge case and pair of people, the worst first.

    Args:
        project: whose edge cases and rule count.
        catalog: its tables.
        pilot: the pilot round.
    """
    rows, looked = pilot_labels(project, catalog, pilot.batch)
    rule = project.labeling.hand_off
    images: dict[str, pa.Array] = {
        case: rows["image_id"].filter(fitting(rows["attributes"], case)).unique()
        for case in rule.gold.edge_cases
    }
    found = agreement_parts(
        pilot.agreement, rows, looked=looked, least_iou=rule.pilot.least_iou, cases=images
    )
    return tuple(
        PilotPart(part, part.fails(rule.pilot.min_alpha), _query(pilot.batch, part))
        for part in found
    )


def _query(batch: str, part: Part) -> str:
    asked = [f"set_aside = {_quoted(batch)}"]
    if part.kind == "class":
        asked.append(f"label = {_quoted(part.name)}")
    elif part.kind == "edge case":
        name, _, value = (piece.strip() for piece in part.name.partition("="))
        told = {"": "true", "yes": "true", "no": "false"}.get(value) or _quoted(value)
        asked.append(f"annotations(attribute[{_quoted(name)}] = {told}) >= 1")
    else:
        asked += [f"annotator = {_quoted(name)}" for name in part.people]
    return f"{' and '.join(asked)} order by disagreement desc"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
