"""The tool's annotations, parsed once: each state of the history is read, checked and kept.

An import parses the states that no import has parsed before, a few at a time, and has the others
from the catalogue, under the digest of what they say. What it gets is the same as if it parsed
all: a state is parsed by itself, whatever lies beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.formats.label_studio import FIELDS
from cv_pipeline.annotations.formats.label_studio_regions import (
    Annotation,
    Regions,
    is_own_choice,
    without_control,
)
from cv_pipeline.annotations.raw import ExportBuilder, RawRow
from cv_pipeline.catalog.schemas import PARSED_ANNOTATIONS
from cv_pipeline.catalog.schemas.parsed_annotations import PARSED_ROWS
from cv_pipeline.catalog.snapshot.numbering import Numbering
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import CatalogError
from cv_pipeline.labeling.exchange.findings import field_of

LAYOUT = 2
"""Raised whenever a state is parsed into something else, so that all are parsed again."""
AT_ONCE = 2_000
"""States that are parsed together."""

_LOOKED_UP = 10 * AT_ONCE
"""States that are looked up in the history; of more, the history is read from end to end."""
_READ_AT_ONCE = 20_000
_TRIES = 5
_OF_STATE = ("digest", "task", "annotation", "image_id", "result")
_OF_ROW = tuple(
    f.name for f in PARSED_ROWS.value_type if f.name in RawRow._fields
)  # choice and own are none of a row


def parsed_states(
    catalog: Catalog, digests: pa.Array | pa.ChunkedArray, *, version: int | None = None
) -> pa.Table:
    """What some states of the history say, as ``PARSED_ANNOTATIONS``, each once.

    Args:
        catalog: the project's tables; what was never parsed is added to ``parsed_annotations``.
        digests: of the states.
        version: version of ``tool_annotations`` that has them; the latest by default.

    Raises:
        CatalogError: other imports forget again and again what this one parses.
    """
    digests = pc.unique(digests)
    for _ in range(_TRIES):
        _parse_lacking(catalog, digests, version=version)
        found = _wanted(catalog, digests)
        if len(found) == len(digests):
            _tidy(catalog, found)
            return found
    raise CatalogError(
        f"Annotations of {catalog.project} could not be read: other imports are at work.",
        do="Run it again when they are done.",
    )


def _parse_lacking(catalog: Catalog, digests: pa.Array, *, version: int | None) -> None:
    """Parse those of some states that no import has parsed, a few at a time."""
    table = catalog.table("parsed_annotations")
    of_layout = pc.field("layout") == LAYOUT
    known = table.read(columns=["digest"], filter=of_layout)["digest"]
    lacking = digests.filter(pc.invert(pc.is_in(digests, value_set=pc.unique(known))))
    few = len(lacking) <= _LOOKED_UP
    read = _looked_up(catalog, lacking, version) if few else _read_through(catalog, lacking)
    for states in read:
        table.append(_parsed(states))


def _looked_up(catalog: Catalog, digests: pa.Array, version: int | None) -> Iterator[pa.Table]:
    """A few states of the history, some at a time."""
    history = catalog.table("tool_annotations")
    for first in range(0, len(digests), AT_ONCE):
        some = one_of("digest", digests.slice(first, AT_ONCE).to_pylist())
        yield history.read(columns=list(_OF_STATE), filter=some, version=version)


def _read_through(catalog: Catalog, digests: pa.Array) -> Iterator[pa.Table]:
    """Many states of the history, some at a time; what has come since is there as well."""
    wanted = Numbering(pa.chunked_array([digests.sort()]))
    held: list[pa.RecordBatch] = []
    for batch in catalog.table("tool_annotations").batches(_OF_STATE, rows=AT_ONCE):
        held.append(batch.filter(pa.array(wanted.find(batch["digest"]) >= 0)))
        if sum(map(len, held)) >= AT_ONCE:
            yield pa.Table.from_batches(held)
            held = []
    if sum(map(len, held)):
        yield pa.Table.from_batches(held)


def _tidy(catalog: Catalog, found: pa.Table) -> None:
    """Forget states that count no more, once they are most of what is there."""
    table = catalog.table("parsed_annotations")
    if table.read(columns=["layout"]).num_rows > 2 * len(found) + AT_ONCE:
        table.replace(found)
    else:
        table.optimize()


def _wanted(catalog: Catalog, digests: pa.Array) -> pa.Table:
    """The rows of some digests, one each; a few are read at a time, for others may lie there."""
    table = catalog.table("parsed_annotations")
    found = [PARSED_ANNOTATIONS.empty_table()]
    wanted = Numbering(pa.chunked_array([digests.sort()]))
    for batch in table.batches(PARSED_ANNOTATIONS.names, rows=_READ_AT_ONCE):
        chosen = pc.and_(
            pc.equal(batch["layout"], LAYOUT), pa.array(wanted.find(batch["digest"]) >= 0)
        )
        rows = pa.Table.from_batches([batch]).filter(chosen)
        found.append(pa.Table.from_arrays(rows.columns, schema=PARSED_ANNOTATIONS))
    rows = pa.concat_tables(found)
    # two imports at once may both have parsed a state, into the same
    first = rows.select(["digest"]).append_column("place", pa.array(range(len(rows)), pa.int64()))
    places = first.group_by("digest").aggregate([("place", "min")])["place_min"]
    return rows if len(places) == len(rows) else rows.take(places)


def _parsed(states: pa.Table) -> pa.Table:
    """Parse some states."""
    distinct = {state["digest"]: state for state in states.to_pylist()}
    return pa.Table.from_pylist([_state(s) for s in distinct.values()], schema=PARSED_ANNOTATIONS)


def _state(state: dict[str, Any]) -> dict[str, Any]:
    export = ExportBuilder("label_studio", FIELDS)
    regions = Regions(export, is_ours=False)
    where = field_of(state["task"], state["annotation"])
    try:
        results = tuple(json.loads(state["result"]))
        regions.read(
            Annotation(
                source="",
                where=where,
                image=state["image_id"],
                identifier=str(state["annotation"]),
                annotator="",
                lead_time=None,
                created_at=None,
                updated_at=None,
                results=results,
            )
        )
    except RecursionError:
        export.refuse("", where, "bad_value", "It is nested too deeply.")
        results = (None,)
    return {
        "digest": state["digest"],
        "layout": LAYOUT,
        "blank": not results,
        "rows": [
            *_rows(export.rows, choice=False),
            *(
                row | {"own": is_own_choice(choice)}
                for choice in regions.choices
                for row in _rows([without_control(choice)], choice=True)
            ),
        ],
        "refused": [
            {"field": r.field, "reason": r.reason, "detail": r.detail} for r in export.quarantine
        ],
        "left_out": sorted(export.not_imported.elements()),
    }


def _rows(rows: Iterable[RawRow], *, choice: bool) -> list[dict[str, Any]]:
    return [
        {name: getattr(row, name) for name in _OF_ROW} | {"choice": choice, "own": False}
        for row in rows
    ]
