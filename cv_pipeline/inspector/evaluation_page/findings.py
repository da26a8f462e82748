"""The worst slices of an evaluation, in words, each with its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.catalog.query import parse
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation.detection.error_kinds import CORRECT
from cv_pipeline.inspector.evaluation_page.selections import Selections
from cv_pipeline.inspector.images.asking import asker
from cv_pipeline.inspector.shots import Shot, shots
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.evaluated import Evaluated

MOST = 12
PICTURED, OF_EACH = 3, 6


class Finding(BaseModel):
    """A slice on which the model is worse than elsewhere.

    Attributes:
        rank: from 1, the worst first.
        sentence: all of it in words.
        slice: the slice in words, without the numbers.
        label: class; None for all.
        query: condition that selects its images in any split; empty where only ids say which.
        selection: query for its images in the split that was measured; empty likewise.
        href: address of those.
        shots: some of them that the model gets wrong.
    """

    rank: int
    sentence: str
    slice: str
    label: str | None
    metric: str
    value: float
    low: float
    high: float
    rest: float
    adjusted_p: float
    images: int
    objects: int
    missed: int
    taken_for: str | None
    taken_for_count: int
    query: str
    selection: str
    href: str
    shots: list[Shot]


def findings(workspace: Workspace, evaluated: Evaluated, links: Selections) -> list[Finding]:
    """The worst slices, the worst first; pictures of the first few."""
    made = evaluated.evaluation
    return [
        _finding(row, links, _shots(workspace, evaluated, row, links) if n < PICTURED else [])
        for n, row in enumerate(made.worst_slices.slice(0, MOST).to_pylist())
    ]


def _finding(row: Mapping[str, Any], links: Selections, pictures: list[Shot]) -> Finding:
    sentence = str(row["sentence"])
    told = {name: row[name] for name in Finding.model_fields if name in row and name != "query"}
    return Finding(
        **told,
        slice=sentence.partition(": ")[0],
        query=str(row["query"] or ""),
        selection=links.condition(row["query"], label=row["label"]) if row["query"] else "",
        href=links.of(row["query"], label=row["label"]) if row["query"] else "",
        shots=pictures,
    )


def _shots(
    workspace: Workspace, evaluated: Evaluated, row: Mapping[str, Any], links: Selections
) -> list[Shot]:
    """Images of the slice that hold something the model gets wrong of its class."""
    if not row["query"]:
        return []
    made = evaluated.evaluation
    key = ("finding", evaluated.project, made.digest, row["rank"])

    def find() -> list[Shot]:
        ask, _ = asker(workspace, evaluated.project, made.record.dataset)
        chosen = ask(parse(links.condition(row["query"], label=row["label"]))).image_ids
        matches = made.matches
        wrong = matches.filter(
            pc.and_(
                pc.equal(matches["split"], made.record.split),
                pc.not_equal(matches["kind"], pa.scalar(CORRECT)),
            )
        )
        if row["label"] is not None:
            wrong = wrong.filter(pc.fill_null(pc.equal(wrong["truth"], row["label"]), False))
        ids = wrong.filter(pc.is_in(wrong["image_id"], value_set=chosen))["image_id"].to_pylist()
        return shots(evaluated, list(dict.fromkeys(ids))[:OF_EACH], label=row["label"])

    try:
        found: list[Shot] = workspace.kept.get(key, find)
    except (CVPipelineError, OSError):  # the sentence stands without pictures
        return []
    return found
