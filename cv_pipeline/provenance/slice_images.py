"""From a slice of an evaluation to its images, worst first, and to the query that selects them.

The query is asked of the lake as of the evaluation's dataset version, so it selects the images that
were measured, whatever has become of their metadata since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation import Evaluation
from cv_pipeline.evaluation.slicing.facts import REST, named_condition
from cv_pipeline.evaluation.slicing.ratios import Numbers, Sums
from cv_pipeline.evaluation.slicing.statistics import compare
from cv_pipeline.evaluation.slicing.words import slice_words


@dataclass(frozen=True)
class SliceImages:
    """A slice of an evaluation, measured, with its images.

    Attributes:
        what: the slice in words.
        query: what selects its images, as of the dataset version.
        split: the split that it is of.
        label: class; None for all.
        metric: recall; accuracy for all classes of a classification.
        value: on the slice; None without objects.
        low: lower end of its 95 % interval.
        high: upper end.
        rest: on all other images of the split; None without objects.
        p_value: probability of a difference so large by chance; not corrected, for it was asked.
        objects: behind the number.
        images: worst first, as plain values: image_id, path, objects, missed (of the class),
            score and correct (of the image).
    """

    what: str
    query: str
    split: str
    label: str | None
    metric: str
    value: float | None
    low: float | None
    high: float | None
    rest: float | None
    p_value: float | None
    objects: int
    images: Sequence[Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def slice_query(
    evaluation: Evaluation, values: Mapping[str, str | None], *, declared: Mapping[str, str]
) -> str:
    """The query that selects the images of a slice among those of the evaluation's split.

    Args:
        evaluation: the evaluation.
        values: metadata keys or image properties, each with a value, or names of declared queries
            with ``yes``, or ``no`` for all other images.
        declared: name of a declared query to its condition.
    """
    parts = []
    for name, text in values.items():
        if name in declared:
            parts.append(f"not ({declared[name]})" if text == REST else f"({declared[name]})")
        else:
            parts.append(named_condition(name, text))
    return within_split(evaluation, " and ".join(parts))


def within_split(evaluation: Evaluation, condition: str) -> str:
    """A condition among the images that an evaluation's headline metrics are of."""
    record = evaluation.record
    return f"dataset('{record.dataset[:16]}', split = '{record.split}') and {condition}"


def slice_images(
    evaluation: Evaluation, lake: Datalake, *, query: str, words: Sequence[str], label: str | None
) -> SliceImages:
    """Measure a slice and list its images.

    Args:
        evaluation: the evaluation.
        lake: the project's datalake.
        query: what selects the images; see :func:`slice_query`.
        words: the slice's values in words.
        label: only objects of this class, and images that hold it; None for all.

    Raises:
        EvaluationError: there is no such class.
        QueryError: the query is not possible.
    """
    record = evaluation.record
    if label is not None and label not in record.labels:
        raise EvaluationError(f"There is no class {label!r}.", do=nearest(label, record.labels))
    found = lake.query(query, as_of=record.dataset)
    per_image = evaluation.per_image
    per_image = per_image.filter(pc.equal(per_image["split"], record.split))
    ids = per_image["image_id"].combine_chunks()
    objects, right = _objects(evaluation.matches, ids, label)
    inside = pc.is_in(ids, value_set=found.image_ids).to_numpy(zero_copy_only=False)
    compared = compare(
        Sums.of(right[inside], objects[inside]), Sums.of(right[~inside], objects[~inside])
    )
    held = inside if label is None else inside & (objects > 0)
    missed = objects - right
    score = per_image["score"].to_numpy()
    order = np.flatnonzero(held)
    order = order[np.lexsort((score[order], -missed[order]))]
    paths = dict(zip(*found.to_arrow(["image_id", "path"]).to_pydict().values(), strict=True))
    rows = per_image.select(["image_id", "score", "correct"]).take(pa.array(order)).to_pylist()
    numbers = {
        name: None if np.isnan(n) else float(n)
        for name, n in ((f, getattr(compared, f)) for f in ("value", "low", "high", "rest"))
    }
    return SliceImages(
        what=slice_words(words, label),
        query=found.text,
        split=record.split,
        label=label,
        metric="accuracy" if label is None and record.task == "classification" else "recall",
        p_value=None if np.isnan(compared.p_value) else float(compared.p_value),
        objects=int(objects[inside].sum()),
        images=[
            {
                "image_id": row["image_id"],
                "path": paths[row["image_id"]],
                "objects": int(objects[n]),
                "missed": int(missed[n]),
                "score": row["score"],
                "correct": row["correct"],
            }
            for n, row in zip(order.tolist(), rows, strict=True)
        ],
        **numbers,
    )


def _objects(matches: pa.Table, ids: pa.Array, label: str | None) -> tuple[Numbers, Numbers]:
    """(images,) objects of a class, or all, and those of them that were found."""
    mask = pc.is_valid(matches["truth"]) if label is None else pc.equal(matches["truth"], label)
    rows = matches.filter(pc.fill_null(mask, False))
    image = pc.index_in(rows["image_id"], value_set=ids)
    rows, image = rows.filter(pc.is_valid(image)), image.drop_null().to_numpy()
    # every object is meant by a prediction or missed, and may be meant by several
    name = rows["annotation_id"].fill_null("").combine_chunks().dictionary_encode()
    key = image * max(len(name.dictionary), 1) + name.indices.to_numpy()
    right = pc.equal(rows["kind"], "correct").to_numpy()
    objects = np.unique(key) // max(len(name.dictionary), 1)
    return (
        np.bincount(objects, minlength=len(ids)).astype(np.float64),
        np.bincount(image[right], minlength=len(ids)).astype(np.float64),
    )
