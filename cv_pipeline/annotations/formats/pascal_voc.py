"""Pascal VOC: one XML file an image, with ``object/name`` and ``object/bndbox``.

Coordinates are taken as they stand, as edges: ``xmin`` is the left edge and ``xmax`` the right
one, exclusive. The original specification counts pixels from 1, inclusive, but most tools write
edges from 0, and nothing in a file says which; the difference is one pixel at most. XML with a
document type, and so with entities, is refused unread. ``attributes`` are those of CVAT; what XML
or plain text cannot say is JSON in an element of type ``json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from cv_pipeline.annotations.content import Content, Target, copy_images, without_tags
from cv_pipeline.annotations.formats.json_file import in_utf8
from cv_pipeline.annotations.formats.xml_file import (
    XML_ERRORS,
    element,
    is_plain,
    refuse_xml,
    value_of,
)
from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport, RawRow
from cv_pipeline.annotations.values import (
    as_number,
    as_size,
    as_text,
    attributes_json,
    pseudonym,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type alone; parsing is defusedxml's

FIELDS = FieldNames(image="filename", label="{object}.name", box="{object}.bndbox")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = ("truncated", "difficult", "occluded")
_UNSPECIFIED = "Unspecified"

_OBJECTS = """
SELECT coalesce(to_json(list({
    'name': a.label,
    'box': [a.x_min, a.y_min, a.x_max, a.y_max],
    'attributes': a.attributes::JSON,
    'annotator': a.annotator
} ORDER BY a.number) FILTER (a.number IS NOT NULL)), '[]')
FROM images AS i LEFT JOIN annotations AS a ON a.image = i.number
GROUP BY i.number ORDER BY i.number
"""


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like Pascal VOC: an XML file with ``<annotation>``."""
    return any(
        re.search(rb"<annotation[\s>]", in_utf8(data))
        for path, data in files.items()
        if path.lower().endswith(".xml")
    )


def parse(files: Mapping[str, bytes]) -> ParsedExport:
    """Read the XML files of a Pascal VOC export.

    Raises:
        AnnotationError: there is none.
        UnusableExport: not one of the annotations in them can be read.
    """
    export = ExportBuilder("pascal_voc", FIELDS)
    for path in sorted(p for p in files if p.lower().endswith(".xml")):
        export.files.add(path)
        root = _read_xml(export, path, files[path])
        if root is not None:
            _read_image(export, path, root)
    return export.build()


def write(content: Content, target: Target) -> None:
    """Write ``Annotations/``, ``JPEGImages/`` and ``ImageSets/Main/``, as the VOC kit has them.

    Edges are as they are, with their decimals.
    """
    content = copy_images(content, target, "JPEGImages")
    content = replace(content, annotations=without_tags(content.annotations))
    for chunk in content.chunks():
        rows = chunk.images.to_pylist()
        for image, objects in zip(rows, chunk.texts(_OBJECTS), strict=True):
            lines = _lines(content, image, json.loads(objects))
            target.write(f"Annotations/{image['stem']}.xml", ["\n".join(lines).encode()])
    for split in content.splits:
        stems = sorted(content.of_split(split).images["stem"].to_pylist())
        listed = "".join(f"{stem}\n" for stem in stems)
        target.write(f"ImageSets/Main/{split}.txt", [listed.encode()])


def _lines(
    content: Content, image: Mapping[str, Any], objects: list[dict[str, Any]]
) -> Iterator[str]:
    yield "<annotation>"
    yield "\t<folder>JPEGImages</folder>"
    yield f"\t<filename>{escape(image['file_name'])}</filename>"
    yield f"\t{element('path', image['path'])}"
    yield "\t<source>"
    yield f"\t\t<database>{content.project}</database>"
    yield f"\t\t<annotation>dataset version {content.digest}</annotation>"
    yield "\t</source>"
    yield "\t<size>"
    yield from (f"\t\t<{tag}>{image[tag]}</{tag}>" for tag in ("width", "height"))
    yield f"\t\t<depth>{image['bands']}</depth>"
    yield "\t</size>"
    yield "\t<segmented>0</segmented>"
    for found in objects:
        yield from _object_lines(found)
    yield "</annotation>\n"


def _object_lines(found: Mapping[str, Any]) -> Iterator[str]:
    attributes = found["attributes"]
    pose = attributes.get("pose")
    yield "\t<object>"
    yield f"\t\t{element('name', found['name'])}"
    yield f"\t\t{element('pose', pose if is_plain(pose) else _UNSPECIFIED)}"
    for flag in _FLAGS:
        # many readers cannot do without it
        if flag == "difficult" or isinstance(attributes.get(flag), bool):
            yield f"\t\t<{flag}>{int(attributes.get(flag) is True)}</{flag}>"
    yield "\t\t<bndbox>"
    for edge, value in zip(_EDGES, found["box"], strict=True):
        # many readers take nothing but whole numbers
        text = int(value) if value.is_integer() else repr(value)
        yield f"\t\t\t<{edge}>{text}</{edge}>"
    yield "\t\t</bndbox>"
    yield f"\t\t{element('annotator', found['annotator'])}"
    yield "\t\t<attributes>"
    for name, value in attributes.items():
        yield "\t\t\t<attribute>"
        yield f"\t\t\t\t{element('name', name)}"
        yield f"\t\t\t\t{element('value', value)}"
        yield "\t\t\t</attribute>"
    yield "\t\t</attributes>"
    yield "\t</object>"


def _read_xml(export: ExportBuilder, path: str, data: bytes) -> Element | None:
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except XML_ERRORS as error:
        refuse_xml(export, path, error)
    else:
        if root.tag == "annotation":
            return root
        export.refuse(
            path,
            "",
            "not_pascal_voc",
            f"Not Pascal VOC: expected <annotation>, found <{root.tag[:60]}>.",
        )
    return None


@dataclass(frozen=True)
class _Image:
    path: str
    width: int | None
    height: int | None


def _read_image(export: ExportBuilder, path: str, root: Element) -> None:
    name = as_text(root.findtext("filename")) or f"{PurePosixPath(path).stem}.*"
    image = _Image(
        name, as_size(root.findtext("size/width")), as_size(root.findtext("size/height"))
    )
    objects = root.findall("object")
    export.images.add(name)
    if not objects:
        export.empty.add(name)
    for i, node in enumerate(objects):
        _read_object(export, path, image, i, node)


def _read_object(export: ExportBuilder, path: str, image: _Image, i: int, node: Element) -> None:
    where = f"object[{i}]"
    label = as_text(value_of(node.find("name")))
    if label is None:
        export.refuse(path, f"{where}.name", "missing_label", "An object without a name.")
        return
    edges: list[float] = []
    for edge in _EDGES:
        text = node.findtext(f"bndbox/{edge}")
        number = as_number(text)
        if number is None:
            found = "nothing" if text is None else repr(text[:60])
            export.refuse(
                path, f"{where}.bndbox.{edge}", "bad_box", f"Expected a number, found {found}."
            )
            return
        edges.append(number)
    x_min, y_min, x_max, y_max = edges
    if node.find("part") is not None:
        export.not_imported["part"] += 1
    export.rows.append(
        RawRow(
            image_path=image.path,
            label=label,
            kind="bbox",
            source=path,
            object=where,
            original_id=str(i),
            x_min=x_min,
            y_min=y_min,
            x_max=x_max,
            y_max=y_max,
            attributes=_attributes(node),
            annotator=pseudonym(value_of(node.find("annotator"))),
            width=image.width,
            height=image.height,
        )
    )


def _attributes(node: Element) -> str:
    """Flags that the object carries, its pose where one is given, and CVAT's attributes."""
    flags = {flag: as_text(node.findtext(flag)) for flag in _FLAGS}
    attributes: dict[str, object] = {
        flag: text.lower() in ("1", "true") for flag, text in flags.items() if text
    }
    pose = as_text(node.findtext("pose"))
    if pose and pose != _UNSPECIFIED:
        attributes["pose"] = pose
    listed = node.find("attributes")
    if listed is not None:
        # it is written everywhere, so beside other attributes 0 says nothing
        if attributes.get("difficult") is False:
            del attributes["difficult"]
        for attribute in listed.findall("attribute"):
            name = value_of(attribute.find("name"))
            if isinstance(name, str):
                attributes[name] = value_of(attribute.find("value"))
    return attributes_json(attributes) or "{}"
