"""The declared slices of the newest evaluation, the lowest first, from what it recorded."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel

from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation.slicing.facts import CHOSEN, named_condition
from cv_pipeline.evaluation.slicing.slices import WHOLE
from cv_pipeline.inspector.board.alerts import evaluation_address, images_address, table_rows
from cv_pipeline.inspector.board.history import Recorded, number

MOST = 8


class SliceNow(BaseModel):
    """A slice with the optimizing metric on it; ``whole`` is the metric on the whole split."""

    name: str
    value: float
    whole: float | None
    images: int
    href: str


def slices_now(
    project: str, newest: Recorded, *, metric: str, declared: Collection[str]
) -> list[SliceNow]:
    """The slices of an evaluation that are not too small, the lowest first.

    Args:
        project: name of the project.
        newest: the evaluation.
        metric: the optimizing metric.
        declared: names of slices that are queries, whose images its own page leads to.
    """
    whole = newest.value(metric)
    found = []
    for row in table_rows(newest.event.metadata.get("slices")):
        value, key = number(row.get("value")), str(row.get("slice_key") or "")
        if value is None or key == WHOLE or row.get("small") is True:
            continue
        text = None if row.get("slice_value") is None else str(row["slice_value"])
        found.append(
            SliceNow(
                name=slice_name(key, text, declared),
                value=value,
                whole=whole,
                images=int(number(row.get("images")) or 0),
                href=_address(project, newest, key, text, declared),
            )
        )
    return sorted(found, key=lambda s: (s.value, s.name))[:MOST]


def slice_name(key: str, value: str | None, declared: Collection[str]) -> str:
    """A slice as a person reads it; one that was declared as a query by its own name."""
    if key in declared:
        return key if value == CHOSEN else f"not {key}"
    return f"{key} is not set" if value is None else f"{key} = {value}"


def _address(
    project: str, newest: Recorded, key: str, text: str | None, declared: Collection[str]
) -> str:
    """Its images; where they cannot be asked for, its place on the evaluation's page."""
    split = newest.event.metadata.get("split")
    if key in declared or not newest.dataset or not isinstance(split, str):
        return evaluation_address(project, newest.digest, "slices")
    try:
        condition = named_condition(key, text)
    except CVPipelineError:
        return evaluation_address(project, newest.digest, "slices")
    query = f"dataset('{newest.dataset[:16]}', split = '{split}') and {condition}"
    # as of what was evaluated: what was tagged anew since is not what was measured
    return images_address(project, query, evaluation=newest.digest, as_of=newest.dataset[:16])
