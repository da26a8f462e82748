"""What is drawn over images: their labels, or what an evaluated model got right and wrong.

Both are looked up for some images at once, from tables that are sorted by the image's number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.snapshot.rows import plain_schema
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.errors import EvaluationError
from cv_pipeline.inspector.images.shapes import MarkShape
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.evaluated import Evaluated

MOST_MARKS = 120
"""Marks of one image in the grid; the image's own page has them all."""

_OUTCOMES = """
SELECT
    ids.n, matches.split, matches.kind, matches.truth, matches.predicted, matches.score,
    matches.iou, matches.rank, matches.annotation_id,
    said.x_min, said.y_min, said.x_max, said.y_max,
    drawn.x_min AS truth_x_min, drawn.y_min AS truth_y_min,
    drawn.x_max AS truth_x_max, drawn.y_max AS truth_y_max
FROM matches
JOIN ids USING (image_id)
LEFT JOIN said ON said.image_id = matches.image_id AND said.rank = matches.rank
LEFT JOIN drawn ON drawn.annotation_id = matches.annotation_id
ORDER BY ids.n, matches.rank NULLS LAST, matches.annotation_id
"""

Box = tuple[float, float, float, float]


class Mark(BaseModel):
    """One thing that is drawn over an image.

    Attributes:
        kind: ``label`` for a label; or what a prediction came to: ``correct``, a kind of error,
            ``missed`` for an object that was not found.
        label: class: of the prediction, or else of the object.
        truth: class of the object that a prediction of another class means.
        score: score of a prediction.
        iou: overlap of a prediction with the object.
        box: left, top, width and height as shares of the image; None for the image as a whole.
        truth_box: box of the object that a prediction means.
        annotator: who drew a label.
        rank: position of a prediction among those of its image.
        annotation_id: the object that is meant.
        attributes: of a label, as a JSON object; None for none.
        geometry: kind of a label's geometry: bbox, rotated_box, polygon, mask, keypoints, class
            (the label of the whole image) or tag (one of any number that it has).
        shape: what is drawn in place of the box; None where the box is all there is.
    """

    kind: str
    label: str
    truth: str | None = None
    score: float | None = None
    iou: float | None = None
    box: Box | None = None
    truth_box: Box | None = None
    annotator: str | None = None
    rank: int | None = None
    annotation_id: str | None = None
    attributes: str | None = None
    geometry: str | None = None
    shape: MarkShape | None = None


class RowsByImage:
    """Rows of a table by the images that they are about.

    Args:
        table: sorted by its column ``n``.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._n = table["n"].to_numpy()

    def of(
        self, numbers: NDArray[np.int32], *, most: int | None = MOST_MARKS
    ) -> list[list[dict[str, Any]]]:
        """The rows of each of some images, in their order; at most so many of each."""
        begins = np.searchsorted(self._n, numbers, "left")
        counts = np.searchsorted(self._n, numbers, "right") - begins
        counts = counts if most is None else np.minimum(counts, most)
        parts = [
            self._table.slice(int(b), int(c)) for b, c in zip(begins, counts, strict=True) if c
        ]
        if not parts:
            return [[] for _ in numbers]
        rows = pa.concat_tables(parts)
        plain = rows.cast(plain_schema(rows.schema)).drop_columns(["n"]).to_pylist()
        ends = np.cumsum(counts)
        return [plain[e - c : e] for e, c in zip(ends.tolist(), counts.tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What an evaluated model got right and wrong, by image.

    Attributes:
        evaluated: the evaluation.
        table: a row for each prediction that counts and each missed object, sorted by ``n``: the
            columns of MATCHES with the boxes of the prediction and of the object.
        score: (images,) score of each image of the lake, NaN where it was not evaluated.
        evaluated_at: (images,) place of each image in the evaluation's ``per_image``, or -1.
    """

    evaluated: Evaluated
    table: pa.Table
    score: NDArray[np.float64]
    evaluated_at: NDArray[np.int32]

    @cached_property
    def rows(self) -> RowsByImage:
        """The table by image."""
        return RowsByImage(self.table.drop_columns(["split"]))

    @cached_property
    def n(self) -> NDArray[np.int32]:
        """Image of each row of the table."""
        numbers: NDArray[np.int32] = self.table["n"].to_numpy()
        return numbers

    def rows_with(self, *, kind: str | None, label: str | None) -> NDArray[np.bool_]:
        """(rows,) whether a row is of a kind and class.

        A class is that of the object or of the prediction; where no kind is asked for, only that of
        the object, so that the images are those that the class was measured on. ``error`` is every
        kind but ``correct``.
        """
        found = np.ones(len(self.table), bool)
        if kind == "error":
            found &= _equal(self.table["kind"], "correct", invert=True)
        elif kind is not None:
            found &= _equal(self.table["kind"], kind)
        if label is not None:
            of_class = _equal(self.table["truth"], label)
            if kind is not None:
                of_class |= _equal(self.table["predicted"], label)
            found &= of_class
        return found

    def missed(self, label: str | None) -> NDArray[np.int64]:
        """(images,) objects of a class, or of all, that are not found correctly."""
        rows = np.flatnonzero(self.rows_with(kind=None, label=label))
        ids = self.table["annotation_id"].take(pa.array(rows))
        whole = pc.fill_null(ids, "").combine_chunks().dictionary_encode()
        known = pc.is_valid(self.table["truth"].take(pa.array(rows))).to_numpy()
        width = max(len(whole.dictionary), 1)
        key = self.n[rows].astype(np.int64) * width + whole.indices.to_numpy()
        objects = np.unique(key[known]) // width
        right = self.n[rows[_equal(self.table["kind"], "correct")[rows]]]
        size = len(self.score)
        return np.bincount(objects, minlength=size) - np.bincount(right, minlength=size)


def outcomes(workspace: Workspace, evaluated: Evaluated, snapshot: Snapshot) -> Outcomes:
    """The outcomes of an evaluation for the images of a snapshot; made once.

    Raises:
        EvaluationError: a file that it needs cannot be read.
    """
    state = (evaluated.project, evaluated.event.version, snapshot.identities["images"])
    found: Outcomes = workspace.kept.get(
        ("outcomes", *state), lambda: _outcomes(evaluated, snapshot)
    )
    return found


def _outcomes(evaluated: Evaluated, snapshot: Snapshot) -> Outcomes:
    made = evaluated.evaluation
    per_image = made.per_image
    numbers = snapshot.numbering.find(per_image["image_id"])
    known = numbers >= 0
    score = np.full(len(snapshot.images), np.nan)
    score[numbers[known]] = per_image["score"].to_numpy()[known]
    place = np.full(len(snapshot.images), -1, np.int32)
    place[numbers[known]] = np.flatnonzero(known)
    boxes = ["x_min", "y_min", "x_max", "y_max"]
    try:
        said = pq.read_table(
            evaluated.predictions_folder() / "predictions.parquet",
            columns=["image_id", "rank", *boxes],
        )
        drawn = pq.read_table(
            evaluated.dataset_folder() / "annotations.parquet", columns=["annotation_id", *boxes]
        )
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(
            f"What evaluation {made.digest[:12]} is of cannot be read: {error}.",
            do="Restore that folder of the store, or evaluate again.",
        ) from error
    ids = per_image.select(["image_id"]).append_column("n", pa.array(numbers))
    table = run_sql(
        _OUTCOMES,
        relations={
            "matches": made.matches,
            "ids": ids.filter(pa.array(known)),
            "said": said,
            "drawn": drawn,
        },
    )
    return Outcomes(evaluated, table, score, place)


def outcome_marks(
    found: Outcomes, numbers: NDArray[np.int32], sizes: Sequence[tuple[int, int]]
) -> list[list[Mark]]:
    """What a model got right and wrong on each of some images.

    Args:
        found: the outcomes.
        numbers: the images.
        sizes: width and height of each.
    """
    return [
        [outcome_mark(row, size) for row in rows]
        for rows, size in zip(found.rows.of(numbers), sizes, strict=True)
    ]


def outcome_mark(row: dict[str, Any], size: tuple[int, int]) -> Mark:
    """A row of :class:`Outcomes` as a mark."""
    truth_box = box_of(row, size, "truth_")
    missed = row["kind"] == "missed"
    predicted, truth = row["predicted"], row["truth"]
    return Mark.model_construct(
        kind=row["kind"],
        label=truth if missed or predicted is None else predicted,
        truth=truth,
        score=row["score"],
        iou=row["iou"],
        box=truth_box if missed else box_of(row, size),
        truth_box=truth_box,
        annotator=None,
        rank=row["rank"],
        annotation_id=row["annotation_id"],
        attributes=None,
        geometry=None,
        shape=None,
    )


def box_of(row: dict[str, Any], size: tuple[int, int], prefix: str = "") -> Box | None:
    """A box in pixels as shares of its image; None where it has none, or none of numbers."""
    edges = [row[f"{prefix}{edge}"] for edge in ("x_min", "y_min", "x_max", "y_max")]
    if any(edge is None or not math.isfinite(edge) for edge in edges):
        return None
    left, top, right, bottom = (float(edge) for edge in edges)
    width, height = size
    return (
        round(left / width, 5),
        round(top / height, 5),
        round((right - left) / width, 5),
        round((bottom - top) / height, 5),
    )


def _equal(column: pa.ChunkedArray, value: str, *, invert: bool = False) -> NDArray[np.bool_]:
    found = pc.fill_null(pc.equal(column, value), False)
    mask: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return ~mask if invert else mask
