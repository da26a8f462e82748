"""The splits that dataset versions gave their images, kept so that later ones give them again.

An image's assignment under a rule is written once and never changed. Versions are made from
candidates that read the assignments at a recorded table version, so a candidate stays a function
of the project and of table versions.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import SPLIT_ASSIGNMENTS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.split_rule import rule_digest
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split

TABLE = "split_assignments"
_GIVEN = ["image_id", "split", "fold"]


def kept_assignments(
    catalog: Catalog, rule: Split, image_ids: pa.Array, *, version: int
) -> pa.Table:
    """The split and fold that an earlier version gave each of some images.

    Args:
        catalog: the project's tables.
        rule: the split rule; with ``sticky: false`` nothing is kept.
        image_ids: (N,) images.
        version: version of the table ``split_assignments``.

    Returns:
        (N,) rows of ``split`` and ``fold``, null where nothing is kept.
    """
    rows = _read(catalog, rule, version=version if rule.sticky else 0)
    at = pc.index_in(image_ids, value_set=rows["image_id"].combine_chunks())
    return rows.select(["split", "fold"]).take(at)


def record_assignments(
    catalog: Catalog, manifest: pa.Table, rule: Split, *, dataset: str, read: int
) -> int:
    """Keep the splits of a dataset version for the images that have none under its rule.

    Doing it again changes nothing. Call it before the version is published, so that there is no
    version whose splits are not kept.

    Args:
        catalog: the project's tables.
        manifest: ``MANIFEST`` of the version.
        rule: its split rule; with ``sticky: false`` nothing is kept.
        dataset: digest of the version.
        read: version of ``split_assignments`` that the candidate was divided by.

    Returns:
        How many images are new.

    Raises:
        DatasetError: another version was made since, and gave some of the images other splits.
        CatalogError: too many others were writing at once.
    """
    if not rule.sticky:
        return 0
    table = catalog.table(TABLE)
    found = table.version
    # before anything is written: what a refused version gave would stay, and part what belongs
    # together
    _require_no_other(catalog, manifest, rule, read=read, now=found)
    known = _read(catalog, rule, version=found)
    fresh = _not_among(manifest, known).select(_GIVEN)
    now = pa.scalar(datetime.now(UTC), SPLIT_ASSIGNMENTS.field("at").type)
    columns = {
        "rule": pa.repeat(rule_digest(rule), len(fresh)),
        **{name: fresh[name] for name in _GIVEN},
        "dataset": pa.repeat(dataset, len(fresh)),
        "at": pa.repeat(now, len(fresh)),
    }
    written = table.insert(pa.table(columns, schema=SPLIT_ASSIGNMENTS), on=table.key)
    _require_no_other(catalog, manifest, rule, read=found, now=written)
    return len(fresh)


def _require_no_other(
    catalog: Catalog, manifest: pa.Table, rule: Split, *, read: int, now: int
) -> None:
    """Refuse a division that was overtaken: only rows that it did not read can differ from it."""
    if now == read:
        return
    before, after = (_read(catalog, rule, version=version) for version in (read, now))
    since = _not_among(after, before)
    at = pc.index_in(since["image_id"], value_set=manifest["image_id"].combine_chunks())
    ours = manifest.select(["split", "fold"]).take(at)
    same = pc.and_(
        pc.equal(ours["split"], since["split"]),
        pc.equal(ours["fold"].fill_null(-1), since["fold"].fill_null(-1)),
    )
    moved = pc.sum(pc.invert(same.fill_null(True))).as_py() or 0
    if moved:
        raise DatasetError(
            f"Another dataset version of {catalog.project} was made since this candidate was"
            f" divided, and gave {moved} of its images another split.",
            do=f"Run: cvp run {catalog.project} --select dataset_candidate,dataset_version",
        )


def _read(catalog: Catalog, rule: Split, *, version: int) -> pa.Table:
    ours = pc.field("rule") == rule_digest(rule)
    return catalog.table(TABLE).read(columns=_GIVEN, filter=ours, version=version)


def _not_among(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows whose image has none among ``others``."""
    known = pc.is_in(rows["image_id"], value_set=others["image_id"].combine_chunks())
    return rows.filter(pc.invert(known))
