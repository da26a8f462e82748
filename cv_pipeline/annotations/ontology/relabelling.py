"""Images whose labels could not be converted, set aside to be labelled again.

Under the name ``ontology-VERSION``; images that turn up later get a batch of their own. An image
that was set aside for a version is never set aside for it again.
"""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.datalake.image_batches import set_aside
from cv_pipeline.catalog.snapshot import ids_digest
from cv_pipeline.catalog.tables import Catalog

_LONGEST = 40


def relabelling_batch(version: str) -> str:
    """Name of the batch of the images that a version needs labelled again."""
    name = f"ontology-{version}"
    clean = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:_LONGEST]
    if clean == name:
        return name
    return f"{clean}-{hashlib.sha256(version.encode()).hexdigest()[:8]}"


def set_aside_to_relabel(
    catalog: Catalog, image_ids: pa.Array, *, version: str, actor: str | None = None
) -> tuple[str, ...]:
    """Set images aside to be labelled again; those that were already stay where they are.

    Args:
        catalog: the project's tables.
        image_ids: the images, as ``Migrated.relabel`` has them.
        version: the current version of the ontology.
        actor: who does it; whoever acts here by default.

    Returns:
        Names of the batches that this version has; none when no image ever needed it.
    """
    name = relabelling_batch(version)
    events = catalog.table("image_batches").read(
        columns=["name", "image_id"],
        # of all that begins so, "g" comes after the hexadecimal digits of a later batch
        filter=(pc.field("name") >= name) & (pc.field("name") < f"{name}-g"),
    )
    mine = pc.match_substring_regex(events["name"], f"^{re.escape(name)}(-[0-9a-f]{{8}})?$")
    events = events.filter(mine)
    known = pc.unique(events["image_id"])
    new = pc.unique(image_ids).sort()
    new = new.filter(pc.invert(pc.is_in(new, value_set=known)))
    names = set(pc.unique(events["name"]).to_pylist())
    if len(new):
        if name in names:
            name = f"{name}-{ids_digest(pa.chunked_array([new]))[:8]}"
        set_aside(
            catalog,
            new,
            name=name,
            purpose="relabel",
            reason=f"Their labels cannot be converted to version {version} of the ontology.",
            query="",
            actor=actor or current_actor(),
        )
        names.add(name)
    return tuple(sorted(names))
