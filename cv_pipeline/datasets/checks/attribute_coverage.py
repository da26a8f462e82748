"""Whether every declared value of every attribute is in every split."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.context import CheckContext, numbered
from cv_pipeline.datasets.checks.coverage import COUNTS, count_statuses, cover, told
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.distinct import distinct

ATTRIBUTES = pa.schema(
    [
        # attribute of the ontology
        pa.field("attribute", pa.string(), nullable=False),
        # one of its values; true and false where it is yes or no
        pa.field("value", pa.string(), nullable=False),
        *COUNTS,
    ]
)
YES_OR_NO = ("true", "false")


def check_attribute_coverage(context: CheckContext, threshold: float) -> Finding:
    """Look for declared attribute values that a split, or a fold, could have and has not.

    The values are those of ``ontology.attributes``; an attribute without values is yes or no. They
    are judged as classes are, see :func:`coverage.cover`.

    Args:
        context: the candidate.
        threshold: least images with a value in each split.

    Returns:
        Rows of schema :data:`ATTRIBUTES`, one a value, in the ontology's order.
    """
    declared = context.record.ontology.attributes
    if not declared:
        summary = "No attributes are declared (ontology.attributes)."
        return Finding(True, summary, {"values": 0}, ATTRIBUTES.empty_table())
    names = [(name, value) for name, values in declared.items() for value in values or YES_OR_NO]
    code, texts = numbered(context.annotations["attributes"])
    held, value = _values(texts.to_pylist(), names)
    inside = context.image_of_label >= 0
    # every row of a text has all the values of the text
    kinds = max(len(texts), 1)
    pairs = distinct(context.image_of_label[inside] * kinds + code[inside])
    image, code = np.divmod(pairs, kinds)
    starts = np.searchsorted(held, np.arange(len(texts) + 1))
    count = np.diff(starts)[code]
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    columns = cover(
        context,
        np.repeat(image, count),
        value[np.repeat(starts[code], count) + offset],
        size=len(names),
        least=threshold,
    )
    listed = [pa.array(column) for column in zip(*names, strict=True)]
    rows = pa.Table.from_arrays([*listed, *columns], schema=ATTRIBUTES)
    counts = count_statuses(rows)
    said = pc.binary_join_element_wise(rows["attribute"], rows["value"], " ")
    total = counted(len(rows), "attribute value")
    uncovered = told(said, rows["status"], "value", "values")
    summary = f"Of {total}: {uncovered}." if uncovered else f"All {total} are in every split."
    return Finding(not counts["missing"], summary, {"values": len(rows), **counts}, rows)


def _values(
    texts: Sequence[str], names: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Number of the text, ascending, and number of the value, of each declared value in a text."""
    number = {name: n for n, name in enumerate(names)}
    held, value = [], []
    for n, text in enumerate(texts):
        for found in sorted(_declared(json.loads(text), number)):
            held.append(n)
            value.append(found)
    return np.array(held, np.int64), np.array(value, np.int64)


def _declared(attributes: Mapping[str, object], number: Mapping[tuple[str, str], int]) -> set[int]:
    found = set()
    for name, given in attributes.items():
        for one in given if isinstance(given, list) else [given]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            if (name, text) in number:
                found.add(number[name, text])
    return found
