"""The splits that dataset versions gave their images, kept so that later ones give them again.

An image's split under a rule, and its fold, are each written once and never changed. Versions are
made from candidates that read the assignments at a recorded table version, so a candidate stays a
function of the project and of table versions.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import SPLIT_ASSIGNMENTS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.splitting.split_rule import fold_rule_digest, split_rule_digest
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split

TABLE = "split_assignments"


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
    columns = {}
    for name in ("split", "fold"):
        digest = _rules(rule).get(name) if rule.sticky else None
        rows = _read(catalog, digest, name, version=version if digest else 0)
        at = pc.index_in(image_ids, value_set=rows["image_id"].combine_chunks())
        columns[name] = rows[name].take(at)
    return pa.table(columns)


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
        How many images were given a split for the first time.

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
    fresh = {
        name: _not_among(manifest.filter(manifest[name].is_valid()), known)
        for name, digest in _rules(rule).items()
        for known in [_read(catalog, digest, name, version=found)]
    }
    rows = [_rows(fresh[name], digest, dataset=dataset) for name, digest in _rules(rule).items()]
    written = table.insert(pa.concat_tables(rows), on=table.key)
    _require_no_other(catalog, manifest, rule, read=found, now=written)
    return len(fresh["split"])


def _rules(rule: Split) -> dict[str, str]:
    """What is kept of an image, each under a rule of its own."""
    folds = {"fold": fold_rule_digest(rule)} if rule.folds else {}
    return {"split": split_rule_digest(rule), **folds}


def _rows(manifest: pa.Table, rule: str, *, dataset: str) -> pa.Table:
    """``SPLIT_ASSIGNMENTS`` of the images of a manifest."""
    now = pa.scalar(datetime.now(UTC), SPLIT_ASSIGNMENTS.field("at").type)
    columns = {
        "rule": pa.repeat(rule, len(manifest)),
        **{name: manifest[name] for name in ("image_id", "split", "fold")},
        "dataset": pa.repeat(dataset, len(manifest)),
        "at": pa.repeat(now, len(manifest)),
    }
    return pa.table(columns, schema=SPLIT_ASSIGNMENTS)


def _require_no_other(
    catalog: Catalog, manifest: pa.Table, rule: Split, *, read: int, now: int
) -> None:
    """Refuse a division that was overtaken: only rows that it did not read can differ from it."""
    if now == read:
        return
    moved = 0
    for name, digest in _rules(rule).items():
        before, after = (_read(catalog, digest, name, version=v) for v in (read, now))
        since = _not_among(after, before)
        at = pc.index_in(since["image_id"], value_set=manifest["image_id"].combine_chunks())
        same = pc.equal(manifest[name].take(at), since[name])
        moved += pc.sum(pc.invert(same.fill_null(True))).as_py() or 0
    if moved:
        raise DatasetError(
            f"Another dataset version of {catalog.project} was made since this candidate was"
            f" divided, and gave {moved} of its images another split.",
            do=f"Run: cvp run {catalog.project} --select dataset_candidate,dataset_version",
        )


def _read(catalog: Catalog, rule: str | None, name: str, *, version: int) -> pa.Table:
    """``image_id`` and ``split`` or ``fold`` of the images of a rule."""
    columns = ["image_id", name]
    return catalog.table(TABLE).read(
        columns=columns, filter=pc.field("rule") == rule, version=version
    )


def _not_among(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows whose image has none among ``others``."""
    known = pc.is_in(rows["image_id"], value_set=others["image_id"].combine_chunks())
    return rows.filter(pc.invert(known))
