"""Who the accounts of the annotation tool are: the names that their labels have in the lake.

Pulls keep the number of the account with every state of an annotation, and every reader looks up
its name here: ``studio-7``, or the name of somebody whom files know, when ``labeling.people`` of
the project says so. So a name that is changed there is another one for old and new labels alike,
and rows that an earlier release wrote as ``annotator-7`` read as ``studio-7``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import TOOL_PEOPLE
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.pseudonyms import ACCOUNT, account_name, account_of

NAMED = f"""
SELECT t.* REPLACE (
    CASE WHEN t.completed_by = 0 THEN t.annotator
        ELSE coalesce(p.annotator, '{ACCOUNT}' || t.completed_by) END AS annotator
)
FROM tool_annotations AS t LEFT JOIN tool_people AS p ON p.account = t.completed_by
"""  # noqa: S608 - of constants
"""SQL for the rows of ``tool_annotations`` with the names of today, for a ``WITH``."""


def named_relations(catalog: Catalog, *, version: int | None = None) -> dict[str, Any]:
    """The tables that :data:`NAMED` reads.

    Args:
        catalog: the project's tables.
        version: version of ``tool_annotations`` to look at; the latest by default.
    """
    return {
        "tool_annotations": catalog.table("tool_annotations").relation(version=version),
        "tool_people": catalog.table("tool_people").relation(),
    }


def record_people(
    catalog: Catalog, labeling: Labeling, members: Collection[int] | None = None
) -> None:
    """Write down who the accounts of the tool are; the same again writes nothing.

    Args:
        catalog: the project's tables.
        labeling: what the project declares of labelling.
        members: accounts that the tool has now; None when it was not asked.
    """
    table = catalog.table("tool_people")
    known = {row["account"]: row for row in table.read().to_pylist()}
    named = {number for name in labeling.people if (number := account_of(name)) is not None}
    now = datetime.now(UTC)
    rows = []
    for account in sorted({*known, *named, *(members or ())}):
        before = known.get(account, {})
        present = before.get("present") if members is None else account in members
        row = {"account": account, "annotator": labeling.named(account), "present": present}
        if any(before.get(key, ...) != value for key, value in row.items()):
            rows.append({**row, "at": now})
    if rows:
        table.merge(pa.Table.from_pylist(rows, schema=TOOL_PEOPLE), on=table.key)


def with_account(catalog: Catalog, names: Collection[str]) -> frozenset[str]:
    """Those of some annotators who have an account in the tool now, and so can be given work.

    All of them, where nothing was pushed to a tool yet. Where no push or pull has asked the tool,
    as before the first one of this release, whoever labelled there counts, and whoever is named as
    an account of it.
    """
    people = catalog.table("tool_people").read(columns=["account", "annotator", "present"])
    asked = people.filter(pc.is_valid(people["present"]))
    if len(asked):
        return frozenset(names) & {*asked["annotator"].filter(asked["present"]).to_pylist()}
    if not catalog.table("labeling_tasks").version:
        return frozenset(names)
    names_of = _names(catalog)
    seen = catalog.table("tool_annotations").read(columns=["completed_by"])["completed_by"]
    labelled = {_called(names_of, account) for account in pc.unique(seen).to_pylist() if account}
    labelled |= {*names_of.values()}
    return frozenset(n for n in names if n in labelled or account_of(n) is not None)


def _names(catalog: Catalog) -> dict[int, str]:
    """Account of the tool to its name, as far as it was written down."""
    rows = catalog.table("tool_people").read(columns=["account", "annotator"])
    return dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))


def _called(names: Mapping[int, str], account: int) -> str:
    return names.get(account) or account_name(account)
