"""Pascal VOC: one XML file an image, with ``object/name`` and ``object/bndbox``.

Coordinates are taken as they stand, as edges: ``xmin`` is the left edge and ``xmax`` the right
one, exclusive. The original specification counts pixels from 1, inclusive, but most tools write
edges from 0, and nothing in a file says which; the difference is one pixel at most. XML with a
document type, and so with entities, is refused unread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cv_pipeline.annotations.raw import ExportBuilder, FieldNames, ParsedExport, RawRow
from cv_pipeline.annotations.values import as_number, as_size, as_text, attributes_json

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type alone; parsing is defusedxml's

FIELDS = FieldNames(image="filename", label="{object}.name", box="{object}.bndbox")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = ("truncated", "difficult", "occluded")


def sniff(files: Mapping[str, bytes]) -> bool:
    """Tell whether a file looks like Pascal VOC: an XML file with ``<annotation>``."""
    return any(
        re.search(rb"<annotation[\s>]", data)
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


def _read_xml(export: ExportBuilder, path: str, data: bytes) -> Element | None:
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        export.refuse(
            path,
            "",
            "hostile_xml",
            f"It declares a document type or entities, which are refused: {error}.",
        )
    except ParseError as error:
        line, column = error.position
        export.refuse(
            path, f"line {line} column {column + 1}", "not_xml", f"Not valid XML: {error}."
        )
    except (ValueError, LookupError, ExpatError) as error:  # an encoding that does not exist
        export.refuse(path, "", "not_xml", f"Not valid XML: {error}.")
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
    label = as_text(node.findtext("name"))
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
            width=image.width,
            height=image.height,
        )
    )


def _attributes(node: Element) -> str:
    """Flags that the object carries, and its pose where one is given."""
    flags = {flag: as_text(node.findtext(flag)) for flag in _FLAGS}
    attributes: dict[str, object] = {
        flag: text.lower() in ("1", "true") for flag, text in flags.items() if text
    }
    pose = as_text(node.findtext("pose"))
    if pose and pose != "Unspecified":
        attributes["pose"] = pose
    return attributes_json(attributes) or "{}"
