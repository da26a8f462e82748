"""Tags and metadata that somebody sets now, as events: only what changes is written.

A tag that a rule or a model had put on is written again when a person puts it on too, for only
then has a person touched the image. What is written counts from then on, whatever the clock says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.actor import is_person
from cv_pipeline.catalog.lake import CURRENT_METADATA_SQL, CURRENT_TAGS_SQL
from cv_pipeline.catalog.schemas import IMAGE_METADATA, IMAGE_TAGS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import QueryError

MetadataValue = str | int | float | bool | None
"""What a metadata key can be set to; it is kept as text. None unsets it."""

_LONGEST = 200

_TAGS_TO_PUT = """
SELECT image_id, tag, true AS present
FROM images CROSS JOIN wanted LEFT JOIN current USING (image_id, tag)
WHERE actor IS NULL OR ($by_person AND actor IN (FROM machines))
ORDER BY image_id, tag
"""

_TAGS_TO_REMOVE = """
SELECT image_id, tag, false AS present
FROM images CROSS JOIN wanted JOIN current USING (image_id, tag)
ORDER BY image_id, tag
"""

_VALUES_TO_SET = """
SELECT image_id, key, wanted.value
FROM images CROSS JOIN wanted LEFT JOIN current USING (image_id, key)
WHERE wanted.value IS DISTINCT FROM current.value
ORDER BY image_id, key
"""


def put_tags(
    catalog: Catalog, image_ids: pa.Array, tags: Iterable[str], *, present: bool, actor: str
) -> int:
    """Put tags on images, or take them off.

    Args:
        catalog: the project's tables.
        image_ids: images of the lake, each once.
        tags: the tags.
        present: whether they are put on.
        actor: who does it.

    Returns:
        How many events were appended.

    Raises:
        QueryError: a tag is empty, too long, or has a character that tags cannot have.
    """
    wanted = sorted({_checked(tag, "tag") for tag in tags})
    table = catalog.table("image_tags")
    events = table.read(filter=one_of("tag", wanted))
    current = run_sql(CURRENT_TAGS_SQL, relations={"image_tags": events})
    relations = {
        "images": pa.table({"image_id": image_ids}),
        "wanted": pa.table({"tag": pa.array(wanted, pa.string())}),
        "current": current,
    }
    if present:
        machines = [a for a in current["actor"].unique().to_pylist() if not is_person(a)]
        relations["machines"] = pa.table({"actor": pa.array(machines, pa.string())})
        by_person = {"by_person": is_person(actor)}
        changed = run_sql(_TAGS_TO_PUT, relations=relations, parameters=by_person)
    else:
        changed = run_sql(_TAGS_TO_REMOVE, relations=relations)
    return _append(catalog, "image_tags", changed, IMAGE_TAGS, actor, events=events)


def put_metadata(
    catalog: Catalog, image_ids: pa.Array, values: Mapping[str, MetadataValue], *, actor: str
) -> int:
    """Set metadata keys of images, or unset them.

    Args:
        catalog: the project's tables.
        image_ids: images of the lake, each once.
        values: key to value; None unsets it.
        actor: who does it.

    Returns:
        How many events were appended.

    Raises:
        QueryError: a key is empty, too long, or has a character that keys cannot have.
    """
    keys = [_checked(key, "metadata key") for key in values]
    wanted = pa.table(
        {
            "key": pa.array(keys, pa.string()),
            "value": pa.array([_text(value) for value in values.values()], pa.string()),
        }
    )
    events = catalog.table("image_metadata").read(filter=one_of("key", keys))
    relations = {
        "images": pa.table({"image_id": image_ids}),
        "wanted": wanted,
        "current": run_sql(CURRENT_METADATA_SQL, relations={"image_metadata": events}),
    }
    changed = run_sql(_VALUES_TO_SET, relations=relations)
    return _append(catalog, "image_metadata", changed, IMAGE_METADATA, actor, events=events)


def _append(
    catalog: Catalog, name: str, rows: pa.Table, schema: pa.Schema, actor: str, *, events: pa.Table
) -> int:
    """Append rows as events of now, and after all events of their images that they change."""
    table = catalog.table(name)
    of_images = pc.is_in(events["image_id"], value_set=rows["image_id"].combine_chunks())
    newest = pc.max(events["at"].filter(of_images)).as_py()
    at = datetime.now(UTC)
    if newest is not None:  # the clock of who wrote it may be ahead
        at = max(at, newest + timedelta(microseconds=1))
    now = pa.scalar(at, schema.field("at").type)
    rows = rows.append_column("actor", pa.repeat(pa.scalar(actor), len(rows)))
    table.append(rows.append_column("at", pa.repeat(now, len(rows))))
    table.optimize()
    return len(rows)


def _text(value: MetadataValue) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _checked(text: str, what: str) -> str:
    if not isinstance(text, str) or not text or text != text.strip() or not text.isprintable():
        raise QueryError(
            f"{text!r} is no {what}.",
            do=f"A {what} is text without line breaks and without blanks at its ends.",
        )
    if len(text) > _LONGEST:
        raise QueryError(f"The {what} {text[:20]!r}… is longer than {_LONGEST} characters.")
    return text
