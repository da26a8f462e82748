"""CVAT for images: one XML file with ``image`` elements, and in each its shapes and tags.

Classes come from ``meta``. A tag is the class of its image where no image has a shape. Images are
read one by one, and forgotten. Tracks, which are of videos, are refused.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from defusedxml.ElementTree import iterparse

from cv_pipeline.annotations.content import Content, Target, copy_images, split_folders
from cv_pipeline.annotations.formats.cvat_shapes import OTHERS, SHAPES, element_of, shape_of
from cv_pipeline.annotations.formats.json_file import in_utf8
from cv_pipeline.annotations.formats.xml_file import (
    XML_ERRORS,
    element,
    is_plain,
    quoted,
    refuse_xml,
    value_of,
)
from cv_pipeline.annotations.geometry import BadShape
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport, RawImage, RawRow
from cv_pipeline.annotations.values import as_size, as_split, as_text, attributes_json

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type alone; parsing is defusedxml's

FIELDS = FieldNames(image="{object}: name", label="{object}.label", box="{object}")
CHUNK = 5_000
"""Images whose labels are in memory at once."""

_SUBSETS = {"train": "Train", "val": "Validation", "test": "Test"}


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like CVAT's: an XML file with ``<annotations>``."""
    return any(
        re.search(rb"<annotations[\s>]", in_utf8(data)) is not None
        for path, data in files.items()
        if path.lower().endswith(".xml")
    )


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the XML files of a CVAT export.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("cvat", FIELDS)
    tags: list[RawRow] = []
    for path in sorted(p for p in files if p.lower().endswith(".xml")):
        export.files.add(path)
        _File(export, path, tags).read(files[path])
    kind = "tag" if export.rows else "class"
    export.rows += [row._replace(kind=kind) for row in tags]
    return export.build()


@dataclass
class _File:
    """One file on its way into an export."""

    export: ExportBuilder
    path: str
    tags: list[RawRow]
    place: int = 0
    found: bool = field(default=False)

    def read(self, data: bytes) -> None:
        depth: list[Element] = []
        try:
            for event, node in iterparse(
                io.BytesIO(data), events=("start", "end"), forbid_dtd=True
            ):
                if event == "start":
                    if not depth and node.tag != "annotations":
                        self._refuse(
                            "",
                            "not_cvat",
                            f"Not CVAT: expected <annotations>, found <{node.tag[:60]}>.",
                        )
                        return
                    depth.append(node)
                    continue
                depth.pop()
                if len(depth) == 1:
                    self._read_part(node)
                    depth[0].clear()  # what was read is forgotten
        except XML_ERRORS as error:
            refuse_xml(self.export, self.path, error)

    def _refuse(self, where: str, reason: str, detail: str) -> None:
        self.export.refuse(self.path, where, reason, detail)

    def _read_part(self, node: Element) -> None:
        match node.tag:
            case "meta":
                for name in node.iterfind(".//labels/label"):
                    text = as_text(value_of(name.find("name")))
                    # points of a skeleton are labels that have a parent
                    if text and name.find("parent") is None:
                        self.export.labels.setdefault(text)
            case "image":
                self._read_image(node, f"image[{self.place}]")
                self.place += 1
            case "track":
                where = f"track {node.get('id', '')[:20]}"
                self._refuse(where, "video_track", "A track of a video; export as for images.")

    def _read_image(self, node: Element, where: str) -> None:
        name = _told(node, "name")
        if name is None:
            self._refuse(f"{where}.name", "missing_image", "No image is named.")
            return
        self.export.images.add(name)
        self.export.facts.append(RawImage(name, as_split(node.get("subset"))))
        size = as_size(node.get("width")), as_size(node.get("height"))
        labelled = False
        for place, child in enumerate(node):
            if child.tag in SHAPES or child.tag in OTHERS or child.tag == "tag":
                labelled = True
                self._read_object(child, name, size, f"{where}.{child.tag}[{place}]")
        if not labelled:
            self.export.empty.add(name)

    def _read_object(
        self, node: Element, image: str, size: tuple[int | None, int | None], where: str
    ) -> None:
        label = _told(node, "label")
        if label is None:
            self._refuse(f"{where}.label", "missing_label", "It has no label.")
            return
        width, height = size
        sized = (height, width) if width is not None and height is not None else None
        kind, edges, geometry = "class", None, None
        if node.tag != "tag":
            try:
                kind, edges, geometry = shape_of(node, sized)
            except BadShape as error:
                self._refuse(where, error.reason, error.detail)
                return
        if node.get("group_id") not in (None, "", "0"):
            self.export.not_imported["group"] += 1
        x_min, y_min, x_max, y_max = edges or (None,) * 4
        row = RawRow(
            image_path=image,
            label=label,
            kind=kind,
            source=self.path,
            object=where,
            original_id=where,
            x_min=x_min,
            y_min=y_min,
            x_max=x_max,
            y_max=y_max,
            geometry=geometry,
            attributes=_attributes(node),
            role="model" if node.get("source") == "auto" else "annotator",
            width=width if node.tag != "tag" else None,
            height=height if node.tag != "tag" else None,
        )
        (self.tags if node.tag == "tag" else self.export.rows).append(row)


def _told(node: Element, name: str) -> str | None:
    """Text of an attribute, which may be JSON where another says so."""
    text = as_text(node.get(name))
    if text is not None and node.get(f"{name}-type") == "json":
        try:
            return as_text(json.loads(text))
        except (ValueError, RecursionError):
            return None
    return text


def _attributes(node: Element) -> str:
    attributes: dict[str, object] = {"occluded": True} if node.get("occluded") == "1" else {}
    for found in node.findall("attribute"):
        name = _told(found, "name")
        if found.get("name") is not None:
            attributes[name if name is not None else found.get("name", "")] = (
                value_of(found) if value_of(found) is not None or found.get("type") else ""
            )
    return attributes_json(attributes) or "{}"


def write(content: Content, target: Target) -> None:
    """Write ``annotations_<split>.xml`` beside ``images/<split>/``."""
    content = copy_images(content, target, split_folders(content, "images"))
    for split in content.splits:
        target.write(f"annotations_{split}.xml", _document(content.of_split(split)))


def _document(content: Content) -> Iterator[bytes]:
    yield b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
    labels = "\n".join(f"<label>{element('name', name)}</label>" for name in content.labels)
    yield f"<meta><task><labels>\n{labels}\n</labels></task></meta>\n".encode()
    for image, rows in content.each_image(CHUNK):
        size = image["height"], image["width"]
        folder = f"images/{image['split']}/" if content.with_images else ""
        name = f"{folder}{image['file_name']}" if content.with_images else image["path"]
        told = _attribute("name", name)
        head = f'id="{image["number"] - 1}" {told} subset="{_SUBSETS[image["split"]]}"'
        yield f'<image {head} width="{size[1]}" height="{size[0]}">\n'.encode()
        yield "".join(_object(row, size) for row in rows).encode()
        yield b"</image>\n"
    yield b"</annotations>\n"


def _object(row: Mapping[str, Any], size: tuple[int, int]) -> str:
    tag, shape, inner = element_of(row, size)
    attributes = json.loads(row["attributes"])
    occluded = attributes.pop("occluded") if attributes.get("occluded") is True else False
    told = {
        "source": "auto" if row["role"] == "model" else "manual",
        **({} if tag == "tag" else {"occluded": str(int(occluded))}),
        **shape,
        **({} if tag == "tag" else {"z_order": "0"}),
    }
    if tag == "tag" and occluded:
        attributes["occluded"] = True
    start = "".join(f" {name}={quoted(text)}" for name, text in told.items())
    lines = [*inner, *(_attribute_element(n, v) for n, v in sorted(attributes.items()))]
    body = "\n".join(lines)
    return f"<{tag} {_attribute('label', row['label'])}{start}>{body}</{tag}>\n"


def _attribute_element(name: str, value: object) -> str:
    told = _attribute("name", name)
    if is_plain(value):
        return f"<attribute {told}>{element('x', value)[3:-4]}</attribute>"
    return f"<attribute {told}{element('x', value)[2:-4]}</attribute>"


def _attribute(name: str, text: str) -> str:
    """An attribute as ``_told`` reads it."""
    if is_plain(text):
        return f"{name}={quoted(text)}"
    return f'{name}={quoted(json.dumps(text))} {name}-type="json"'
