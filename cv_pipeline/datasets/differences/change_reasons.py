"""Why an image or a label differs between two dataset versions: facts that can be looked up.

A reason says what differs about the thing itself: it was not in the catalogue then, it got its
first label since, its official split is another. Where the catalogue is not at hand, or nothing of
the kind is found, it says what the records of the two versions show, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cv_pipeline.catalog.lake import CURRENT_METADATA_SQL, CURRENT_TAGS_SQL
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.differences.changed_rows import IMAGE_CHANGES, LABEL_CHANGES
from cv_pipeline.datasets.record import CandidateRecord

TABLES_ASKED = (
    "annotations",
    "image_features",
    "image_metadata",
    "image_tags",
    "images",
    "signatures",
    "takeouts",
)
"""Tables that reasons are looked up in, where a record names a version of them."""

_IDS = pa.schema([pa.field("image_id", pa.string())])
_TOLD = _IDS.append(pa.field("told", pa.string()))

_CHANGED_METADATA = """
SELECT image_id, string_agg(concat(key, ': ', coalesce(b.value, 'not set'), ' → ',
    coalesce(a.value, 'not set')), ', ' ORDER BY key) AS told
FROM before AS b FULL JOIN after AS a USING (image_id, key)
WHERE b.value IS DISTINCT FROM a.value GROUP BY image_id
"""
_CHANGED_TAGS = """
SELECT image_id, string_agg(concat(CASE WHEN a.n IS NULL THEN '-' ELSE '+' END, tag), ', '
    ORDER BY tag) AS told
FROM (SELECT *, 1 AS n FROM before) AS b FULL JOIN (SELECT *, 1 AS n FROM after) AS a
    USING (image_id, tag)
WHERE a.n IS NULL OR b.n IS NULL GROUP BY image_id
"""

_EITHER = """
SELECT coalesce(b.image_id, a.image_id) AS image_id,
    CASE WHEN b.image_id IS NOT NULL THEN true END AS "before",
    CASE WHEN a.image_id IS NOT NULL THEN true END AS "after"
FROM first AS b FULL JOIN second AS a ON a.image_id = b.image_id
"""

# Each CASE is a fact about the image; where there is none, the last line of its kind of change.
_IMAGES = """
SELECT c.* EXCLUDE (reason), CASE c.change
WHEN 'added' THEN CASE
    WHEN known AND earlier.image_id IS NULL THEN concat('ingested since (batch ', c.batch, ')')
    ELSE coalesce(nullif(concat_ws('; ',
        CASE WHEN known AND readable.before IS NULL AND readable.after THEN
            'features computed since' END,
        CASE WHEN labelled.before IS NULL AND labelled.after THEN 'labelled since' END,
        'metadata changed (' || metadata.told || ')',
        'tags changed (' || tags.told || ')',
        nullif(query, '')
    ), ''), CASE WHEN NOT known THEN 'not in the earlier version'
        WHEN left_out_before THEN 'selected now; then not, or left out between two splits'
        ELSE 'selected now, and not then' END)
    END
WHEN 'removed' THEN CASE
    WHEN gone.image_id IS NOT NULL THEN 'taken out'
    WHEN known AND later.image_id IS NULL THEN 'no longer in the catalogue'
    ELSE coalesce(nullif(concat_ws('; ',
        CASE WHEN labelled.before AND labelled.after IS NULL THEN 'no longer labelled' END,
        CASE WHEN readable.before AND readable.after IS NULL THEN 'without features now' END,
        'metadata changed (' || metadata.told || ')',
        'tags changed (' || tags.told || ')',
        nullif(query, '')
    ), ''), CASE WHEN left_out_after THEN 'no longer selected, or left out between two splits'
        ELSE 'no longer selected' END)
    END
ELSE coalesce(nullif(concat_ws('; ',
        CASE WHEN known AND earlier.split IS DISTINCT FROM later.split THEN concat(
            'official split changed (', coalesce(earlier.split, 'none'), ' → ',
            coalesce(later.split, 'none'), ')') END,
        nullif(rule, ''),
        CASE WHEN c.unit_before != c.unit_after THEN 'its near-duplicates or group changed' END
    ), ''), 'was re-split')
END AS reason
FROM changes AS c CROSS JOIN records
LEFT JOIN images_then AS earlier ON earlier.image_id = c.image_id
LEFT JOIN images_now AS later ON later.image_id = c.image_id
LEFT JOIN labelled ON labelled.image_id = c.image_id
LEFT JOIN readable ON readable.image_id = c.image_id
LEFT JOIN metadata ON metadata.image_id = c.image_id
LEFT JOIN tags ON tags.image_id = c.image_id
LEFT JOIN gone ON gone.image_id = c.image_id
ORDER BY c.image_id
"""

_LABELS = """
SELECT c.* EXCLUDE (reason), CASE
WHEN c.with_image IS NOT NULL THEN concat('its image was ', c.with_image)
WHEN c.change = 'added' THEN CASE
    WHEN known AND earlier.annotation_id IS NOT NULL THEN
        concat('in the catalogue before; the labels of ', c.annotator_after, ' count now')
    ELSE concat('annotated by ', c.annotator_after, at_after) END
WHEN c.change = 'removed' THEN CASE
    WHEN known AND later.annotation_id IS NULL THEN 'no longer in the export'
    WHEN known THEN
        concat('still in the catalogue; the labels of ', c.annotator_before, ' count no longer')
    ELSE 'not in the later version' END
ELSE concat_ws('; ',
    CASE WHEN c.ontology_version_before != c.ontology_version_after THEN concat(
        'ontology ', c.ontology_version_before, ' → ', c.ontology_version_after) END,
    CASE WHEN c.guideline_version_before != c.guideline_version_after THEN concat(
        'guideline ', c.guideline_version_before, ' → ', c.guideline_version_after) END,
    CASE WHEN NOT only_versions THEN CASE
        WHEN coalesce(c.updated_at_after, c.created_at_after)
            IS DISTINCT FROM coalesce(c.updated_at_before, c.created_at_before)
            THEN concat('changed by ', c.annotator_after, at_after)
        ELSE 'the export says otherwise' END END)
END AS reason
FROM (
    SELECT *,
        coalesce(strftime(coalesce(updated_at_after, created_at_after), ' at %Y-%m-%dT%H:%M:%SZ'),
            '') AS at_after,
        regexp_full_match(fields, '((ontology|guideline)_version,?)+') AS only_versions
    FROM changes
) AS c CROSS JOIN records
LEFT JOIN labels_then AS earlier ON earlier.annotation_id = c.annotation_id
LEFT JOIN labels_now AS later ON later.annotation_id = c.annotation_id
ORDER BY c.image_id, c.annotation_id, c.change
"""


def query_change(before: CandidateRecord, after: CandidateRecord) -> str:
    """How the query of two versions differs, in words; empty when it does not."""
    if before.query == after.query:  # its text has every value in it
        return ""
    return f"query changed ({before.query} → {after.query})"


def rule_change(before: CandidateRecord, after: CandidateRecord) -> str:
    """How the split rule of two versions differs, in words; empty when it does not."""
    old, new = (record.rule.model_dump(mode="json") for record in (before, after))
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    told = ", ".join(f"{key} {old.get(key)} → {new.get(key)}" for key in keys)
    return f"split rule changed ({told})" if keys else ""


def explain_images(
    changes: pa.Table, before: CandidateRecord, after: CandidateRecord, catalog: Catalog | None
) -> pa.Table:
    """Give each changed image its reason.

    Args:
        changes: ``IMAGE_CHANGES``.
        before: record of the earlier version.
        after: record of the later version.
        catalog: the project's tables; None leaves what the records say.

    Returns:
        ``IMAGE_CHANGES``, sorted by image.

    Raises:
        CatalogError: a table version that a record names is gone.
    """
    relations = _no_facts() if catalog is None else _facts(changes, before, after, catalog)
    records = pa.table(
        {
            "known": [catalog is not None],
            "query": [query_change(before, after)],
            "rule": [rule_change(before, after)],
            # who they were is not kept, only how many
            "left_out_before": [before.bridges > 0],
            "left_out_after": [after.bridges > 0],
        }
    )
    rows = run_sql(_IMAGES, relations={"changes": changes, "records": records, **relations})
    return rows.select(IMAGE_CHANGES.names).cast(IMAGE_CHANGES)


def explain_labels(
    changes: pa.Table, before: CandidateRecord, after: CandidateRecord, catalog: Catalog | None
) -> pa.Table:
    """Give each changed label its reason; arguments, errors and order as for images.

    Returns:
        ``LABEL_CHANGES``.
    """
    none = pa.table({"annotation_id": pa.array([], pa.string())})
    then = now = none
    if catalog is not None:
        sql = "SELECT annotation_id FROM rows SEMI JOIN changes USING (annotation_id)"
        then, now = (
            _at(catalog, "annotations", record, sql, changes=changes) for record in (before, after)
        )
    relations = {
        "changes": changes,
        "records": pa.table({"known": [catalog is not None]}),
        "labels_then": then,
        "labels_now": now,
    }
    rows = run_sql(_LABELS, relations=relations)
    return rows.select(LABEL_CHANGES.names).cast(LABEL_CHANGES)


def _at(catalog: Catalog, table: str, record: CandidateRecord, sql: str, **others: Any) -> pa.Table:
    """A statement over ``rows``, a table at the version that a record names; none is empty."""
    version = record.table_versions.get(table, 0)
    rows = catalog.table(table).relation(version=version)
    return run_sql(sql, relations={"rows": rows, **others})


def _no_facts() -> dict[str, pa.Table]:
    flags = _IDS.append(pa.field("before", pa.bool_())).append(pa.field("after", pa.bool_()))
    splits = _IDS.append(pa.field("split", pa.string()))
    schemas = {
        "images_then": splits,
        "images_now": splits,
        "labelled": flags,
        "readable": flags,
        "metadata": _TOLD,
        "tags": _TOLD,
        "gone": _IDS,
    }
    return {name: schema.empty_table() for name, schema in schemas.items()}


def _facts(
    changes: pa.Table, before: CandidateRecord, after: CandidateRecord, catalog: Catalog
) -> Mapping[str, pa.Table]:
    """What the catalogue knew of the changed images when each version was made."""
    ids = changes.select(["image_id"])

    def at(table: str, record: CandidateRecord, sql: str) -> pa.Table:
        return _at(catalog, table, record, sql, ids=ids)

    def either(first: str, second: str) -> pa.Table:
        """Of the images that have a row in a table: whether they had one then, and have one now."""
        found = "SELECT DISTINCT image_id FROM rows SEMI JOIN ids USING (image_id)"
        both = {"first": at(first, before, found), "second": at(second, after, found)}
        return run_sql(_EITHER, relations=both)

    def current(table: str, sql: str, compared: str) -> pa.Table:
        if before.table_versions.get(table) == after.table_versions.get(table):
            return _TOLD.empty_table()
        among = "FROM rows SEMI JOIN ids USING (image_id)"
        states = [
            run_sql(sql, relations={table: at(table, record, among)}) for record in (before, after)
        ]
        return run_sql(compared, relations={"before": states[0], "after": states[1]})

    images = "SELECT image_id, split FROM rows SEMI JOIN ids USING (image_id)"
    features = (_features(before), _features(after))
    return {
        "images_then": at("images", before, images),
        "images_now": at("images", after, images),
        "labelled": either("annotations", "annotations"),
        "readable": either(*features),
        "metadata": current("image_metadata", CURRENT_METADATA_SQL, _CHANGED_METADATA),
        "tags": current("image_tags", CURRENT_TAGS_SQL, _CHANGED_TAGS),
        "gone": at("takeouts", after, "SELECT image_id FROM rows SEMI JOIN ids USING (image_id)"),
    }


def _features(record: CandidateRecord) -> str:
    """The table whose rows say that an image could be read; it was another once."""
    return "signatures" if "signatures" in record.table_versions else "image_features"
