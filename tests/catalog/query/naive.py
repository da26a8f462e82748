"""What a query means, in plain Python over rows: slow, obvious, and written apart from the SQL."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import operator
from collections import defaultdict
from fractions import Fraction
from typing import Any

from cv_pipeline.catalog.query.nodes import (
    And,
    Between,
    Comparison,
    Condition,
    Errors,
    Field,
    Membership,
    Not,
    Operand,
    Or,
    Presence,
    QueryNode,
    Rows,
    Sample,
    Test,
)
from tests.catalog.query.small_lakes import Row, SmallLake

_SIGNS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "starts with": str.startswith,
}
_UNKNOWN = object()
_COLUMNS = {
    "date_range": "captured_at",
    "ingested": "ingested_at",
    "created": "created_at",
    "updated": "updated_at",
    "image": "image_id",
}
_DATES = ("date_range", "ingested", "taken_out_at", "created", "updated")
_MICROSECOND = dt.timedelta(microseconds=1)


def answer(query: QueryNode, lake: SmallLake) -> list[int]:
    """Numbers of the images that a query selects, in order."""
    found = lake.images
    if "taken_out" not in names_in(query.where):
        found = [i for i in found if not i["taken_out"]]
    if query.where:
        found = [i for i in found if holds(query.where, i, lake)]
    if query.sample:
        found = drawn(query.sample, found, lake)
    found = sorted(found, key=lambda i: i["image_id"])
    for order in reversed(query.order_by):
        by = order.by
        keys = [_by_number, _by_text] if getattr(by, "name", "") == "metadata" else [_as_it_is]
        for key in reversed(keys):
            known = {i["n"]: key(value_of(by, i, lake)) for i in found}
            unknown = [i for i in found if known[i["n"]] is _UNKNOWN]
            found = [i for i in found if known[i["n"]] is not _UNKNOWN]
            found.sort(key=lambda i: known[i["n"]], reverse=order.descending)
            found += unknown
    return [i["n"] for i in found][: query.limit]


def names_in(condition: Condition | None) -> set[str]:
    """``taken_out``, when a condition says anything about it."""
    match condition:
        case None:
            return set()
        case And(parts) | Or(parts):
            return set().union(*(names_in(p) for p in parts))
        case Not(inner):
            return names_in(inner)
        case _:
            name = getattr(condition.operand, "name", "")
            return {"taken_out"} if name in ("taken_out", "taken_out_at") else set()


def holds(condition: Condition, row: Row, lake: SmallLake) -> bool:
    """Whether a condition holds for an image, or for a row about one."""
    match condition:
        case And(parts):
            return all(holds(p, row, lake) for p in parts)
        case Or(parts):
            return any(holds(p, row, lake) for p in parts)
        case Not(inner):
            return not holds(inner, row, lake)
    return any(meets(condition, v, row) for v in values_of(condition.operand, row, lake))


def values_of(operand: Operand, row: Row, lake: SmallLake) -> list[Any]:
    """Every value that is known of an operand."""
    if isinstance(operand, Field) and "image_id" in row:
        match operand.name:
            case "tag":
                return sorted(row["tags"])
            case "set_aside":
                return sorted(row["set_aside"])
            case "label" | "annotator":
                return [a[operand.name] for a in row["annotations"]]
    found = value_of(operand, row, lake)
    return [] if found is _UNKNOWN else [found]


def value_of(operand: Operand, row: Row, lake: SmallLake) -> Any:
    """The one value of an operand."""
    match operand:
        case Rows(of="annotations", condition=inner):
            rows = row["annotations"]
        case Rows(of="predictions", ref=ref, condition=inner):
            rows = lake.predictions.get(ref, {}).get(row["n"], [])
        case Rows(of=of, ref=ref, condition=inner):
            known = (lake.datasets if of == "dataset" else lake.results).get(ref, {})
            rows = [known[row["n"]]] if row["n"] in known else []
        case Errors(model, kind):
            result = lake.results.get(model, {}).get(row["n"])
            if result is None:
                return _UNKNOWN
            counts = {k: result[f"{k}s"] for k in ("false_negative", "false_positive")}
            return counts.get(kind, sum(counts.values()))
        case Field(name, key):
            found = _field(name, key, row, lake)
            return _UNKNOWN if found is None else found
    return sum(inner is None or holds(inner, r, lake) for r in rows)


def _field(name: str, key: str | None, row: Row, lake: SmallLake) -> Any:
    if name == "metadata":
        return row["metadata"].get(key)
    if name == "attribute":
        return json.loads(row["attributes"]).get(key)
    if name == "similarity":
        return lake.similar.get(key, {}).get(row["n"], {}).get("similarity")
    if name.startswith("results."):
        return lake.results.get(key, {}).get(row["n"], {}).get(name.removeprefix("results."))
    if name == "phash":
        return None if row["phash"] is None else f"{row['phash']:016x}"
    if name == "labelled":
        return len(row["annotations"]) > 0
    if name.startswith("box_"):
        return _box(name, row)
    return row[_COLUMNS.get(name, name)]


def _box(name: str, row: Row) -> float | None:
    width = _difference(row["x_min"], row["x_max"])
    height = _difference(row["y_min"], row["y_max"])
    if name == "box_width":
        return width
    if name == "box_height":
        return height
    return None if width is None or height is None else width * height


def _difference(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else high - low


def meets(test: Test, value: Any, row: Row) -> bool:
    """Whether a known value is as a test wants it."""
    name = getattr(test.operand, "name", "")
    match test:
        case Presence():
            return True
        case Membership(values=wanted):
            return any(_equal(name, value, w, row) for w in wanted)
        case Comparison(operator="=", value=wanted):
            return _equal(name, value, wanted, row)
        case Comparison(operator="!=", value=wanted):
            if name == "image" or name in _DATES:
                return not _equal(name, value, wanted, row)
            return _compares(name, value, "!=", wanted)
        case Comparison(operator=sign, value=wanted):
            return _compares(name, value, sign, wanted)
        case Between(low=low, high=high):
            return _compares(name, value, ">=", low) and _compares(name, value, "<=", high)


def _equal(name: str, value: Any, wanted: Any, row: Row) -> bool:
    if name == "image":
        prefix = len(wanted) >= 8 and set(wanted.lower()) <= set("0123456789abcdef")
        is_prefix = prefix and row["image_id"].startswith(wanted.lower())
        return is_prefix or row["path"] == wanted
    if name in _DATES:
        start, end = interval(wanted)
        return (start is None or value >= start) and (end is None or value < end)
    return _compares(name, value, "=", wanted)


def _compares(name: str, value: Any, sign: str, wanted: Any) -> bool:
    if name in _DATES:
        start, end = interval(wanted)
        return {"<": value < start, ">=": value >= start, "<=": value < end, ">": value >= end}[
            sign
        ]
    if name == "metadata" and not isinstance(wanted, str):
        value = as_number(value)
        return value is not None and _SIGNS[sign](value, wanted)
    if name == "attribute" and _type(value) != _type(wanted):
        return False
    return _SIGNS[sign](value, wanted)


def _type(value: Any) -> str:
    return "flag" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def as_number(text: str) -> float | None:
    """A metadata value as the finite number that it is written as."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def interval(text: str) -> tuple[Any, Any]:
    """First instant of a date range, and the first after it."""
    start, slash, end = text.partition("/")
    if slash:
        return (_start(start) if start else None, _start(end) if end else None)
    if "T" in text:
        return _start(text), _start(text) + _MICROSECOND
    following = {"2024": "2025", "2025": "2026", "2026": "2027", "2025-Q4": "2026"}
    following |= {"2025-11": "2025-12", "2025-11-03": "2025-11-04"}
    return _start(text), _start(following[text])


def _start(text: str) -> dt.datetime:
    if "T" in text:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    year, *rest = text.replace("Q4", "10").split("-")
    month, day = [*(int(r) for r in rest), 1, 1][:2]
    return dt.datetime(int(year), month, day, tzinfo=dt.UTC)


def _as_it_is(value: Any) -> Any:
    return value


def _by_text(value: Any) -> Any:
    return value


def _by_number(value: Any) -> Any:
    number = None if value is _UNKNOWN else as_number(value)
    return _UNKNOWN if number is None else number


def drawn(sample: Sample, images: list[Row], lake: SmallLake) -> list[Row]:
    """The sample: the first by MD5, of each stratum as many as its quota."""

    def draw(one: Row) -> str:
        return hashlib.md5(f"{sample.seed}:{one['image_id']}".encode()).hexdigest()

    strata: dict[Any, list[Row]] = defaultdict(list)
    for one in sorted(images, key=draw):
        value = value_of(sample.by, one, lake) if sample.by else 0
        strata[value].append(one)
    sizes = {value: len(found) for value, found in strata.items()}
    quotas = shares(sizes, min(sample.size, len(images)), list(strata))
    return [one for value, found in strata.items() for one in found[: quotas[value]]]


def shares(sizes: dict[Any, int], size: int, by_first_draw: list[Any]) -> dict[Any, int]:
    """Images of each stratum: one at least where that can be, the rest by largest remainder."""
    total, least = sum(sizes.values()), int(size >= len(sizes))
    claims = {v: max(Fraction(size * s, total) - least, Fraction(0)) for v, s in sizes.items()}
    rest, all_claims = size - least * len(sizes), sum(claims.values())
    exact = {v: rest * c / all_claims if all_claims else Fraction(0) for v, c in claims.items()}
    quotas = {v: least + math.floor(e) for v, e in exact.items()}
    rank = {v: n for n, v in enumerate(by_first_draw)}
    turn = sorted(exact, key=lambda v: (-(exact[v] % 1), -sizes[v], rank[v]))
    for value in turn[: size - sum(quotas.values())]:
        quotas[value] += 1
    return quotas
