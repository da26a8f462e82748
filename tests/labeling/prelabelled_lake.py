"""A lake of six images, two of them labelled, and a model that says what a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from cv_pipeline.catalog.schemas import IMAGE_FEATURES
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.labeling.prelabels.prelabelling import PrelabelReport, make_prelabels
from cv_pipeline.project import Project, find_project
from cv_pipeline.settings import projects_dir
from tests.catalog.datalake_world import DatalakeWorld

WAITING = (0, 2, 3, 4)
"""Images without labels."""
BOX = (1.0, 2.0, 11.0, 12.0)


def write_features(world: DatalakeWorld, numbers: Sequence[int]) -> None:
    """Say that images could be decoded."""
    measures = dict.fromkeys(IMAGE_FEATURES.names, 0)
    rows = [measures | {"image_id": world.ids[n]} for n in numbers]
    table = pa.Table.from_pylist(rows, schema=IMAGE_FEATURES)
    world.catalog.table("image_features").merge(table, on=["image_id"])


class Says:
    """Predicts for each image, by its number, boxes of (label, score); keeps what it was asked."""

    def __init__(self, world: DatalakeWorld, says: Mapping[int, Sequence[tuple[str, float]]]):
        self._world, self._says = world, says
        self.asked: list[list[int]] = []

    def __call__(self, images: pa.Table) -> pa.Table:
        numbers = [self._world.ids.index(i) for i in images["image_id"].to_pylist()]
        self.asked.append(sorted(numbers))
        rows: list[dict[str, Any]] = []
        for n in numbers:
            for rank, (label, score) in enumerate(self._says.get(n, ()), start=1):
                shift = 30.0 * rank
                edges = dict(zip(("x_min", "y_min", "x_max", "y_max"), BOX, strict=True))
                edges |= {"x_min": BOX[0] + shift, "x_max": BOX[2] + shift}
                row = {"image_id": self._world.ids[n], "rank": rank, "label": label}
                rows.append(row | {"score": score} | edges)
        return pa.Table.from_pylist(rows, schema=PREDICTIONS)


def project(**prelabels: Any) -> Project:
    """The project, with some settings of its pre-labels."""
    found = find_project("fruit", projects_dir())
    settings = found.labeling.prelabels.model_copy(update=prelabels)
    return found.model_copy(
        update={"labeling": found.labeling.model_copy(update={"prelabels": settings})}
    )


def prelabel(
    world: DatalakeWorld,
    says: Mapping[int, Sequence[tuple[str, float]]],
    *,
    model: str = "m1",
    **prelabels: Any,
) -> PrelabelReport:
    """Pre-label by a model that says so."""
    return make_prelabels(
        project(**prelabels), catalog=world.catalog, model=model, predict=Says(world, says)
    )
