"""Annotations as an export states them, before anything is known about the images.

Every format is parsed into the same table, so that geometry, labels and images are checked in one
place. A row always says which object of which file it came from, and what could not become a row
is a ``Refusal`` that names file, field and reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.errors import AnnotationError

UNKNOWN_ANNOTATOR = "unknown"
"""Annotator of exports that do not say who drew what."""

GOLD_ANNOTATOR = "gold"
"""Annotator of known truth, which overrules what people said of the same image; no person's."""

LEFT_OUT_REASONS = frozenset({"cancelled_annotation", "missing_annotator", "second_annotation"})
"""Reasons of refusals after which an export without a label may still be whole."""

RAW_ANNOTATIONS = pa.schema(
    [
        # image as the export names it: a path, a file name, or a stem followed by ".*"
        pa.field("image_path", pa.string(), nullable=False),
        # class as the export names it
        pa.field("label", pa.string(), nullable=False),
        # geometry kind: one of catalog.schemas.annotations.KINDS
        pa.field("kind", pa.string(), nullable=False),
        # file of the export
        pa.field("source", pa.string(), nullable=False),
        # which object of that file, such as annotations[3]
        pa.field("object", pa.string(), nullable=False),
        # id in the tool it came from
        pa.field("original_id", pa.string(), nullable=False),
        # left edge; null for kinds class and tag, and where geometry says it
        pa.field("x_min", pa.float64()),
        # top edge
        pa.field("y_min", pa.float64()),
        # right edge, exclusive
        pa.field("x_max", pa.float64()),
        # bottom edge, exclusive
        pa.field("y_max", pa.float64()),
        # shape as JSON, see cv_pipeline.annotations.geometry; null for bbox, class and tag
        pa.field("geometry", pa.string()),
        # true: coordinates are shares of the image's sides; false: pixels
        pa.field("normalized", pa.bool_(), nullable=False),
        # canonical JSON object of attributes
        pa.field("attributes", pa.string(), nullable=False),
        # pseudonym of who drew it
        pa.field("annotator", pa.string(), nullable=False),
        # in what role: annotator, reviewer, model or gold
        pa.field("role", pa.string(), nullable=False),
        # seconds of work; null when the tool does not say
        pa.field("lead_time", pa.float64()),
        # when it was made
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        # when it was last changed
        pa.field("updated_at", pa.timestamp("us", tz="UTC")),
        # image size in pixels that the export declares; null when it does not
        pa.field("width", pa.int32()),
        # see width
        pa.field("height", pa.int32()),
    ]
)


RAW_IMAGES = pa.schema(
    [
        # image as the export names it
        pa.field("image_path", pa.string(), nullable=False),
        # official split: train, val or test; null when the export states none
        pa.field("split", pa.string()),
        # capture time; null when the export does not say
        pa.field("captured_at", pa.timestamp("us", tz="UTC")),
        # canonical JSON object of metadata: key to its value, as text
        pa.field("metadata", pa.string(), nullable=False),
    ]
)


class UnusableExport(AnnotationError):
    """Nothing came out of an export, and parts of it were refused.

    Args:
        what: what is wrong with it, as one sentence.
        do: what to do next.
        refusals: the parts that were refused.
    """

    def __init__(self, what: str, *, do: str, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        super().__init__(what, do=do)


class RawRow(NamedTuple):
    """One row of :data:`RAW_ANNOTATIONS`, in the order of its columns."""

    image_path: str
    label: str
    kind: str
    source: str
    object: str
    original_id: str
    x_min: float | None = None
    y_min: float | None = None
    x_max: float | None = None
    y_max: float | None = None
    geometry: str | None = None
    normalized: bool = False
    attributes: str = "{}"
    annotator: str = UNKNOWN_ANNOTATOR
    role: str = "annotator"
    lead_time: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    width: int | None = None
    height: int | None = None


class RawImage(NamedTuple):
    """One row of :data:`RAW_IMAGES`, in the order of its columns."""

    image_path: str
    split: str | None = None
    captured_at: datetime | None = None
    metadata: str = "{}"


@dataclass(frozen=True)
class FieldNames:
    """How a format calls the parts of an object; ``{object}`` stands for the object.

    ``shape`` is that of a polygon and the like; empty where a format calls it as it does a box.
    """

    image: str
    label: str
    box: str
    shape: str = ""


@dataclass(frozen=True)
class ParsedExport:
    """What an export says.

    Attributes:
        format: name of its format.
        files: the files it was read from, those refused and those that only name classes
            included, sorted.
        rows: the objects and image-level labels, as ``RAW_ANNOTATIONS``.
        quarantine: what was refused.
        labels: declared categories in their order; empty when the format declares none.
        images: images that it describes, sorted.
        empty: those of them that it says hold no object, sorted.
        not_imported: what is left out by design, and how often: ``{"segmentation": 12}``.
        fields: how the format calls the parts of an object.
        facts: what it says of images themselves, as ``RAW_IMAGES``, sorted by path; an image of
            which it says nothing has no row.
    """

    format: str
    files: tuple[str, ...]
    rows: pa.Table
    quarantine: tuple[Refusal, ...]
    labels: tuple[str, ...]
    images: tuple[str, ...]
    empty: tuple[str, ...]
    not_imported: Mapping[str, int]
    fields: FieldNames
    facts: pa.Table = field(default_factory=RAW_IMAGES.empty_table)


def raw_table(rows: Iterable[RawRow]) -> pa.Table:
    """Return rows as a table of ``RAW_ANNOTATIONS``."""
    return _table(rows, RAW_ANNOTATIONS)


def raw_images(rows: Iterable[RawImage]) -> pa.Table:
    """Return rows as a table of ``RAW_IMAGES``, sorted, without those that say nothing."""
    telling = sorted({row for row in rows if row != RawImage(row.image_path)}, key=_order)
    return _table(telling, RAW_IMAGES)


def _order(row: RawImage) -> tuple[str, str, str, str]:
    at = row.captured_at.isoformat() if row.captured_at else ""
    return row.image_path, row.split or "", at, row.metadata


def _table(rows: Iterable[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns: Iterable[tuple[object, ...]] = list(zip(*rows, strict=True))
    columns = columns or [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


@dataclass
class ExportBuilder:
    """Collects what the files of an export say, one file after the other.

    Attributes:
        format: name of the format.
        fields: how the format calls the parts of an object.
        labels: declared categories; the keys, in order.
        images: images that the export describes.
        empty: those that it says hold no object.
        not_imported: what is left out by design.
        rows: objects, one by one.
        tables: objects, as whole tables of ``RAW_ANNOTATIONS``.
        quarantine: what was refused.
        facts: what the export says of images themselves.
        files: the files that can hold annotations.
        companions: the files that only name the classes.
    """

    format: str
    fields: FieldNames
    labels: dict[str, None] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    not_imported: Counter[str] = field(default_factory=Counter)
    rows: list[RawRow] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    quarantine: list[Refusal] = field(default_factory=list)
    facts: list[RawImage] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    companions: set[str] = field(default_factory=set)

    def refuse(self, file: str, where: str, reason: str, detail: str) -> None:
        """Record that a file, or a part of it, was refused."""
        self.quarantine.append(Refusal(file, where, reason, detail))

    def build(self) -> ParsedExport:
        """Return what was collected; an export that says that there is nothing is right too.

        Raises:
            AnnotationError: no file could hold annotations.
            UnusableExport: there is no annotation, and a part of a file that could hold some was
                refused: the export may be broken, and must not pass for an empty one.
        """
        if not self.files:
            raise AnnotationError(
                f"No file of the {self.format} export can be read: there is none.",
                do="Export it again.",
            )
        rows = pa.concat_tables([raw_table(self.rows), *self.tables])
        lost = [
            r for r in self.quarantine if r.file in self.files and r.reason not in LEFT_OUT_REASONS
        ]
        if lost and not len(rows):
            raise UnusableExport(
                f"The {self.format} export holds no annotation that can be read:"
                f" {lost[0].file}: {lost[0].detail}",
                do="Export it again.",
                refusals=tuple(self.quarantine),
            )
        return ParsedExport(
            format=self.format,
            files=tuple(sorted(self.files | self.companions)),
            rows=rows,
            quarantine=tuple(self.quarantine),
            labels=tuple(self.labels),
            images=tuple(sorted(self.images)),
            empty=tuple(sorted(self.empty)),
            not_imported=dict(sorted(self.not_imported.items())),
            fields=self.fields,
            facts=raw_images(self.facts),
        )
