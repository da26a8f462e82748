"""How much of what was pulled is among the labels: a pull alone makes none, an import does.

An import notes how many states of the history it has seen, once its labels are written: one that
is killed before that is asked for again, and finds nothing to do. The history only grows, so that
what it has beyond that number is what no import has seen.
"""

from __future__ import annotations

import json

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ObjectNotFound


def pulled_and_not_imported(catalog: Catalog) -> int:
    """States of annotations, deletions included, that were pulled since the last import.

    Args:
        catalog: the project's tables.
    """
    states, seen = states_pulled(catalog), _seen(catalog)
    # fewer than were seen are those of another history, made anew in its place
    return states - seen if seen <= states else states


def states_pulled(catalog: Catalog, *, version: int | None = None) -> int:
    """States of annotations that pulls have seen.

    Args:
        catalog: the project's tables.
        version: version of ``tool_annotations`` to look at; the latest by default.
    """
    relation = catalog.table("tool_annotations").relation(version=version)
    counted = run_sql("SELECT count(*) AS n FROM states", relations={"states": relation})
    return int(counted["n"][0].as_py())


def note_imported(catalog: Catalog, *, states: int) -> None:
    """Write down that an import has seen so many states of the history.

    Args:
        catalog: the project's tables.
        states: how many, of the version that it read.
    """
    if _seen(catalog) != states:
        catalog.store.write(_key(catalog), json.dumps({"states": states}).encode())


def _seen(catalog: Catalog) -> int:
    """States that the last import saw; 0 when there was none."""
    try:
        return int(json.loads(catalog.store.read(_key(catalog)))["states"])
    except (ObjectNotFound, ValueError, TypeError, KeyError):
        return 0


def _key(catalog: Catalog) -> str:
    return f"projects/{catalog.project}/imports/pulled.json"
