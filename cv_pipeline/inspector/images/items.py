"""The images of a stretch of the grid as the page shows them: size, marks, verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.snapshot.rows import take_rows
from cv_pipeline.inspector.images.grid import Grid
from cv_pipeline.inspector.images.labels import label_marks
from cv_pipeline.inspector.images.marks import Mark, outcome_marks
from cv_pipeline.inspector.workspace import Workspace

_COLUMNS = ["image_id", "path", "width", "height", "taken_out"]
_LOOKED_AT = 2_000


class GridItem(BaseModel):
    """One image of the grid.

    Attributes:
        id: the image.
        path: its path in its source.
        width: pixels.
        height: pixels.
        taken_out: whether its pixels are gone for good.
        marks: what is drawn over it.
        score: how well the model did on it, 0 to 1; None without an evaluation.
        correct: whether the model made no mistake on it, likewise.
        truth: true class, for classification.
        predicted: predicted class, for classification.
    """

    id: str
    path: str
    width: int
    height: int
    taken_out: bool = False
    marks: list[Mark] = []
    score: float | None = None
    correct: bool | None = None
    truth: str | None = None
    predicted: str | None = None


def grid_items(workspace: Workspace, grid: Grid, *, start: int, count: int) -> list[GridItem]:
    """The images from a position on, fewer than asked for at the end.

    Args:
        workspace: what pages read.
        grid: the grid.
        start: position of the first, from 0.
        count: how many.
    """
    return items_of(workspace, grid, grid.numbers[start : start + count])


def items_of(workspace: Workspace, grid: Grid, numbers: NDArray[np.int32]) -> list[GridItem]:
    """Some images as the grid shows them, in their order."""
    snapshot = grid.selection.snapshot
    rows = take_rows(snapshot.images.select(_COLUMNS), numbers).to_pylist()
    sizes = [(row["width"], row["height"]) for row in rows]
    found = grid.outcomes
    if grid.visible is not None:  # an annotator judges without knowing what others said
        marks: list[list[Mark]] = [[] for _ in rows]
    elif found is not None:
        marks = outcome_marks(found, numbers, sizes)
        other = [i for i, n in enumerate(numbers) if found.evaluated_at[n] < 0]
        if other:  # not of the evaluation: what is known of them are their labels
            labels = label_marks(workspace, snapshot, numbers[other], [sizes[i] for i in other])
            for i, of_image in zip(other, labels, strict=True):
                marks[i] = of_image
    else:
        marks = label_marks(workspace, snapshot, numbers, sizes)
    results = _results(grid, numbers)
    return [
        GridItem.model_construct(
            id=row["image_id"],
            path=row["path"],
            width=row["width"],
            height=row["height"],
            taken_out=row["taken_out"],
            marks=of_image,
            score=result.get("score"),
            correct=result.get("correct"),
            truth=result.get("truth"),
            predicted=result.get("predicted"),
        )
        for row, of_image, result in zip(rows, marks, results, strict=True)
    ]


def aspect_of(snapshot: Snapshot, numbers: NDArray[np.int32]) -> float:
    """Width of the cells of a grid to their height: the median of the first images'."""
    if not len(numbers):
        return 1.0
    rows = take_rows(snapshot.images.select(["width", "height"]), numbers[:_LOOKED_AT])
    shape = pc.divide(rows["width"].cast("double"), rows["height"].cast("double"))
    return float(np.clip(np.median(shape.to_numpy()), 0.75, 1.6).round(3))


def _results(grid: Grid, numbers: NDArray[np.int32]) -> list[dict[str, Any]]:
    """What the evaluation says of each image as a whole; nothing where it was not evaluated."""
    if grid.outcomes is None:
        return [{} for _ in numbers]
    place = grid.outcomes.evaluated_at[numbers]
    per_image = grid.outcomes.evaluated.evaluation.per_image
    columns = ["score", "correct", "truth", "predicted"]
    rows = iter(per_image.select(columns).take(place[place >= 0]).to_pylist())
    return [next(rows) if at >= 0 else {} for at in place]
