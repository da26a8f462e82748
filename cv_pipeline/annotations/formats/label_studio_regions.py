"""The regions of a Label Studio annotation: boxes with their attributes, and image-level choices.

Results that share an id are one region: its rectangle, its label, and what was answered about it.
Coordinates are percent of ``original_width`` and ``original_height``. Turned rectangles, other
shapes and several labels on one region are refused, each with its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cv_pipeline.annotations.raw import ExportBuilder, RawRow
from cv_pipeline.annotations.values import (
    as_identifier,
    as_number,
    as_size,
    as_text,
    attributes_json,
)

_RECTANGLES = frozenset({"rectangle", "rectanglelabels", "labels"})
_ANSWERS = ("choices", "taxonomy", "text", "rating", "number", "datetime")
_SIDES = ("x", "y", "width", "height")
_OVER = 100.0 + 1e-3  # drawing to the very edge is stored with rounding errors


@dataclass(frozen=True)
class Annotation:
    """What one annotator answered on one image."""

    source: str
    where: str
    image: str
    identifier: str
    annotator: str
    lead_time: float | None
    created_at: datetime | None
    updated_at: datetime | None
    results: tuple[Any, ...]


@dataclass(frozen=True)
class _Result:
    where: str
    kind: str
    control: str
    value: dict[str, Any]
    entry: dict[str, Any]

    @property
    def is_shape(self) -> bool:
        """A shape of any kind: answers about a region repeat its coordinates, so do not count."""
        return self.kind in _RECTANGLES or self.kind.endswith("labels")


class Regions:
    """Turns annotations into rows of an export.

    Args:
        export: where rows and refusals go.
    """

    def __init__(self, export: ExportBuilder) -> None:
        self._export = export
        self._choices: list[RawRow] = []
        self._blank: set[str] = set()

    def read(self, annotation: Annotation) -> None:
        """Add the rows of one annotation."""
        regions: dict[str, list[_Result]] = {}
        for r, entry in enumerate(annotation.results):
            where = f"{annotation.where}.result[{r}]"
            result = self._result(annotation, where, entry)
            if result is not None:
                key = as_identifier(result.entry.get("id")) or where
                regions.setdefault(key, []).append(result)
        if not annotation.results:
            self._blank.add(annotation.image)
        for key, results in regions.items():
            shapes = [r for r in results if r.is_shape]
            if shapes:
                self._read_box(annotation, key, results)
            else:
                self._read_image_level(annotation, key, results)

    def finish(self) -> None:
        """Add the image-level choices: in an export of boxes they are no labels of ours."""
        if self._export.rows:
            self._export.not_imported["image-level choice"] += len(self._choices)
            if not self._choices:
                del self._export.not_imported["image-level choice"]
        else:
            self._export.rows += self._choices
        labelled = {row.image_path for row in self._export.rows}
        self._export.empty |= self._blank - labelled

    def _refuse(self, annotation: Annotation, where: str, reason: str, detail: str) -> None:
        self._export.refuse(annotation.source, where, reason, detail)

    def _result(self, annotation: Annotation, where: str, entry: Any) -> _Result | None:
        if isinstance(entry, dict) and entry.get("type") == "relation":
            self._export.not_imported["relation"] += 1
            return None
        kind = as_text(entry.get("type")) if isinstance(entry, dict) else None
        if kind is None or not isinstance(entry.get("value"), dict):
            self._refuse(annotation, where, "missing_field", "Expected a type and a value.")
            return None
        control = as_text(entry.get("from_name")) or kind
        return _Result(where, kind.lower(), control, entry["value"], entry)

    def _read_box(self, annotation: Annotation, key: str, results: list[_Result]) -> None:
        shapes = [r for r in results if r.is_shape]
        shape = next((r for r in shapes if r.kind != "labels"), shapes[0])
        if shape.kind not in _RECTANGLES:
            self._refuse(
                annotation,
                f"{shape.where}.type",
                "unsupported_shape",
                f"Only rectangles are read, not {shape.kind!r}.",
            )
            return
        label = self._label(annotation, shape, shapes)
        box = self._box(annotation, shape)
        if label is None or box is None:
            return
        width, height = (as_size(shape.entry.get(f"original_{s}")) for s in ("width", "height"))
        sized = width is not None and height is not None
        across, down = (width or 1, height or 1) if sized else (1, 1)
        x, y, wide, high = box
        self._export.rows.append(
            RawRow(
                image_path=annotation.image,
                label=label,
                kind="bbox",
                source=annotation.source,
                object=shape.where,
                original_id=f"{annotation.identifier}/{key}",
                x_min=x / 100 * across,
                y_min=y / 100 * down,
                x_max=(x + wide) / 100 * across,
                y_max=(y + high) / 100 * down,
                normalized=not sized,
                attributes=self._attributes(annotation, results),
                annotator=annotation.annotator,
                lead_time=annotation.lead_time,
                created_at=annotation.created_at,
                updated_at=annotation.updated_at,
                width=width if sized else None,
                height=height if sized else None,
            )
        )

    def _label(self, annotation: Annotation, shape: _Result, shapes: list[_Result]) -> str | None:
        """The one label of a region, from the rectangle or from the labels beside it."""
        found: dict[str, None] = {}
        for result in shapes:
            listed = result.value.get(result.kind)
            found.update(dict.fromkeys(t for t in map(as_text, _listed(listed)) if t))
        where = f"{shape.where}.value.{shape.kind}"
        return self._only(annotation, where, list(found))

    def _only(self, annotation: Annotation, where: str, labels: list[str]) -> str | None:
        if len(labels) == 1:
            return labels[0]
        if labels:
            listed = ", ".join(labels)[:80]
            self._refuse(
                annotation, where, "several_labels", f"Expected one label, found {listed}."
            )
        else:
            self._refuse(annotation, where, "missing_label", "A region without a label.")
        return None

    def _box(
        self, annotation: Annotation, shape: _Result
    ) -> tuple[float, float, float, float] | None:
        """x, y, width and height in percent of the image."""
        numbers: list[float] = []
        for side in _SIDES:
            value = shape.value.get(side)
            number = as_number(value)
            where = f"{shape.where}.value.{side}"
            if number is None:
                shown = repr(value)[:60]
                self._refuse(annotation, where, "bad_box", f"Expected a number, found {shown}.")
                return None
            if number > _OVER:
                self._refuse(
                    annotation,
                    where,
                    "percent_over_100",
                    f"Expected percent of the image, found {number:g}: are these pixels?",
                )
                return None
            numbers.append(number)
        for place, holder in (("value.rotation", shape.value), ("image_rotation", shape.entry)):
            angle = holder.get(place.rpartition(".")[2])
            if angle is not None and as_number(angle) != 0:
                self._refuse(
                    annotation,
                    f"{shape.where}.{place}",
                    "rotated_box",
                    f"Turned by {repr(angle)[:20]} degrees; only upright rectangles are read.",
                )
                return None
        x, y, width, height = numbers
        return x, y, width, height

    def _attributes(self, annotation: Annotation, results: list[_Result]) -> str:
        """Answers about a region by the name of their control, and notes as ``meta.…``."""
        attributes: dict[str, Any] = {}
        for result in results:
            meta = result.entry.get("meta")
            if isinstance(meta, dict):
                attributes |= {f"meta.{k}": _single(v) for k, v in meta.items()}
            for kind in _ANSWERS:
                if kind in result.value and not result.is_shape:
                    answer = _single(result.value[kind])
                    # a lone box to tick is a choice that bears its control's name
                    attributes[result.control] = True if answer == result.control else answer
        canonical = attributes_json(attributes)
        if canonical is None:
            self._refuse(
                annotation,
                results[0].where,
                "bad_attributes",
                "Attributes that JSON cannot hold; the box is kept without them.",
            )
        return canonical or "{}"

    def _read_image_level(self, annotation: Annotation, key: str, results: list[_Result]) -> None:
        for result in results:
            if result.kind != "choices":
                self._export.not_imported[f"image-level {result.kind}"] += 1
                continue
            listed = [t for t in map(as_text, _listed(result.value.get("choices"))) if t]
            label = self._only(annotation, f"{result.where}.value.choices", listed)
            if label is None:
                continue
            self._choices.append(
                RawRow(
                    image_path=annotation.image,
                    label=label,
                    kind="class",
                    source=annotation.source,
                    object=result.where,
                    original_id=f"{annotation.identifier}/{key}",
                    annotator=annotation.annotator,
                    lead_time=annotation.lead_time,
                    created_at=annotation.created_at,
                    updated_at=annotation.updated_at,
                )
            )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _single(value: object) -> object:
    """The one element of a list of one, else the value itself."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
