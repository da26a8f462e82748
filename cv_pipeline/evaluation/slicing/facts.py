"""What is known of images besides their labels, as few distinct values each: slices are made of it.

Every value comes with words for people and with the condition of the query language that selects
the same images from the datalake; ranges of numbers end at round numbers, so that the words are
exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.query.nodes import (
    And,
    Comparison,
    Condition,
    Field,
    Membership,
    Not,
    Presence,
)
from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.errors import EvaluationError

MEASURES = ("brightness", "contrast", "sharpness", "saturation", "hue")
FILE = ("format", "dtype", "bands", "width", "height")
"""Columns of the manifest that say what file an image is."""
BINS = 5
"""Ranges of equal count that a number is divided into."""
FEW_NUMBERS = 8
"""Distinct numbers up to which each is a value by itself."""
MOST_VALUES = 100
"""Values of a text that are looked at: the most frequent ones."""
DENSITY = "annotations_count"
PROPERTIES = (*FILE, *MEASURES, "date_range", DENSITY)
"""Facts that are fields of the query language; the others are metadata keys."""
CHOSEN, REST = "yes", "no"
"""Values of a declared query: of the images that it selects, and of all others."""
TEXTS = ("format", "dtype", "date_range")
"""Those of the properties that are no numbers."""

_NUMBER = r"-?[0-9.]+(?:e[+-]?[0-9]+)?"
_RANGE = re.compile(
    rf"below (?P<below>{_NUMBER})|(?P<low>{_NUMBER}) to (?P<high>{_NUMBER})"
    rf"|(?P<least>{_NUMBER}) or more"
)


@dataclass(frozen=True)
class Value:
    """One value of a fact.

    Attributes:
        text: the value, or the range: ``dim``, ``below 0.21``; None where it is not set.
        words: for people: ``lighting = dim``, ``brightness below 0.21``.
        query: the condition that selects its images; empty where only their ids do.
    """

    text: str | None
    words: str
    query: str


@dataclass(frozen=True, eq=False)
class Fact:
    """What is known of n images under one name.

    Attributes:
        name: metadata key, or image property.
        codes: (n,) int32: which value an image has; ``len(values)`` for one that is not looked at.
        values: the values.
    """

    name: str
    codes: NDArray[np.int32]
    values: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Declared:
    """A query that a project declares as a slice, answered.

    Attributes:
        query: its condition, canonically; empty where it is a sample, or has a limit.
        image_ids: ids of the images that it selects, also those of other splits.
    """

    query: str
    image_ids: pa.Array


@dataclass(frozen=True, eq=False)
class Known:
    """What the lake knows of images, beside their metadata.

    Attributes:
        measures: column image_id, and :data:`MEASURES` of those images that were measured.
        descriptors: columns image_id and descriptor (a list of numbers of one length), of those
            that have one.
        annotations: columns image_id and annotations_count, by which the lake can be asked; the
            number of objects in a dataset version differs where several people annotated an image.
        declared: name of a slice to the query that the project declares.
    """

    measures: pa.Table = field(
        default_factory=lambda: pa.schema(
            [("image_id", pa.string()), *((name, pa.float64()) for name in MEASURES)]
        ).empty_table()
    )
    descriptors: pa.Table = field(
        default_factory=lambda: pa.schema(
            [("image_id", pa.string()), ("descriptor", pa.list_(pa.float32(), 64))]
        ).empty_table()
    )
    annotations: pa.Table = field(
        default_factory=lambda: pa.schema(
            [("image_id", pa.string()), (DENSITY, pa.int64())]
        ).empty_table()
    )
    declared: Mapping[str, Declared] = field(default_factory=dict)


def image_facts(
    images: pa.Table,
    metadata: pa.Table,
    known: Known,
    *,
    objects: NDArray[np.int64] | None,
    least: int,
) -> tuple[list[Fact], list[str]]:
    """Everything that is known of images: metadata, file, measures, month, number of objects.

    Args:
        images: rows of the manifest; of its columns those of :data:`FILE` and captured_at count.
        metadata: current metadata: columns image_id, key and value; one row per image and key.
        known: what else is known.
        objects: (images,) objects on each; None for a classification, where there is one.
        least: images below which a value is not looked at.

    Returns:
        The facts, each of two values or more, and a sentence for each that has too many.
    """
    facts, left_out = [], []
    for name, columns in image_columns(images, metadata, known, objects):
        fact = of_column(name, columns.values, columns.operand, least=least)
        if fact is None:
            distinct = len(columns.values.unique())
            if distinct > 1:
                left_out.append(
                    f"{name} has {distinct:,} values on {len(images):,} images, no two of them on"
                    f" {least} or more: it makes no slices."
                )
            continue
        if name == DENSITY and not _as_annotated(images, columns.values, known.annotations):
            fact = replace(fact, values=tuple(replace(v, query="") for v in fact.values))
        facts.append(fact)
    return facts, left_out


def _as_annotated(images: pa.Table, objects: pa.Array, annotations: pa.Table) -> bool:
    """Whether every image has as many objects as the lake has annotations of it."""
    at = pc.index_in(images["image_id"], value_set=annotations["image_id"].combine_chunks())
    counts = annotations[DENSITY].combine_chunks().take(at.combine_chunks()).fill_null(0)
    return bool(pc.all(pc.equal(counts, objects), min_count=0).as_py())


@dataclass(frozen=True)
class Column:
    """One thing that is known of n images.

    Attributes:
        values: (n,) strings or numbers, null where it is not known.
        operand: the field of the query language that it is.
    """

    values: pa.Array
    operand: Field


def image_columns(
    images: pa.Table, metadata: pa.Table, known: Known, objects: NDArray[np.int64] | None
) -> Iterator[tuple[str, Column]]:
    """Everything that is known of images, by name; arguments as of :func:`image_facts`."""
    ids = images["image_id"].combine_chunks()
    for key, values in metadata_columns(ids, metadata).items():
        yield key, Column(values, Field("metadata", key=key))
    for name in FILE:
        if name in images.column_names:
            yield name, Column(images[name].combine_chunks(), Field(name))
    at = pc.index_in(ids, value_set=known.measures["image_id"].combine_chunks())
    for name in MEASURES:
        yield name, Column(known.measures[name].combine_chunks().take(at), Field(name))
    if "captured_at" in images.column_names:
        months = pc.strftime(images["captured_at"].combine_chunks(), "%Y-%m")
        yield "date_range", Column(months, Field("date_range"))
    if objects is not None:
        yield DENSITY, Column(pa.array(objects), Field(DENSITY))


def metadata_columns(
    image_ids: pa.Array, metadata: pa.Table, keys: Sequence[str] | None = None
) -> dict[str, pa.Array]:
    """Metadata key to its value for each image, null where it is not set.

    Args:
        image_ids: the images.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        keys: the keys, in this order; by default all that there are, sorted.
    """
    # a table without rows may not know its types
    image_of, key_of, values = (
        metadata[name].cast(pa.string()).combine_chunks() for name in ("image_id", "key", "value")
    )
    known = key_of.dictionary_encode()
    image = pc.index_in(image_of, value_set=image_ids.cast(pa.string()))
    rows = np.flatnonzero(image.is_valid().to_numpy(zero_copy_only=False))
    image = image.drop_null().to_numpy()
    key = known.indices.to_numpy()[rows]
    place = {name: code for code, name in enumerate(known.dictionary.to_pylist())}
    out = {}
    for name in sorted(place) if keys is None else keys:
        of_key = key == place.get(name, -1)
        at = np.full(len(image_ids), -1)
        at[image[of_key]] = rows[of_key]
        out[name] = values.take(pa.array(at, mask=at < 0))
    return out


def of_column(name: str, values: pa.Array, operand: Field, *, least: int) -> Fact | None:
    """A column as a fact: numbers in ranges, texts by value.

    Args:
        name: of the fact.
        values: a value for each image, null where none is known.
        operand: the field of the query language that it is.
        least: images below which a value is not looked at.

    Returns:
        The fact; None where fewer than two values are on ``least`` images or more.
    """
    numbers = _numbers(values)
    if numbers is not None and len(np.unique(numbers[~np.isnan(numbers)])) > FEW_NUMBERS:
        fact = _of_numbers(name, numbers, operand)
    else:
        fact = _of_texts(name, values, operand, is_number=numbers is not None)
    counts = np.bincount(fact.codes, minlength=len(fact.values) + 1)[:-1]
    kept = np.flatnonzero(counts >= least)
    if len(kept) < 2:
        return None
    renumbered = np.full(len(fact.values) + 1, len(kept), dtype=np.int32)
    renumbered[kept] = np.arange(len(kept))
    return Fact(name, renumbered[fact.codes], tuple(fact.values[k] for k in kept))


def _numbers(values: pa.Array) -> NDArray[np.float64] | None:
    """The values as numbers, NaN where null; None where one is not a finite number."""
    if pa.types.is_string(values.type):
        distinct = values.dictionary_encode()
        try:
            known = distinct.dictionary.cast(pa.float64())
        except pa.ArrowInvalid:
            return None
        values = known.take(distinct.indices)
    numbers: NDArray[np.float64] = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    finite = np.isfinite(numbers).sum() == len(values) - values.null_count
    return numbers if finite else None


def _of_texts(name: str, values: pa.Array, operand: Field, *, is_number: bool) -> Fact:
    texts = values.cast(pa.string()).dictionary_encode()
    codes = texts.indices.fill_null(len(texts.dictionary)).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(texts.dictionary) + 1)
    frequent = np.sort(np.argsort(-counts[:-1], kind="stable")[:MOST_VALUES])
    chosen = sorted(frequent.tolist(), key=lambda c: texts.dictionary[c].as_py())
    made = []
    for code in chosen:
        text = texts.dictionary[code].as_py()
        is_text = pa.types.is_string(values.type) or not is_number
        compared = Comparison(operand, "=", text if is_text else float(text))
        made.append(Value(text, f"{name} = {text}", condition_text(compared)))
    if counts[-1]:
        unset = condition_text(Not(Presence(operand)))
        made.append(Value(None, f"{name} not set", unset))
        chosen.append(len(texts.dictionary))
    place = np.full(len(texts.dictionary) + 1, len(made), dtype=np.int32)
    place[chosen] = np.arange(len(made))
    return Fact(name, place[codes], tuple(made))


def _of_numbers(name: str, numbers: NDArray[np.float64], operand: Field) -> Fact:
    known = numbers[~np.isnan(numbers)]
    inner = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])
    if (known == np.rint(known)).all():
        inner = np.ceil(inner)  # whole numbers are divided at whole numbers
    edges = np.unique([float(f"{edge:.3g}") for edge in inner])
    edges = edges[(edges > known.min()) & (edges <= known.max())]
    values = []
    for low, high in zip([None, *edges.tolist()], [*edges.tolist(), None], strict=True):
        above = Comparison(operand, ">=", low) if low is not None else None
        below = Comparison(operand, "<", high) if high is not None else None
        both = [c for c in (above, below) if c is not None]
        condition: Condition = both[0] if len(both) == 1 else And(tuple(both))
        if not both:
            condition = Presence(operand)
        text = _range(low, high)
        values.append(Value(text, f"{name} {text}", condition_text(condition)))
    codes = np.searchsorted(edges, numbers, side="right").astype(np.int32)
    missing = np.isnan(numbers)
    if missing.any():
        codes[missing] = len(values)
        unset = condition_text(Not(Presence(operand)))
        values.append(Value(None, f"{name} not set", unset))
    return Fact(name, codes, tuple(values))


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "of any size" if high is None else f"below {high:g}"
    return f"{low:g} or more" if high is None else f"{low:g} to {high:g}"


def declared_facts(image_ids: pa.Array, declared: Mapping[str, Declared]) -> list[Fact]:
    """Declared queries as facts of one value.

    Args:
        image_ids: the images.
        declared: name of each query to its answer.
    """
    out = []
    for name, query in declared.items():
        inside = pc.is_in(image_ids, value_set=query.image_ids).to_numpy(zero_copy_only=False)
        codes = np.where(inside, 0, 1).astype(np.int32)
        out.append(Fact(name, codes, (Value(CHOSEN, name, query.query),)))
    return out


def named_condition(name: str, text: str | None) -> str:
    """The condition that selects the images of a value, as it is written in an evaluation.

    Args:
        name: of the fact: a metadata key, or a field of an image such as brightness.
        text: the value, or a range such as ``below 0.21``; None for what is not set.

    Raises:
        EvaluationError: the value of a number is none.
    """
    own = name in PROPERTIES
    operand = Field(name) if own else Field("metadata", key=name)
    if text is None:
        return condition_text(Not(Presence(operand)))
    ranged = _RANGE.fullmatch(text)
    if ranged:
        low, high = ranged["low"] or ranged["least"], ranged["high"] or ranged["below"]
        parts: list[Condition] = []
        if low is not None:
            parts.append(Comparison(operand, ">=", float(low)))
        if high is not None:
            parts.append(Comparison(operand, "<", float(high)))
        return condition_text(And(tuple(parts)) if len(parts) > 1 else parts[0])
    if not own or name in TEXTS:
        return condition_text(Comparison(operand, "=", text))
    try:
        number = float(text)
    except ValueError:
        raise EvaluationError(
            f"{name} is a number, and {text!r} is none.",
            do=f"Write {name}=NUMBER, '{name}=below NUMBER', '{name}=NUMBER to NUMBER' or"
            f" '{name}=NUMBER or more'.",
        ) from None
    return condition_text(Comparison(operand, "=", number))


def ids_condition(image_ids: Sequence[str]) -> str:
    """The condition that selects these images and no others."""
    return condition_text(Membership(Field("image"), tuple(image_ids)))
