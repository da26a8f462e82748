"""How good annotators are, by the gold images (:mod:`gold`) that they labelled.

Of classes it is the accuracy; of boxes F1, where a box is right that overlaps a gold box of its
class by half or more. Few answers say little: somebody's figure is drawn towards everybody's as if
ten more answers had been like theirs, and that of a difficulty towards the person's own. Whose
labels are the truth of an image is not examined on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.evaluation.detection.boxes import Boxes
from cv_pipeline.evaluation.detection.matching import greedy_matches
from cv_pipeline.evaluation.detection.overlap import box_pairs
from cv_pipeline.quality.gold import without_gold

_PRIOR_ANSWERS = 10.0
_IOU = 0.5
COLUMNS = ("image_id", "annotator", "label", "kind", "x_min", "y_min", "x_max", "y_max")
"""Of ``ANNOTATIONS``, that skill is reckoned from."""

_OWN_SQL = """
SELECT * FROM rows ANTI JOIN gold USING (image_id, annotator)
WHERE role IN ('annotator', 'reviewer')
"""

_CLASSES_SQL = """
WITH truth AS (SELECT image_id, min(label) AS label FROM gold WHERE kind = 'class' GROUP BY 1)
SELECT annotator, image_id, bool_or(own.label = truth.label)::DOUBLE AS hits, 1.0::DOUBLE AS answers
FROM own JOIN truth USING (image_id)
WHERE own.kind = 'class'
GROUP BY annotator, image_id
"""

_PAIRS_SQL = """
WITH seen AS (
    SELECT DISTINCT annotator, image_id FROM own WHERE image_id IN (SELECT image_id FROM gold)
),
numbered AS (
    SELECT annotator, image_id, row_number() OVER (ORDER BY annotator, image_id) - 1 AS n FROM seen
),
classes AS (
    SELECT label, row_number() OVER (ORDER BY label) - 1 AS c
    FROM (SELECT label FROM own UNION SELECT label FROM gold)
)
SELECT n, annotator, image_id, c, x_min, y_min, x_max, y_max, false AS truth
FROM own JOIN numbered USING (annotator, image_id) JOIN classes USING (label)
WHERE kind <> 'class' AND kind <> 'tag'
UNION ALL
SELECT n, numbered.annotator, image_id, c, x_min, y_min, x_max, y_max, true AS truth
FROM gold JOIN numbered USING (image_id) JOIN classes USING (label)
WHERE kind <> 'class' AND kind <> 'tag'
ORDER BY truth, n, c, x_min, y_min, x_max, y_max
"""


@dataclass(frozen=True, eq=False)
class Skills:
    """How good annotators are on gold.

    Attributes:
        annotators: pseudonyms, sorted.
        skill: (annotators,) accuracy or F1, drawn towards everybody's.
        by_difficulty: (annotators, 3) the same on easy, medium and hard images.
        images: (annotators,) gold images that each labelled.
        gold: gold images of the project.
        usual: accuracy or F1 of everybody together; NaN where nobody labelled gold.
    """

    annotators: tuple[str, ...]
    skill: NDArray[np.float64]
    by_difficulty: NDArray[np.float64]
    images: NDArray[np.int64]
    gold: int
    usual: float

    def of(self, annotators: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(annotators, 4) skill overall and by difficulty, NaN for who labelled no gold; and
        (annotators,) gold images that each labelled."""
        places = {name: place for place, name in enumerate(self.annotators)}
        rows = np.array([places.get(name, -1) for name in annotators], np.int64)
        skill = np.vstack([np.column_stack([self.skill, self.by_difficulty]), np.full(4, np.nan)])
        return skill[rows], np.append(self.images, 0)[rows]


def skills_of(catalog: Catalog, gold: pa.Table, difficulty: pa.Table) -> Skills:
    """How good everybody is who labelled gold images.

    Args:
        catalog: the project's tables.
        gold: known truth, columns :data:`COLUMNS`.
        difficulty: columns ``image_id`` and ``level`` (0 for easy to 2 for hard) of gold images;
            one that is not there is medium.
    """
    ids = pc.unique(gold["image_id"])
    rows = catalog.table("annotations").read(
        columns=[*COLUMNS, "role"], filter=one_of("image_id", ids.to_pylist())
    )
    own = run_sql(_OWN_SQL, relations={"rows": without_gold(rows), "gold": gold})
    answers = pa.concat_tables(
        [
            run_sql(_CLASSES_SQL, relations={"own": own, "gold": gold}),
            _box_answers(own, gold),
        ],
        promote_options="default",
    )
    return _drawn_together(answers, difficulty, gold=len(ids))


def _box_answers(own: pa.Table, gold: pa.Table) -> pa.Table:
    """Twice the matched boxes of each annotator and image, of the boxes of both sides."""
    rows = run_sql(_PAIRS_SQL, relations={"own": own, "gold": gold})
    truth = rows["truth"].to_numpy()
    image = rows["n"].to_numpy().astype(np.int64)
    label = rows["c"].to_numpy().astype(np.int64)
    edges = [rows[name].to_numpy() for name in ("x_min", "y_min", "x_max", "y_max")]
    xyxy = np.column_stack(edges).astype(np.float64).reshape(-1, 4)
    objects = Boxes(image[truth], label[truth], xyxy[truth])
    drawn = Boxes(image[~truth], label[~truth], xyxy[~truth])
    pairs = box_pairs(objects, drawn)
    pairs = pairs.take(objects.label[pairs.truth] == drawn.label[pairs.detection])
    classes = int(label.max(initial=0)) + 1
    matched = greedy_matches(
        pairs,
        score=np.zeros(len(drawn)),
        group=drawn.image * classes + drawn.label,
        thresholds=np.array([_IOU]),
        ignored=np.zeros(len(objects), bool),
        crowd=np.zeros(len(objects), bool),
    )[:, 0]
    count = int(image.max(initial=-1)) + 1
    hits = 2.0 * np.bincount(drawn.image[matched >= 0], minlength=count)
    both = np.bincount(image, minlength=count).astype(np.float64)
    first = np.unique(image, return_index=True)[1]
    named = rows.select(["annotator", "image_id"]).take(pa.array(first))
    places = image[first]
    return named.append_column("hits", pa.array(hits[places])).append_column(
        "answers", pa.array(both[places])
    )


def _drawn_together(answers: pa.Table, difficulty: pa.Table, *, gold: int) -> Skills:
    places = pc.index_in(answers["image_id"], difficulty["image_id"].combine_chunks())
    level = pc.fill_null(difficulty["level"].take(places), 1).to_numpy().astype(np.int64)
    names = pc.unique(answers["annotator"]).sort()
    person = pc.index_in(answers["annotator"], names).to_numpy().astype(np.int64)
    hits, of = answers["hits"].to_numpy(), answers["answers"].to_numpy()
    size = len(names)
    # one who said a class and drew boxes has two answers on an image
    seen = pa.table({"person": person, "image_id": answers["image_id"]})
    seen = seen.group_by(["person", "image_id"]).aggregate([])["person"].to_numpy()
    usual = float(hits.sum() / of.sum()) if of.sum() else float("nan")
    # what an answer is of boxes: as many as an image has on both sides
    weight = _PRIOR_ANSWERS * (float(of.mean()) if len(of) else 1.0)
    total, right = np.bincount(person, of, size), np.bincount(person, hits, size)
    skill = (right + weight * usual) / (total + weight)
    cell = person * 3 + level
    total = np.bincount(cell, of, 3 * size).reshape(size, 3)
    right = np.bincount(cell, hits, 3 * size).reshape(size, 3)
    by_difficulty = (right + weight * skill[:, None]) / (total + weight)
    return Skills(
        annotators=tuple(names.to_pylist()),
        skill=skill,
        by_difficulty=by_difficulty,
        images=np.bincount(seen, minlength=size),
        gold=gold,
        usual=usual,
    )
