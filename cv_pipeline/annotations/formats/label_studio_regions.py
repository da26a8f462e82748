"""The regions of a Label Studio annotation: shapes with their attributes, and image-level choices.

Results that share an id are one region: its shape, its label, and what was answered about it.
Points whose parent is a rectangle are the key points of that object. Coordinates are percent of
``original_width`` and ``original_height``. Shapes that are not read and several labels on one
region are refused, each with its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cv_pipeline.annotations.formats.label_studio_answers import (
    Result,
    answers_of,
    as_list,
    image_attributes,
    notes,
)
from cv_pipeline.annotations.formats.label_studio_names import ATTRIBUTE, CONTROLS
from cv_pipeline.annotations.formats.label_studio_shapes import (
    BadValue,
    Drawn,
    drawn_shape,
    point_of,
    points_text,
)
from cv_pipeline.annotations.geometry import BadShape
from cv_pipeline.annotations.raw import ExportBuilder, RawRow, raw_table
from cv_pipeline.annotations.values import (
    as_finite,
    as_identifier,
    as_role,
    as_size,
    as_text,
    as_time,
    attributes_json,
)

_ROWS = 20_000
"""Rows that are gathered before a table is made of them."""

LEFT_OUT_CHOICE = "image-level choice"
"""What is told of choices beside shapes that are not read."""

_TAGS = CONTROLS["tag"][0]
_CLASS = CONTROLS["class"][0]


@dataclass(frozen=True)
class Annotation:
    """What one annotator answered on one image; ``signed`` is whether it says who that was."""

    source: str
    where: str
    image: str
    identifier: str
    annotator: str
    lead_time: float | None
    created_at: datetime | None
    updated_at: datetime | None
    results: tuple[Any, ...]
    signed: bool = True


@dataclass(frozen=True)
class _Point:
    """A key point: its place, and the result that it is."""

    name: str
    at: tuple[float, float]
    visible: int
    result: Result


class Regions:
    """Turns annotations into rows of an export.

    Args:
        export: where rows and refusals go.
        is_ours: whether notes of a region may say who made it and when.

    Attributes:
        choices: image-level choices so far, whose ``object`` ends with their control: see
            :func:`without_control`.
    """

    def __init__(self, export: ExportBuilder, *, is_ours: bool = True) -> None:
        self._export = export
        self._is_ours = is_ours
        self.choices: list[RawRow] = []
        self._blank: set[str] = set()
        self._labelled: set[str] = set()
        self._shapes = False

    def read(self, annotation: Annotation) -> None:
        """Add the rows of one annotation."""
        regions: dict[str, list[Result]] = {}
        for r, entry in enumerate(annotation.results):
            where = f"{annotation.where}.result[{r}]"
            result = self._result(annotation, where, entry)
            if result is not None:
                if not self._is_ours and isinstance(meta := result.entry.get("meta"), dict):
                    meta.pop("work", None)
                key = as_identifier(result.entry.get("id")) or where
                regions.setdefault(key, []).append(result)
        if not annotation.results:
            self._blank.add(annotation.image)
        if len(self._export.rows) >= _ROWS:
            self._put_away()
        points = self._points_of(annotation, regions)
        answers = image_attributes(regions)
        for key, results in regions.items():
            shapes = [r for r in results if r.is_shape]
            if not shapes:
                self._read_image_level(annotation, key, results, answers)
            elif not all(r.is_point for r in shapes) or key in points:
                self._read_region(annotation, key, results, points.get(key, []))

    def finish(self) -> None:
        """Add the image-level choices: in an export of shapes those of our own control alone."""
        self._put_away()
        chosen = self.choices
        if self._shapes:
            chosen = [row for row in chosen if is_own_choice(row)]
            left = len(self.choices) - len(chosen)
            if left:
                self._export.not_imported[LEFT_OUT_CHOICE] += left
        self._export.rows += map(without_control, chosen)
        self._put_away()
        self._export.empty |= self._blank - self._labelled

    def _put_away(self) -> None:
        """Make a table of the rows so far, which take far less memory there."""
        rows = self._export.rows
        self._shapes = self._shapes or any(row.kind not in ("tag", "class") for row in rows)
        self._labelled.update(row.image_path for row in rows)
        self._export.tables.append(raw_table(rows))
        rows.clear()

    def _refuse(self, annotation: Annotation, where: str, reason: str, detail: str) -> None:
        self._export.refuse(annotation.source, where, reason, detail)

    def _result(self, annotation: Annotation, where: str, entry: Any) -> Result | None:
        if isinstance(entry, dict) and entry.get("type") == "relation":
            self._export.not_imported["relation"] += 1
            return None
        kind = as_text(entry.get("type")) if isinstance(entry, dict) else None
        if kind is None or not isinstance(entry.get("value"), dict):
            self._refuse(annotation, where, "missing_field", "Expected a type and a value.")
            return None
        control = as_text(entry.get("from_name")) or kind
        return Result(where, kind.lower(), control, entry["value"], entry)

    def _points_of(
        self, annotation: Annotation, regions: dict[str, list[Result]]
    ) -> dict[str, list[_Point]]:
        """Key points by the region that is their parent; one without a parent is its own."""
        found: dict[str, list[_Point]] = {}
        for key, results in regions.items():
            shapes = [r for r in results if r.is_shape]
            if not shapes or not all(r.is_point for r in shapes):
                continue
            shape = shapes[0]
            name = self._label(annotation, shape, shapes)
            if name is None:
                continue
            try:
                place = point_of(shape.value, _size(shape))
            except BadValue as error:
                self._refuse(annotation, f"{shape.where}.value", error.reason, error.detail)
                continue
            meta = shape.entry.get("meta")
            hidden = isinstance(meta, dict) and meta.get("visible") == 1
            parent = as_identifier(shape.entry.get("parentID"))
            if parent is not None and parent not in regions:
                self._refuse(
                    annotation, f"{shape.where}.parentID", "unknown_parent", "It is of no region."
                )
                continue
            point = _Point(name, place, 1 if hidden else 2, shape)
            found.setdefault(parent or key, []).append(point)
        return found

    def _read_region(
        self, annotation: Annotation, key: str, results: list[Result], points: list[_Point]
    ) -> None:
        shapes = [r for r in results if r.is_shape]
        shape = next((r for r in shapes if r.kind != "labels"), shapes[0])
        try:
            if shape.is_point:
                drawn = Drawn("keypoints", None, _points_text(points), _size(shape))
            else:
                drawn = drawn_shape(shape.kind, shape.value, shape.entry)
            if points and not shape.is_point:
                if drawn.kind != "bbox" or any(_size(p.result) != drawn.size for p in points):
                    raise BadShape(
                        "unsupported_shape", "Key points are read on upright rectangles alone."
                    )
                drawn = Drawn("keypoints", drawn.edges, _points_text(points), drawn.size)
        except BadShape as error:
            part = error.where if isinstance(error, BadValue) else "value"
            whole = part in ("", "value", "image_rotation")
            inner = (part or "type") if whole else f"value.{part}"
            self._refuse(annotation, f"{shape.where}.{inner}", error.reason, error.detail)
            return
        label = self._label(annotation, shape, shapes)
        if label is None:
            return
        edges = drawn.edges or (None,) * 4
        self._export.rows.append(
            RawRow(
                image_path=annotation.image,
                label=label,
                kind=drawn.kind,
                source=annotation.source,
                object=shape.where,
                original_id=f"{annotation.identifier}/{key}",
                x_min=edges[0],
                y_min=edges[1],
                x_max=edges[2],
                y_max=edges[3],
                geometry=drawn.geometry,
                normalized=drawn.size is None,
                attributes=self._attributes(annotation, results),
                width=drawn.size[0] if drawn.size else None,
                height=drawn.size[1] if drawn.size else None,
                **_work(annotation, shape),
            )
        )

    def _label(self, annotation: Annotation, shape: Result, shapes: list[Result]) -> str | None:
        """The one label of a region, from the shape or from the labels beside it."""
        found: dict[str, None] = {}
        for result in shapes:
            listed = result.value.get(result.kind)
            found.update(dict.fromkeys(t for t in map(as_text, as_list(listed)) if t))
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

    def _attributes(
        self, annotation: Annotation, results: list[Result], of_image: dict[str, Any] | None = None
    ) -> str:
        """Answers about a region by the name of their control, and notes as ``meta.…``."""
        attributes: dict[str, Any] = {}
        for result in results:
            attributes |= notes(result)
            if not result.is_shape and of_image is None:
                attributes |= answers_of(result)
        canonical = attributes_json((of_image or {}) | attributes)
        if canonical is None:
            self._refuse(
                annotation,
                results[0].where,
                "bad_attributes",
                "Attributes that JSON cannot hold; the label is kept without them.",
            )
        return canonical or "{}"

    def _read_image_level(
        self,
        annotation: Annotation,
        key: str,
        results: list[Result],
        answers: dict[str, Any],
    ) -> None:
        for result in results:
            if result.control.startswith(ATTRIBUTE):
                continue  # of the class
            if result.kind == "taxonomy" or result.control == _TAGS:
                self._read_tags(annotation, key, result)
            elif result.kind != "choices":
                self._export.not_imported[f"image-level {result.kind}"] += 1
            else:
                listed = [t for t in map(as_text, as_list(result.value.get("choices"))) if t]
                label = self._only(annotation, f"{result.where}.value.choices", listed)
                if label is not None:
                    attributes = self._attributes(annotation, [result], answers)
                    # the control is told with the place until it is known whether there are shapes
                    where = f"{result.where} {result.control}"
                    row = _whole(annotation, result, where, key, "class", label)
                    self.choices.append(row._replace(attributes=attributes))

    def _read_tags(self, annotation: Annotation, key: str, result: Result) -> None:
        """A tag for each choice; one of a taxonomy is the path to it, with slashes."""
        for place, chosen in enumerate(as_list(result.value.get(result.kind))):
            parts = [as_text(part) for part in as_list(chosen)]
            where = f"{result.where}.value.{result.kind}[{place}]"
            if not parts or None in parts:
                self._refuse(annotation, where, "missing_label", "A tag without a name.")
                continue
            label = "/".join(part for part in parts if part)
            row = _whole(annotation, result, where, f"{key}/{place}", "tag", label)
            attributes = self._attributes(annotation, [result], {})
            self._export.rows.append(row._replace(attributes=attributes))


def is_own_choice(choice: RawRow) -> bool:
    """Whether a choice is of the control that our configurations ask for the class with."""
    return choice.object.partition(" ")[2] == _CLASS


def without_control(choice: RawRow) -> RawRow:
    """A choice as a row of an export."""
    return choice._replace(object=choice.object.partition(" ")[0])


def _whole(
    annotation: Annotation, result: Result, where: str, key: str, kind: str, label: str
) -> RawRow:
    """A row that is of the whole image."""
    return RawRow(
        image_path=annotation.image,
        label=label,
        kind=kind,
        source=annotation.source,
        object=where,
        original_id=f"{annotation.identifier}/{key}",
        **_work(annotation, result),
    )


def _work(annotation: Annotation, result: Result) -> dict[str, Any]:
    """Who made it, and when: as the annotation says, unless an export of ours knows better."""
    meta = result.entry.get("meta")
    known = meta.get("work") if isinstance(meta, dict) else None
    work = known if isinstance(known, dict) else None
    if work is None:
        times: dict[str, Any] = {
            name: getattr(annotation, name) for name in ("lead_time", "created_at", "updated_at")
        }
    else:
        times = {name: as_time(work.get(name)) for name in ("created_at", "updated_at")}
        times["lead_time"] = as_finite(work.get("lead_time"))
        times["role"] = as_role(work.get("role"))
    return {"annotator": annotation.annotator, **times}


def _points_text(points: Sequence[_Point]) -> str:
    return points_text([(p.name, p.at, p.visible) for p in points])


def _size(result: Result) -> tuple[int, int] | None:
    width, height = (as_size(result.entry.get(f"original_{s}")) for s in ("width", "height"))
    return (width, height) if width is not None and height is not None else None
