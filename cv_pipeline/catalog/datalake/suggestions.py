"""What a condition may have meant that no image meets: a value or key that is spelt nearly so."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.query.nodes import Comparison, Condition, Field, Membership
from cv_pipeline.catalog.snapshot import Snapshot

_MOST = 3
_CLOSE = 0.6
_DISTINCT = 20_000
"""Values above which a column is no list of names."""
_COLUMNS = {
    "label": ("annotations", "label"),
    "annotator": ("annotations", "annotator"),
    "tag": ("tags", "tag"),
    "set_aside": ("set_aside", "name"),
}
_OF_IMAGES = frozenset({"format", "dtype", "split", "source", "batch"})


def suggestion(condition: Condition, snapshot: Snapshot) -> str:
    """The nearest values or keys that there are; empty where nothing is near, or all is right.

    Args:
        condition: one that no image meets.
        snapshot: what it was asked of.
    """
    for field, values in _asked(condition):
        if field.name == "metadata":
            keys = _known(snapshot.metadata["key"])
            if field.key not in keys:
                return _nearest(field.key or "", keys, "No image has the metadata key")
        known = _values(field, snapshot)
        for value in values:
            if known and value not in known:
                return _nearest(value, known, f"No image has {_name(field)}")
    return ""


def _asked(condition: Condition) -> Iterator[tuple[Field, tuple[str, ...]]]:
    """Fields of images that must have one of some texts."""
    if isinstance(condition, Comparison) and isinstance(condition.operand, Field):
        texts = (condition.value,) if condition.operator == "=" else ()
        yield condition.operand, tuple(t for t in texts if isinstance(t, str))
    elif isinstance(condition, Membership) and isinstance(condition.operand, Field):
        yield condition.operand, tuple(v for v in condition.values if isinstance(v, str))


def _values(field: Field, snapshot: Snapshot) -> set[str]:
    if field.name == "metadata":
        table = snapshot.metadata
        return _known(table["value"].filter(pc.equal(table["key"], field.key)))
    if field.name in _COLUMNS:
        relation, column = _COLUMNS[field.name]
        return _known(getattr(snapshot, relation)[column])
    return _known(snapshot.images[field.name]) if field.name in _OF_IMAGES else set()


def _known(column: pa.ChunkedArray) -> set[str]:
    distinct = pc.unique(column)
    if len(distinct) > _DISTINCT:
        return set()
    return set(distinct.cast(pa.string()).drop_null().to_pylist())


def _nearest(value: str, known: set[str], what: str) -> str:
    close = difflib.get_close_matches(value, sorted(known), n=_MOST, cutoff=_CLOSE)
    told = f"{what} {value!r}."
    return f"{told} Did you mean {' or '.join(map(repr, close))}?" if close else told


def _name(field: Field) -> str:
    return f"{field.name}.{field.key}" if field.key else f"the {field.name}"
