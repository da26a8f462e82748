"""COCO detection JSON: ``images``, ``categories`` and ``annotations`` with ``bbox`` in x y w h.

``iscrowd`` and the ``attributes`` that CVAT adds become attributes. Segmentations are counted,
not imported. Several files are read one by one, each with its own ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cv_pipeline.annotations.formats.json_file import read_json
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport, RawRow
from cv_pipeline.annotations.values import (
    as_identifier,
    as_number,
    as_size,
    as_text,
    attributes_json,
)

FIELDS = FieldNames(image="{object}.image_id", label="{object}.category_id", box="{object}.bbox")


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like COCO: a JSON object with images and annotations."""
    return any(
        data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and b'"images"' in data
        and b'"annotations"' in data
        for path, data in files.items()
        if path.lower().endswith(".json")
    )


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the JSON files of a COCO export.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("coco", FIELDS)
    for path in sorted(p for p in files if p.lower().endswith(".json")):
        export.files.add(path)
        document = read_json(export, path, files[path])
        if document is None:
            continue
        if not isinstance(document, dict) or not isinstance(document.get("annotations"), list):
            export.refuse(
                path, "annotations", "not_coco", "Not COCO: it has no list of annotations."
            )
            continue
        _File(export, path, document).parse()
    return export.build()


@dataclass(frozen=True)
class _Image:
    path: str
    width: int | None
    height: int | None


@dataclass
class _File:
    """One COCO file: its ids mean nothing outside it."""

    export: ExportBuilder
    path: str
    document: dict[str, Any]
    images: dict[str, _Image] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def parse(self) -> None:
        self._read_categories()
        self._read_images()
        used: set[str] = set()
        for i, entry in enumerate(self.document["annotations"]):
            where = f"annotations[{i}]"
            if not isinstance(entry, dict):
                self._refuse(where, "not_an_object", "Expected an object with image_id and bbox.")
                continue
            used.add(as_identifier(entry.get("image_id")) or "")
            self._read_annotation(i, where, entry)
        paths = {image.path for image in self.images.values()}
        self.export.images |= paths
        self.export.empty |= paths - {self.images[i].path for i in used if i in self.images}

    def _refuse(self, where: str, reason: str, detail: str) -> None:
        self.export.refuse(self.path, where, reason, detail)

    def _entries(self, key: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Place, id and entry of each entry of a list whose ids must be distinct."""
        entries = self.document.get(key)
        if not isinstance(entries, list):
            self._refuse(key, "missing_field", f"Expected a list of {key}.")
            return []
        found: dict[str, tuple[str, str, dict[str, Any]]] = {}
        for i, entry in enumerate(entries):
            where = f"{key}[{i}]"
            identifier = as_identifier(entry.get("id")) if isinstance(entry, dict) else None
            if identifier is None:
                self._refuse(f"{where}.id", "missing_field", "Expected an object with an id.")
            elif identifier in found:
                self._refuse(
                    f"{where}.id",
                    "duplicate_id",
                    f"Id {identifier} is that of {found[identifier][0]} already.",
                )
            else:
                found[identifier] = (where, identifier, entry)
        return list(found.values())

    def _read_categories(self) -> None:
        for where, identifier, entry in self._entries("categories"):
            name = as_text(entry.get("name"))
            if name is None:
                self._refuse(f"{where}.name", "missing_label", "A category without a name.")
                continue
            self.categories[identifier] = name
            self.export.labels.setdefault(name)

    def _read_images(self) -> None:
        for where, identifier, entry in self._entries("images"):
            name = as_text(entry.get("file_name"))
            if name is None:
                self._refuse(f"{where}.file_name", "missing_field", "An image without file name.")
                continue
            self.images[identifier] = _Image(
                name, as_size(entry.get("width")), as_size(entry.get("height"))
            )

    def _read_annotation(self, i: int, where: str, entry: dict[str, Any]) -> None:
        identifier = as_identifier(entry.get("id")) or f"#{i}"
        image = self.images.get(as_identifier(entry.get("image_id")) or "")
        label = self.categories.get(as_identifier(entry.get("category_id")) or "")
        if identifier in self.seen:
            self._refuse(
                f"{where}.id", "duplicate_id", f"Id {identifier} is that of an earlier one."
            )
            return
        self.seen.add(identifier)
        if image is None:
            self._refuse(
                f"{where}.image_id",
                "unknown_image",
                f"There is no image with id {_short(entry.get('image_id'))} in the file.",
            )
            return
        if label is None:
            self._refuse(
                f"{where}.category_id",
                "unknown_label",
                f"There is no category with id {_short(entry.get('category_id'))} in the file.",
            )
            return
        box = _xyxy(entry.get("bbox"))
        if box is None:
            self._refuse(
                f"{where}.bbox",
                "bad_box",
                f"Expected four numbers x, y, width, height, found {_short(entry.get('bbox'))}.",
            )
            return
        if entry.get("segmentation"):
            self.export.not_imported["segmentation"] += 1
        x_min, y_min, x_max, y_max = box
        self.export.rows.append(
            RawRow(
                image_path=image.path,
                label=label,
                kind="bbox",
                source=self.path,
                object=where,
                original_id=identifier,
                x_min=x_min,
                y_min=y_min,
                x_max=x_max,
                y_max=y_max,
                attributes=self._attributes(where, entry),
                width=image.width,
                height=image.height,
            )
        )

    def _attributes(self, where: str, entry: dict[str, Any]) -> str:
        attributes: dict[str, object] = {}
        if "iscrowd" in entry:
            attributes["iscrowd"] = bool(entry["iscrowd"])
        extra = entry.get("attributes")
        if isinstance(extra, dict):
            attributes |= extra
        canonical = attributes_json(attributes)
        if canonical is None:
            self._refuse(
                f"{where}.attributes",
                "bad_attributes",
                "Attributes that JSON cannot hold; the box is kept without them.",
            )
        return canonical or "{}"


def _xyxy(bbox: object) -> tuple[float, float, float, float] | None:
    """COCO's x, y, width, height as edges; NaN stays, so that it is named later."""
    if not isinstance(bbox, list) or len(bbox) != 4:
        return None
    numbers = [as_number(v) for v in bbox]
    if any(n is None for n in numbers):
        return None
    x, y, width, height = (n for n in numbers if n is not None)
    return x, y, x + width, y + height


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
