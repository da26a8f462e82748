"""Images that are set aside as a batch, to be labelled or labelled again.

A batch never changes once it is set aside: the same images under the same name are the same batch,
and other images need another name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.image_batches import IMAGE_BATCHES
from cv_pipeline.catalog.snapshot import Snapshot, ids_digest
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import QueryError, nearest

Purpose = Literal["label", "relabel"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True)
class ImageBatch:
    """Images that were set aside.

    Attributes:
        name: of the batch.
        purpose: label or relabel.
        state: open, until the annotation tool says otherwise.
        images: how many.
        labelled: how many of them have an annotation by now; of images to be labelled again, one
            of since.
        reason: why, in words.
        query: what selected them.
        digest: SHA-256 over their ids.
        actor: who set them aside.
        at: when, UTC.
    """

    name: str
    purpose: str
    state: str
    images: int
    labelled: int
    reason: str
    query: str
    digest: str
    actor: str
    at: datetime


def set_aside(
    catalog: Catalog,
    image_ids: pa.Array,
    *,
    name: str,
    purpose: Purpose,
    reason: str,
    query: str,
    actor: str,
) -> bool:
    """Set images aside as a batch.

    Args:
        catalog: the project's tables.
        image_ids: the images, sorted and each once.
        name: of the batch: letters, digits, ``_``, ``-`` and ``.``.
        purpose: label or relabel.
        reason: why, in words.
        query: what selected them, in the canonical text form.
        actor: who does it.

    Returns:
        Whether it is new; the same batch again changes nothing.

    Raises:
        QueryError: there are no images, the name cannot be one, or it is that of a batch of other
            images or for another purpose.
    """
    if not _NAME.fullmatch(name):
        raise QueryError(
            f"{name!r} cannot be the name of a batch.",
            do="Use up to 63 letters, digits, _, - and ., the first a letter or digit.",
        )
    if not len(image_ids):
        raise QueryError("There is no image to set aside.", do="Change the query.")
    digest = ids_digest(pa.chunked_array([image_ids]))
    known = _events(catalog, name)
    if len(known):
        if (known["digest"][0].as_py(), known["purpose"][0].as_py()) == (digest, purpose):
            return False
        raise QueryError(
            f"The batch {name!r} is there already, with other images or for another purpose.",
            do=f"Choose another name; list the batches with: cvp batches {catalog.project}",
        )
    count = len(image_ids)
    told = {
        "name": name,
        "purpose": purpose,
        "state": "open",
        "reason": reason,
        "query": query,
        "digest": digest,
        "actor": actor,
        "at": datetime.now(UTC),
    }
    columns = {
        field.name: image_ids
        if field.name == "image_id"
        else pa.repeat(pa.scalar(told[field.name], field.type), count)
        for field in IMAGE_BATCHES
    }
    catalog.table("image_batches").append(pa.table(columns, schema=IMAGE_BATCHES))
    return True


def batch_images(catalog: Catalog, name: str) -> pa.Array:
    """Ids of a batch's images, sorted.

    Raises:
        QueryError: there is no such batch; the message names the nearest.
    """
    rows = _events(catalog, name)
    if not len(rows):
        require_batch(catalog, name)
    return pc.unique(rows["image_id"]).sort()


def require_batch(catalog: Catalog, name: str) -> None:
    """See that images were set aside under a name.

    Raises:
        QueryError: none were; the message names the nearest.
    """
    known = catalog.table("image_batches").read(columns=["name"])["name"].unique().to_pylist()
    if name not in known:
        raise QueryError(
            f"Project {catalog.project} has no batch {name!r}.", do=nearest(name, known)
        )


def list_batches(catalog: Catalog, snapshot: Snapshot) -> list[ImageBatch]:
    """Every batch, the newest first.

    Args:
        catalog: the project's tables.
        snapshot: the lake as it is, for which images have labels by now.
    """
    rows = catalog.table("image_batches").read()
    numbers = snapshot.numbering.find(rows["image_id"])
    annotated = snapshot.images["annotations_count"].to_numpy()[numbers] > 0
    # what is to be labelled again is done when there are labels of since
    again = pc.equal(rows["purpose"], "relabel").to_numpy()
    if again.any():
        since = _last_labelled(snapshot)[numbers] > rows["at"].cast(pa.int64()).to_numpy()
        annotated = np.where(again, since, annotated)
    rows = rows.append_column("labelled", pa.array(annotated))
    batches = []
    for name in rows["name"].unique().to_pylist():
        of_batch = rows.filter(pc.equal(rows["name"], name)).sort_by("at")
        told = of_batch.slice(len(of_batch) - 1).to_pylist()[0]
        images = of_batch.filter(pc.equal(of_batch["at"], of_batch["at"][0]))
        batches.append(
            ImageBatch(
                name=name,
                purpose=told["purpose"],
                state=told["state"],
                images=len(images),
                labelled=pc.sum(images["labelled"]).as_py(),
                reason=told["reason"],
                query=told["query"],
                digest=told["digest"],
                actor=told["actor"],
                at=of_batch["at"][0].as_py(),
            )
        )
    return sorted(batches, key=lambda b: (b.at, b.name), reverse=True)


def _last_labelled(snapshot: Snapshot) -> NDArray[np.int64]:
    """(images,) when each was last labelled, in microseconds since 1970; 0 where never."""
    rows = snapshot.annotations
    at = pc.fill_null(pc.coalesce(rows["updated_at"], rows["created_at"]).cast(pa.int64()), 0)
    last = np.zeros(len(snapshot.images), np.int64)
    np.maximum.at(last, rows["n"].to_numpy(), at.to_numpy())
    return last


def _events(catalog: Catalog, name: str) -> pa.Table:
    return catalog.table("image_batches").read(filter=one_of("name", [name]))
