"""What annotators' labels were worth so far: how often gold, or else others, said the same.

An image with known truth is judged by that alone, any other by everybody else who labelled it.
Boxes are matched first, whatever they are called; one that was missed counts as wrong, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.quality.gold import gold_labels
from cv_pipeline.quality.matched_objects import match_objects

_COLUMNS = ("image_id", "annotator", "role", "label", "kind", "x_min", "y_min", "x_max", "y_max")

_RECORDS = """
WITH lookers AS (SELECT DISTINCT image, annotator, gold FROM said),
judges AS (
    SELECT image, bool_or(gold) AS known, count(*) AS lookers FROM lookers GROUP BY image
),
pieces AS (
    SELECT image, annotator, known,
        CASE WHEN known THEN 1 ELSE lookers - 1 END AS judges
    FROM lookers JOIN judges USING (image) WHERE NOT gold
),
same AS (
    SELECT a.image, a.annotator, count(DISTINCT a.n) AS objects,
        sum(CASE WHEN b.n IS NULL THEN 0 ELSE 1 END) AS votes
    FROM said a JOIN pieces p USING (image, annotator)
    LEFT JOIN said b ON b.object = a.object AND b.label = a.label AND b.annotator <> a.annotator
        AND (b.gold OR NOT p.known)
    GROUP BY 1, 2
),
missed AS (
    SELECT p.image, p.annotator, count(*) AS votes
    FROM pieces p JOIN said b ON b.image = p.image AND b.annotator <> p.annotator
        AND (b.gold OR NOT p.known)
    WHERE NOT EXISTS (
        SELECT 1 FROM said own WHERE own.object = b.object AND own.annotator = p.annotator
    )
    GROUP BY 1, 2
)
SELECT image, annotator,
    CASE WHEN judges > 0 THEN same.votes / judges ELSE 0 END AS "right",
    CASE WHEN judges > 0 THEN same.objects + coalesce(missed.votes, 0) / judges ELSE 0 END AS judged
FROM pieces JOIN same USING (image, annotator) LEFT JOIN missed USING (image, annotator)
ORDER BY image, annotator
"""


@dataclass(frozen=True, eq=False)
class Records:
    """Pieces of work, and what each was found to be worth.

    Attributes:
        image_ids: (n,) image of each piece.
        annotator: (n,) index of who did it.
        annotators: pseudonyms, sorted.
        right: (n,) objects, or classes, that its judges said too: shares of them are counted.
        judged: (n,) out of how many; 0 where nobody else looked.
    """

    image_ids: pa.Array
    annotator: NDArray[np.int64]
    annotators: tuple[str, ...]
    right: NDArray[np.float64]
    judged: NDArray[np.float64]

    def of_annotators(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(a,) how often each annotator was right, and out of how often."""
        size = len(self.annotators)
        right, judged = (
            np.bincount(self.annotator, weights=values, minlength=size).astype(np.float64)
            for values in (self.right, self.judged)
        )
        return right, judged


def records(catalog: Catalog, *, gold: str | None = None) -> Records:
    """What everybody's labels of every image are worth.

    Args:
        catalog: the project's tables.
        gold: query of ``labeling.hand_off.gold``: images whose labels are known truth.
    """
    rows = catalog.table("annotations").read(columns=["annotation_id", *_COLUMNS])
    rows = rows.filter(pc.invert(pc.is_in(rows["kind"], pa.array(["tag"]))))
    truth = gold_labels(catalog, query=gold, columns=["annotation_id"])["annotation_id"]
    known = pc.is_in(rows["annotation_id"], value_set=truth.combine_chunks())
    rows = rows.append_column("gold", known).sort_by([(n, "ascending") for n in _COLUMNS])
    rows = rows.combine_chunks()
    image, images = _coded(rows["image_id"])
    # truth is one judge, whoever wrote it down
    named = pc.if_else(rows["gold"], "", rows["annotator"])
    annotator, names = _coded(named)
    label, _ = _coded(rows["label"])
    said = pa.table(
        {
            "n": np.arange(len(rows)),
            "image": image,
            "annotator": annotator,
            "label": label,
            "gold": rows["gold"],
            "object": _objects(rows, image, annotator, label),
        }
    )
    found = run_sql(_RECORDS, relations={"said": said})
    people, who = np.unique(found["annotator"].to_numpy(), return_inverse=True)
    return Records(
        image_ids=images.take(found["image"].combine_chunks()),
        annotator=who.astype(np.int64),
        annotators=tuple(names.take(pa.array(people)).to_pylist()),
        right=found["right"].to_numpy().astype(np.float64),
        judged=found["judged"].to_numpy().astype(np.float64),
    )


def _objects(
    rows: pa.Table,
    image: NDArray[np.int64],
    annotator: NDArray[np.int64],
    label: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(n,) which object each row is of; the class of a whole image is of one object an image."""
    boxed = pc.is_valid(rows["x_min"]).to_numpy()
    found = image + len(rows)  # apart from those of boxes, of which there are fewer than rows
    edges = [rows[e].to_numpy()[boxed] for e in ("x_min", "y_min", "x_max", "y_max")]
    if boxed.any():
        xyxy = np.stack(edges, axis=1).astype(np.float64)
        matched = match_objects(image[boxed], annotator[boxed], label[boxed], xyxy)
        found[boxed] = matched.object
    return found


def _coded(names: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Index of each name among the distinct ones, and these, sorted."""
    known = pc.unique(names).sort()
    return pc.index_in(names, value_set=known).to_numpy().astype(np.int64), known
