"""Divides images into batches by task type and difficulty, so that hard ones stall no others.

How hard an image is, is a declared rule: each measure that is known of it (uncertainty and number
of its pre-labels, contrast, sharpness) says easy, medium or hard, and the highest counts. An image
of which nothing is known is medium. The same images under the same rule give the same batches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.datalake.image_batches import Purpose, set_aside
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import LabelingError
from cv_pipeline.labeling.batches.declared import declare
from cv_pipeline.labeling.batches.states import DIFFICULTIES
from cv_pipeline.labeling.settings.work_section import BatchRules, Difficulty

_MEASURES_SQL = """
WITH guessed AS (
    SELECT image_id, model, max(uncertainty) AS uncertainty,
        count(*) FILTER (object >= 0) AS objects, bool_or(kind = 'class') AS classes,
        max(made_at) AS last_made
    FROM prelabels
    WHERE image_id IN (SELECT image_id FROM asked)
    GROUP BY image_id, model
    QUALIFY 1 = row_number() OVER (PARTITION BY image_id ORDER BY last_made DESC, model)
)
SELECT place, uncertainty, objects, classes, contrast, sharpness
FROM asked LEFT JOIN guessed USING (image_id) LEFT JOIN image_features USING (image_id)
ORDER BY place
"""


_WHOLE_BATCH = re.compile(r"\s*set_aside\s*=\s*'([^']+)'\s*")
_UNSURE_CLASS = (0.4, 0.7)
_UNSURE_BOXES = (2.0, 5.0)


@dataclass(frozen=True)
class Part:
    """One batch of a division.

    Attributes:
        name: of the batch.
        difficulty: easy, medium or hard.
        images: how many.
        new: whether it was set aside just now.
    """

    name: str
    difficulty: str
    images: int
    new: bool


def difficulties(
    catalog: Catalog, image_ids: pa.Array, *, rule: Difficulty | None = None
) -> NDArray[np.int8]:
    """How hard images are.

    Args:
        catalog: the project's tables.
        image_ids: the images.
        rule: from where on one is medium, and hard.

    Returns:
        (images,) 0 for easy, 1 for medium, 2 for hard.
    """
    rule = rule or Difficulty()
    asked = pa.table({"image_id": image_ids, "place": np.arange(len(image_ids))})
    relations: dict[str, Any] = {
        name: catalog.table(name).relation() for name in ("prelabels", "image_features")
    }
    measures = run_sql(_MEASURES_SQL, relations={"asked": asked, **relations})
    classes = pc.fill_null(measures["classes"], False).to_numpy()
    unsure = np.where(classes[:, None], _UNSURE_CLASS, _UNSURE_BOXES)
    if rule.uncertainty is not None:
        unsure = np.broadcast_to(rule.uncertainty, unsure.shape)
    hardest = np.full(len(asked), -1, np.int8)
    for name, medium, hard, up in (
        ("uncertainty", unsure[:, 0], unsure[:, 1], True),
        ("objects", *rule.objects, True),
        ("contrast", *rule.contrast, False),
        ("sharpness", *rule.sharpness, False),
    ):
        # unknown is NaN, which is beyond no threshold
        values = measures[name].cast(pa.float64()).to_numpy()
        if up:
            says = (values >= medium).astype(np.int8) + (values >= hard)
        else:
            says = (values < medium).astype(np.int8) + (values < hard)
        known = ~np.isnan(values)
        hardest = np.where(known, np.maximum(hardest, says), hardest).astype(np.int8)
    return np.where(hardest < 0, 1, hardest).astype(np.int8)


def divide(
    catalog: Catalog,
    image_ids: pa.Array,
    *,
    name: str,
    task_type: str,
    rules: BatchRules | None = None,
    purpose: Purpose = "label",
    reason: str = "",
    query: str = "",
    queue: str = "default",
    owner: str = "",
    overlap: int = 1,
    priority: int = 0,
    deadline: datetime | None = None,
    actor: str | None = None,
    before: Callable[[str, pa.Array], None] | None = None,
) -> list[Part]:
    """Set images aside in batches of a size that people can finish, each of one difficulty.

    Args:
        catalog: the project's tables.
        image_ids: the images, each once.
        name: what the names of the batches begin with; ``-easy-001`` and so on follow.
        task_type: what is to be done with them.
        rules: most images of a batch, and what is hard.
        purpose: label or relabel.
        reason: why, in words.
        query: what selected them.
        queue: name of the queue that the batches wait in.
        owner: account of who answers for them.
        overlap: how many annotators label each image.
        priority: what comes first: the larger.
        deadline: when they are to be done.
        actor: who does it; whoever acts here by default.
        before: is told the name and the images of each batch before they are set aside, to write
            down what must not be lost if that is broken off.

    Returns:
        The batches, easy ones first; where the query is a whole batch that sampling algorithms
        chose, it goes on being known which chose each image. Dividing the same images again, or
        after it was broken off in the middle, gives the same.

    Raises:
        LabelingError: there are no images.
        QueryError: the name cannot be one, or is that of batches of other images.
    """
    rules = rules or BatchRules()
    if not len(image_ids):
        raise LabelingError("There is no image to divide into batches.", do="Change the query.")
    ordered = image_ids.sort()
    hard = difficulties(catalog, ordered, rule=rules.difficulty)
    if not rules.by_difficulty:
        hard = np.full(len(ordered), 1, np.int8)
    who = current_actor() if actor is None else actor
    parts = []
    for level, difficulty in enumerate(DIFFICULTIES):
        places = np.flatnonzero(hard == level)
        for number, piece in enumerate(_pieces(places, rules.max_images), start=1):
            level_name = f"-{difficulty}" if rules.by_difficulty else ""
            batch = f"{name}{level_name}-{number:03d}"
            images = ordered.take(pa.array(piece))
            _carry_arms(catalog, batch, images, query=query)
            if before is not None:
                before(batch, images)
            new = set_aside(
                catalog,
                images,
                name=batch,
                purpose=purpose,
                reason=reason,
                query=query,
                actor=who,
            )
            declare(
                catalog,
                batch,
                task_type=task_type,
                difficulty=difficulty,
                queue=queue,
                owner=owner,
                overlap=overlap,
                priority=priority,
                deadline=deadline,
                actor=who,
            )
            parts.append(Part(batch, difficulty, len(piece), new))
    return parts


def _carry_arms(catalog: Catalog, batch: str, image_ids: pa.Array, *, query: str) -> None:
    """Write down which sampling algorithm chose images that come from another batch."""
    named = _WHOLE_BATCH.fullmatch(query)
    if named is None:
        return
    table = catalog.table("sampled_images")
    rows = table.read(filter=one_of("batch", [named[1]]))
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=image_ids))
    if len(rows):
        at = rows.schema.get_field_index("batch")
        rows = rows.set_column(at, rows.schema.field(at), pa.repeat(batch, len(rows)))
        table.insert(rows, on=["batch", "image_id"])


def _pieces(places: NDArray[np.int64], most: int) -> Sequence[NDArray[np.int64]]:
    """Places in pieces of nearly one size, none larger than ``most``."""
    if not len(places):
        return []
    return np.array_split(places, -(-len(places) // most))
