"""What the lake holds now, and the images that a dataset's query selects.

Metadata and tags are logs of events; here are their current states. A query compiles to one
DuckDB statement over fixed table versions, so it selects the same images whenever it is asked
again at those versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from cv_pipeline.catalog.date_range import parse_date_range
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.project import Query

CURRENT_METADATA = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # metadata key
        pa.field("key", pa.string(), nullable=False),
        # its current value
        pa.field("value", pa.string(), nullable=False),
    ]
)

CURRENT_TAGS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # a tag that is on it
        pa.field("tag", pa.string(), nullable=False),
    ]
)

# Two events of one instant have an order too, and one that does not depend on how rows lie.
_CURRENT_METADATA = """
SELECT image_id, key, value
FROM image_metadata
QUALIFY value IS NOT NULL AND 1 = row_number() OVER (
    PARTITION BY image_id, key ORDER BY "at" DESC, value DESC NULLS LAST, actor
)
"""

_CURRENT_TAGS = """
SELECT image_id, tag
FROM image_tags
QUALIFY present AND 1 = row_number() OVER (
    PARTITION BY image_id, tag ORDER BY "at" DESC, present DESC, actor
)
"""


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The images that a query selected, and how.

    Attributes:
        image_ids: sorted array of strings, each once.
        sql: the statement that selected them.
        parameters: values that were bound in it, by name.
        text: the query in words, for people.
        table_versions: table to the version that was read.
    """

    image_ids: pa.Array
    sql: str
    parameters: dict[str, str]
    text: str
    table_versions: dict[str, int]


def current_metadata(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """Current value of every metadata key of every image.

    Args:
        catalog: the project's tables.
        version: version of ``image_metadata`` to look at; the latest by default.

    Returns:
        Rows of schema :data:`CURRENT_METADATA`, sorted by image and key.
    """
    rows = run_sql(
        f"{_CURRENT_METADATA} ORDER BY image_id, key",
        relations={"image_metadata": catalog.table("image_metadata").relation(version=version)},
    )
    return rows.cast(CURRENT_METADATA)


def current_tags(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """Tags that are on images now.

    Args:
        catalog: the project's tables.
        version: version of ``image_tags`` to look at; the latest by default.

    Returns:
        Rows of schema :data:`CURRENT_TAGS`, sorted by image and tag.
    """
    rows = run_sql(
        f"{_CURRENT_TAGS} ORDER BY image_id, tag",
        relations={"image_tags": catalog.table("image_tags").relation(version=version)},
    )
    return rows.cast(CURRENT_TAGS)


def select_images(
    catalog: Catalog, query: Query, *, table_versions: Mapping[str, int] | None = None
) -> QueryResult:
    """Select the images that meet every condition of a query.

    An image is *labelled* when ``annotations`` has at least one row of it, whoever made it and of
    whatever kind. ``metadata`` compares current values, as text; ``tags_any`` asks for at least
    one of the tags; ``date_range`` leaves out images whose capture time is unknown.

    Args:
        catalog: the project's tables.
        query: the conditions.
        table_versions: versions to read, named in the result; the latest of those left out.

    Raises:
        CatalogError: the date range cannot be read.
    """
    conditions, parameters, words = _compile(query)
    sql = "\n".join(
        [
            f"WITH current_metadata AS ({_CURRENT_METADATA}),",
            f"current_tags AS ({_CURRENT_TAGS})",
            "SELECT image_id FROM images",
            *(f"{'AND' if n else 'WHERE'} {c}" for n, c in enumerate(conditions)),
            "ORDER BY image_id",
        ]
    )
    names = ("annotations", "image_metadata", "image_tags", "images")
    given = table_versions or {}
    versions = {n: given[n] if n in given else catalog.table(n).version for n in names}
    relations = {name: catalog.table(name).relation(version=versions[name]) for name in names}
    rows = run_sql(sql, relations=relations, parameters=parameters)
    return QueryResult(
        image_ids=rows["image_id"].cast(pa.string()).combine_chunks(),
        sql=sql,
        parameters=parameters,
        text=" and ".join(words) or "all images",
        table_versions=versions,
    )


def _compile(query: Query) -> tuple[list[str], dict[str, str], list[str]]:
    """SQL conditions, the parameters in them, and the same conditions in words."""
    conditions: list[str] = []
    parameters: dict[str, str] = {}
    words: list[str] = []
    if query.labelled is not None:
        some = "EXISTS" if query.labelled else "NOT EXISTS"
        conditions.append(f"{some} (FROM annotations AS a WHERE a.image_id = images.image_id)")
        words.append("labelled" if query.labelled else "not labelled")
    for n, (key, value) in enumerate(sorted(query.metadata.items())):
        parameters |= {f"key_{n}": key, f"value_{n}": value}
        conditions.append(
            "EXISTS (FROM current_metadata AS m WHERE m.image_id = images.image_id"
            f" AND m.key = $key_{n} AND m.value = $value_{n})"
        )
        words.append(f"{key} = {value!r}")
    if query.tags_any:
        tags = sorted(set(query.tags_any))
        parameters |= {f"tag_{n}": tag for n, tag in enumerate(tags)}
        names = ", ".join(f"$tag_{n}" for n in range(len(tags)))
        conditions.append(
            "EXISTS (FROM current_tags AS t WHERE t.image_id = images.image_id"
            f" AND t.tag IN ({names}))"
        )
        words.append(f"tagged {' or '.join(repr(tag) for tag in tags)}")
    if query.date_range is not None:
        dates = parse_date_range(query.date_range)
        if dates.start:
            parameters["start"] = dates.start.isoformat()
            conditions.append("captured_at >= CAST($start AS TIMESTAMPTZ)")
            words.append(f"captured from {parameters['start']}")
        if dates.end:
            parameters["end"] = dates.end.isoformat()
            conditions.append("captured_at < CAST($end AS TIMESTAMPTZ)")
            words.append(f"captured before {parameters['end']}")
    return conditions, parameters, words
