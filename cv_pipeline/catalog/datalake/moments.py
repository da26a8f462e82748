"""As of when a query is asked: from what a user writes to fixed versions of the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from cv_pipeline.catalog.datalake.references import Moment, References
from cv_pipeline.catalog.snapshot import TABLES_READ, fixed_versions
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import QueryError, nearest

AsOf = str | datetime | Mapping[str, int]
"""A time, a reference to a dataset version or metric, or versions of tables by name."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")
_BEFORE_THERE_WERE = {"takeouts": 0}
"""Versions of tables that older records do not name, because there were none yet."""


def resolve_moment(catalog: Catalog, as_of: AsOf, references: References) -> Moment:
    """The moment that ``as_of`` means, with a version for every table that a query reads.

    Args:
        catalog: the project's tables.
        as_of: versions by table (the latest of those left out); a time, without a zone in UTC,
            where a date alone means its beginning; or what ``references`` can tell the moment of.
        references: knows dataset versions and evaluations.

    Raises:
        QueryError: it is no time, or names a table that queries do not read.
        CatalogError: a version was cleaned up.
        ProvenanceError: the reference is unknown.
    """
    if isinstance(as_of, Mapping):
        return Moment("given table versions", fixed_versions(catalog, _checked(as_of)))
    if isinstance(as_of, str) and _DATE.fullmatch(as_of.strip()):
        as_of = _time(as_of.strip())
    if isinstance(as_of, datetime):
        moment = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
        versions = {name: catalog.table(name).version_at(moment) for name in TABLES_READ}
        return Moment(moment.astimezone(UTC).isoformat(), versions)
    found = references.moment(as_of)
    known = {n: v for n, v in found.table_versions.items() if n in TABLES_READ}
    versions = fixed_versions(catalog, _BEFORE_THERE_WERE | known)
    return Moment(found.what, versions, found.dataset)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise QueryError(
            f"{text!r} is no time: {error}.", do="Write it as 2025-11-03T08:30:00Z."
        ) from None


def _checked(versions: Mapping[str, int]) -> Mapping[str, int]:
    for name, version in versions.items():
        if name not in TABLES_READ:
            raise QueryError(
                f"as_of names a table {name!r}, which queries do not read.",
                do=nearest(name, TABLES_READ),
            )
        if isinstance(version, bool) or not isinstance(version, int) or version < 0:
            raise QueryError(f"as_of names version {version!r} of {name}, which is no version.")
    return versions
