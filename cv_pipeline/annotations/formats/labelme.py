"""LabelMe: one JSON file an image, beside it, with ``shapes`` of two or more ``points``.

Rectangles, turned or not, polygons, masks and points are read. Shapes of one ``group_id`` that are
a rectangle and points are one object and its key points. Flags of a shape are attributes that are
true or false; those of an image that are true are its tags, or its class where no image has a
shape. Circles and lines are refused: no shape here is as they are.
"""

from __future__ import annotations

import base64
import io
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.content import Content, Target, copy_images, split_folders
from cv_pipeline.annotations.formats.json_file import in_utf8, read_json
from cv_pipeline.annotations.geometry import (
    BadShape,
    KeyPoint,
    KeyPoints,
    Mask,
    Polygon,
    RotatedBox,
    box_of_corners,
    keypoints,
    polygon,
    read_shape,
)
from cv_pipeline.annotations.geometry.masks import mask_of_polygon
from cv_pipeline.annotations.geometry.parts import picture_text
from cv_pipeline.annotations.geometry.run_lengths import (
    bounds_of_runs,
    mask_of_runs,
)
from cv_pipeline.annotations.raw import (
    UNKNOWN_ANNOTATOR,
    ExportBuilder,
    FieldNames,
    ParsedExport,
    RawImage,
    RawRow,
)
from cv_pipeline.annotations.values import (
    as_identifier,
    as_number,
    as_size,
    as_split,
    as_text,
    attributes_json,
    pseudonym,
)

FIELDS = FieldNames(image="imagePath", label="{object}.label", box="{object}.points")
LIST = "labels.txt"
"""File that names the classes, a line each."""

CHUNK = 2_000
"""Images whose labels are in memory at once."""

_TURNED = ("oriented_rectangle", "rotation")
_NO_CLASSES = frozenset({"__ignore__", "_background_"})

Place = tuple[float, float]


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like LabelMe's: a JSON object with shapes and an imagePath."""
    return any(
        text[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and b'"shapes"' in text
        and b'"imagePath"' in text
        for path, data in files.items()
        if path.lower().endswith(".json")
        for text in [in_utf8(data)]
    )


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the JSON files of a LabelMe export.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("labelme", FIELDS)
    tags: list[RawRow] = []
    for path in sorted(files):
        if PurePosixPath(path).name.lower() == LIST:
            export.companions.add(path)
            lines = files[path].decode("utf-8-sig", "replace").split("\n")
            names = (n for n in map(as_text, lines) if n and n not in _NO_CLASSES)
            export.labels.update(dict.fromkeys(names))
        elif path.lower().endswith(".json"):
            export.files.add(path)
            document = read_json(export, path, files[path])
            if isinstance(document, dict) and isinstance(document.get("shapes"), list):
                _Image(export, path, document, tags).read()
            elif document is not None:
                export.refuse(path, "shapes", "not_labelme", "Not LabelMe: it has no shapes.")
    kind = "tag" if export.rows else "class"
    export.rows += [row._replace(kind=kind) for row in tags]
    labelled = {row.image_path for row in export.rows}
    export.empty -= labelled
    return export.build()


@dataclass
class _Image:
    """One file on its way into an export."""

    export: ExportBuilder
    path: str
    document: dict[str, Any]
    tags: list[RawRow]

    def read(self) -> None:
        folder = posixpath.dirname(self.path)
        name = as_text(self.document.get("imagePath"))
        stem = f"{PurePosixPath(self.path).stem}.*"
        relative = (name or stem).replace("\\", "/")
        image = re.sub(r"^(?:\.\./|/)+", "", posixpath.normpath(posixpath.join(folder, relative)))
        self.image = image
        self.size = tuple(
            as_size(self.document.get(side)) for side in ("imageHeight", "imageWidth")
        )
        self.export.images.add(image)
        splits = (as_split(part) for part in reversed(PurePosixPath(image).parts[:-1]))
        self.export.facts.append(RawImage(image, next((s for s in splits if s), None)))
        shapes = self.document["shapes"]
        points = self._points_of(shapes)
        for place, shape in enumerate(shapes):
            where = f"shapes[{place}]"
            if not isinstance(shape, dict):
                self._refuse(where, "not_an_object", "Expected a shape with label and points.")
            elif (place, True) not in points:
                self._read_shape(where, shape, points.get((place, False), []))
        flags = self.document.get("flags")
        for flag, answer in flags.items() if isinstance(flags, dict) else ():
            label = as_text(flag)
            if answer is True and label is not None:
                where = f"flags[{json.dumps(label, ensure_ascii=False)[:60]}]"
                self.tags.append(self._row(where, label, "class"))
        if not shapes:
            self.export.empty.add(image)

    def _refuse(self, where: str, reason: str, detail: str) -> None:
        self.export.refuse(self.path, where, reason, detail)

    def _points_of(self, shapes: list[Any]) -> dict[tuple[int, bool], list[KeyPoint]]:
        """Key points of each rectangle, and the places (with True) of those that have one."""
        boxes: dict[object, int] = {}
        for place, shape in enumerate(shapes):
            group = _group(shape)
            if group is not None and shape.get("shape_type", "polygon") == "rectangle":
                boxes.setdefault(group, place)
        found: dict[tuple[int, bool], list[KeyPoint]] = {}
        for place, shape in enumerate(shapes):
            group = _group(shape)
            if group in boxes and group is not None and shape.get("shape_type") == "point":
                try:
                    point = _point(shape)
                except BadShape as error:
                    self._refuse(f"shapes[{place}].points", error.reason, error.detail)
                    found[place, True] = []
                    continue
                found.setdefault((boxes[group], False), []).append(point)
                found[place, True] = []
        return found

    def _read_shape(self, where: str, shape: dict[str, Any], points: list[KeyPoint]) -> None:
        label = as_text(shape.get("label"))
        if label is None:
            self._refuse(f"{where}.label", "missing_label", "A shape without a label.")
            return
        try:
            kind, edges, geometry = self._shape(shape, points)
        except BadShape as error:
            part = "shape_type" if error.reason == "unsupported_shape" else "points"
            self._refuse(f"{where}.{part}", error.reason, error.detail)
            return
        x_min, y_min, x_max, y_max = edges or (None,) * 4
        height, width = self.size
        row = self._row(where, label, kind)._replace(
            x_min=x_min,
            y_min=y_min,
            x_max=x_max,
            y_max=y_max,
            geometry=geometry,
            attributes=_attributes(shape),
            annotator=pseudonym(shape.get("annotator")),
            width=width,
            height=height,
        )
        self.export.rows.append(row)

    def _row(self, where: str, label: str, kind: str) -> RawRow:
        return RawRow(
            image_path=self.image,
            label=label,
            kind=kind,
            source=self.path,
            object=where,
            original_id=where,
        )

    def _shape(
        self, shape: dict[str, Any], points: list[KeyPoint]
    ) -> tuple[str, tuple[float, float, float, float] | None, str | None]:
        kind = shape.get("shape_type", "polygon")
        places = _places(shape)
        match kind:
            case "rectangle":
                if len(places) == 4 or len(places) == 2:  # as X-AnyLabeling has it
                    xs, ys = zip(*places, strict=True)
                else:
                    raise BadShape("bad_box", f"A rectangle of {len(places)} points.")
                edges = (min(xs), min(ys), max(xs), max(ys))
                if points:
                    return "keypoints", edges, keypoints(points).text
                return "bbox", edges, None
            case "polygon":
                return "polygon", None, polygon([places]).text
            case "oriented_rectangle" | "rotation":
                if len(places) != 4:
                    raise BadShape("bad_box", f"A turned rectangle of {len(places)} points.")
                found = box_of_corners(places)
                return (
                    "rotated_box" if isinstance(found, RotatedBox) else "polygon",
                    None,
                    found.text,
                )
            case "point":
                return "keypoints", None, keypoints([_point(shape)]).text
            case "mask":
                return "mask", None, self._mask(shape, places)
        raise BadShape(
            "unsupported_shape",
            "Rectangles, polygons, masks and points are read, not"
            f" {repr(kind)[:40]}. Draw it as a polygon.",
        )

    def _mask(self, shape: dict[str, Any], places: list[Place]) -> str:
        height, width = self.size
        if height is None or width is None or not places:
            raise BadShape("missing_size", "A mask needs imageHeight, imageWidth and its corner.")
        (left, top), *_ = places
        if not math.isfinite(left + top):
            raise BadShape("not_finite", "Not finite numbers.")
        at = round(top), round(left)
        return picture_text(shape.get("mask"), at=at, size=(height, width))


def _group(shape: object) -> str | None:
    return as_identifier(shape.get("group_id")) if isinstance(shape, dict) else None


def _places(shape: Mapping[str, Any]) -> list[Place]:
    listed = shape.get("points")
    found: list[Place] = []
    for value in listed if isinstance(listed, list) else [None]:
        numbers = [as_number(v) for v in value] if isinstance(value, list) else []
        match numbers:
            case [float(x), float(y)]:
                found.append((x, y))
            case _:
                raise BadShape("bad_points", f"Expected x and y, found {repr(value)[:60]}.")
    return found


def _point(shape: Mapping[str, Any]) -> KeyPoint:
    name, places = as_text(shape.get("label")), _places(shape)
    if name is None or len(places) != 1:
        raise BadShape("bad_points", "Expected a label and one point.")
    flags = shape.get("flags")
    hidden = isinstance(flags, dict) and flags.get("occluded") is True
    return KeyPoint(name, *places[0], 1 if hidden else 2)


def _attributes(shape: Mapping[str, Any]) -> str:
    flags, others = shape.get("flags"), shape.get("attributes")
    attributes: dict[str, object] = {}
    if isinstance(flags, dict):
        attributes |= {k: v for k, v in flags.items() if isinstance(v, bool)}
    if isinstance(others, dict):
        attributes |= others
    description = as_text(shape.get("description"))
    if description:
        attributes["description"] = description
    return attributes_json(attributes) or "{}"


def write(content: Content, target: Target) -> None:
    """Write ``images/<split>/`` with a JSON file beside each image, and ``labels.txt``."""
    content = copy_images(content, target, split_folders(content, "images"))
    for image, rows in content.each_image(CHUNK):
        folder = f"images/{image['split']}"
        height, width = image["height"], image["width"]
        document = {
            "version": "5.5.0",
            "flags": {r["label"]: True for r in rows if r["kind"] in ("class", "tag")},
            "shapes": list(_shapes(rows, (height, width))),
            "imagePath": image["file_name"],
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        target.write(f"{folder}/{image['stem']}.json", [text.encode()])
    lines = "".join(f"{label}\n" for label in content.labels)
    target.write(LIST, [lines.encode()])


def altered(content: Content) -> dict[str, int]:
    """What flags have no place for: of a tag or class they hold nothing but that it is there."""
    labels = content.annotations
    whole = labels.filter(pc.is_in(labels["kind"], value_set=pa.array(["class", "tag"])))
    distinct = whole.group_by(["image", "label"]).aggregate([])
    return {
        "annotator": pc.sum(pc.not_equal(whole["annotator"], UNKNOWN_ANNOTATOR)).as_py() or 0,
        "attributes": pc.sum(pc.not_equal(whole["attributes"], "{}")).as_py() or 0,
        "tag": len(whole) - len(distinct),
    }


def _shapes(rows: list[dict[str, Any]], size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(rows):
        if row["kind"] in ("class", "tag"):
            continue
        edges = [row[e] for e in ("x_min", "y_min", "x_max", "y_max")]
        shape = None if row["geometry"] is None else read_shape(row["kind"], row["geometry"])
        told = {"label": row["label"], **_told(row)}
        match shape:
            case RotatedBox():
                yield told | _drawn("polygon", shape.corners)
            case Polygon(rings=[ring]):
                yield told | _drawn("polygon", ring)
            case Polygon():
                yield told | _mask_of(mask_of_polygon(shape, size))
            case Mask():
                yield told | _mask_of(shape)
            case KeyPoints():
                yield told | _drawn("rectangle", [edges[:2], edges[2:]]) | {"group_id": place}
                for point in shape.points:
                    hidden = {"occluded": True} if point.visible == 1 else {}
                    yield {
                        "label": point.name,
                        **_drawn("point", [(point.x, point.y)]),
                        "group_id": place,
                        "flags": hidden,
                    }
            case _:
                yield told | _drawn("rectangle", [edges[:2], edges[2:]])


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a shape says beside its points: flags, other attributes and the annotator."""
    attributes = json.loads(row["attributes"])
    description = attributes.get("description")
    plain = isinstance(description, str) and description == description.strip() and description
    told: dict[str, Any] = {"description": attributes.pop("description") if plain else ""}
    told["flags"] = {k: v for k, v in attributes.items() if isinstance(v, bool)}
    others = {k: v for k, v in attributes.items() if not isinstance(v, bool)}
    return told | ({"attributes": others} if others else {}) | {"annotator": row["annotator"]}


def _drawn(kind: str, places: Any) -> dict[str, Any]:
    return {"points": [list(p) for p in places], "shape_type": kind, "group_id": None}


def _mask_of(shape: Mask) -> dict[str, Any]:
    from PIL import Image

    left, top, right, bottom = bounds_of_runs(shape.counts, shape.size[0])
    crop = mask_of_runs(shape.counts, shape.size)[top:bottom, left:right]
    buffer = io.BytesIO()
    Image.fromarray(crop).convert("1").save(buffer, "PNG")
    drawn = _drawn("mask", [(left, top), (right - 1, bottom - 1)])
    return drawn | {"mask": base64.b64encode(buffer.getvalue()).decode("ascii")}
