"""COCO JSON: ``images``, ``categories`` and ``annotations`` with ``bbox`` in x y w h.

``iscrowd`` and the ``attributes`` that CVAT adds become attributes. An object is one label: its key
points, else its segmentation, else its box. A shape that cannot be read is named, and its box
kept. Several files are read one by one, each with its own ids; a file that is named as
COCO's own are, ``instances_train2017.json``, states the split of its images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from cv_pipeline.annotations.content import (
    Content,
    Target,
    copy_images,
    split_folders,
    without_tags,
)
from cv_pipeline.annotations.formats.coco_shapes import (
    points_of,
    shape_of_segmentation,
    told_shape,
    with_parts,
)
from cv_pipeline.annotations.formats.extra_keys import (
    read_box,
    read_facts,
    read_work,
)
from cv_pipeline.annotations.formats.json_file import in_utf8, read_json
from cv_pipeline.annotations.geometry import BadShape, Mask
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport, RawRow
from cv_pipeline.annotations.values import as_identifier, as_size, as_text, attributes_json

FIELDS = FieldNames(
    image="{object}.image_id",
    label="{object}.category_id",
    box="{object}.bbox",
    shape="{object}.segmentation",
)
_ASTRAY = r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)"
"""Paths that lead out of the folder that they are looked for in."""

_SPLIT = re.compile(r"(?:^|[_-])(train|val|test)(?:20\d\d)?$")

# file_name is a path in the source where the images are not exported with it
_IMAGES = """
SELECT to_json({
    'id': number,
    'file_name': CASE WHEN $with_images OR regexp_matches(path, $astray)
        THEN file_name ELSE path END,
    'width': width,
    'height': height,
    'date_captured': coalesce(strftime(captured_at, '%Y-%m-%d %H:%M:%S'), ''),
    'image_id': image_id,
    'path': path,
    'captured_at': strftime(captured_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
    'metadata': metadata::JSON,
    'fold': fold
}) FROM images ORDER BY number
"""

_ANNOTATIONS = """
SELECT to_json({
    'id': number,
    'image_id': image,
    'category_id': category + 1,
    'bbox': [x_min, y_min, width, height],
    'area': area,
    'segmentation': coalesce(segmentation::JSON, '[]'::JSON),
    'keypoints': keypoints::JSON,
    'num_keypoints': num_keypoints,
    'kind': kind,
    'geometry': geometry::JSON,
    'iscrowd': CASE WHEN json_extract(attributes, '$.iscrowd') = 'true' THEN 1 ELSE 0 END,
    'edges': [x_min, y_min, x_max, y_max],
    'attributes': attributes::JSON,
    'annotator': annotator,
    'role': role,
    'annotation_id': annotation_id,
    'lead_time': lead_time,
    'created_at': strftime(created_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
    'updated_at': strftime(updated_at, '%Y-%m-%dT%H:%M:%S.%fZ'),
    'ontology_version': ontology_version,
    'guideline_version': guideline_version
}) FROM annotations ORDER BY number
"""


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like COCO: a JSON object with images and annotations."""
    return any(
        text[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and b'"images"' in text
        and b'"annotations"' in text
        for path, data in files.items()
        if path.lower().endswith(".json")
        for text in [in_utf8(data)]
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


def write(content: Content, target: Target) -> None:
    """Write ``annotations/instances_<split>.json`` beside ``images/<split>/``, as COCO is laid out.

    Ids are the numbers of ``content``, so an image has the same id whichever splits are exported.
    """
    content = copy_images(content, target, split_folders(content, "images"))
    content = replace(content, annotations=without_tags(content.annotations))
    for split in content.splits:
        part = content.of_split(split)
        target.write(f"annotations/instances_{split}.json", _document(part))


def _document(content: Content) -> Iterator[bytes]:
    info = {
        "description": f"{content.project}, dataset version {content.digest}",
        "version": content.digest,
    }
    categories = [
        {"id": n, "name": label, "supercategory": ""}
        | ({"keypoints": content.points[label], "skeleton": []} if label in content.points else {})
        for n, label in enumerate(content.labels, 1)
    ]
    head = json.dumps({"info": info, "licenses": [], "categories": categories}, ensure_ascii=False)
    yield f"{head[:-1]}".encode()
    yield from _list(content, "images", _IMAGES, with_images=content.with_images, astray=_ASTRAY)
    yield from _list(content, "annotations", _ANNOTATIONS, names=content.points)
    yield b"}\n"


def _list(
    content: Content,
    key: str,
    sql: str,
    names: Mapping[str, Sequence[str]] | None = None,
    **parameters: str | bool,
) -> Iterator[bytes]:
    yield f',\n"{key}": ['.encode()
    between = "\n"
    for part in content.chunks():
        chunk = part
        if names is not None:
            labels = with_parts(part.annotations, part.images, names)
            chunk = replace(part, annotations=labels)
        rows = chunk.texts(sql, **parameters)
        if rows:
            yield (between + ",\n".join(rows)).encode()
            between = ",\n"
    yield b"\n]"


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
    points: dict[str, tuple[str, ...]] = field(default_factory=dict)
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
            points = entry.get("keypoints")
            texts = [as_text(p) for p in points] if isinstance(points, list) else []
            known = tuple(t for t in texts if t)
            if len(set(known)) == len(texts):
                self.points[identifier] = known
            self.export.labels.setdefault(name)

    def _read_images(self) -> None:
        split = _SPLIT.search(PurePosixPath(self.path).stem)
        for where, identifier, entry in self._entries("images"):
            name = as_text(entry.get("file_name"))
            if name is None:
                self._refuse(f"{where}.file_name", "missing_field", "An image without file name.")
                continue
            self.images[identifier] = _Image(
                name, as_size(entry.get("width")), as_size(entry.get("height"))
            )
            self.export.facts.append(read_facts(name, split[1] if split else None, entry))

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
        box = read_box(entry)
        kind, geometry = self._shape(where, entry, boxed=box is not None)
        if box is None and kind in ("bbox", "keypoints"):
            self._refuse(
                f"{where}.bbox",
                "bad_box",
                f"Expected four numbers x, y, width, height, found {_short(entry.get('bbox'))}.",
            )
            return
        x_min, y_min, x_max, y_max = box or (None,) * 4
        self.export.rows.append(
            RawRow(
                image_path=image.path,
                label=label,
                kind=kind,
                source=self.path,
                object=where,
                original_id=identifier,
                x_min=x_min,
                y_min=y_min,
                x_max=x_max,
                y_max=y_max,
                geometry=geometry,
                attributes=self._attributes(where, entry),
                width=image.width,
                height=image.height,
                **read_work(entry),
            )
        )

    def _shape(self, where: str, entry: dict[str, Any], *, boxed: bool) -> tuple[str, str | None]:
        """Kind and geometry of an object; of one whose shape cannot be read, its box alone."""
        names = self.points.get(as_identifier(entry.get("category_id")) or "", ())
        told = told_shape(entry, names)
        if told is not None:
            return told
        key = "keypoints"
        try:
            points = points_of(entry.get(key), names) if boxed else None
            if points is not None:
                if entry.get("segmentation"):
                    self.export.not_imported["segmentation beside key points"] += 1
                return key, points.text
            key = "segmentation"
            shape = shape_of_segmentation(entry.get(key))
        except BadShape as error:
            kept = " Its box is kept." if boxed else ""
            self._refuse(f"{where}.{key}", error.reason, f"{error.detail}{kept}")
            return "bbox", None
        if shape is None:
            return "bbox", None
        return ("mask" if isinstance(shape, Mask) else "polygon"), shape.text

    def _attributes(self, where: str, entry: dict[str, Any]) -> str:
        attributes: dict[str, object] = {}
        extra = entry.get("attributes")
        # every object must have iscrowd, so 0 beside other attributes says nothing
        if entry.get("iscrowd") or ("iscrowd" in entry and not isinstance(extra, dict)):
            attributes["iscrowd"] = bool(entry["iscrowd"])
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


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
