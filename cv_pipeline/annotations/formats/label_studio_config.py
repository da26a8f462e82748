"""Label Studio's labelling configuration: the classes it declares, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cv_pipeline.annotations.formats.label_studio_names import ATTRIBUTE, CONTROLS
from cv_pipeline.annotations.raw import ExportBuilder
from cv_pipeline.annotations.values import as_text

_SHAPES = frozenset({"RectangleLabels", "PolygonLabels", "BrushLabels", "EllipseLabels", "Labels"})


def is_config(path: str, data: bytes) -> bool:
    """Tell whether a file looks like a labelling configuration: XML with the root ``View``."""
    return path.lower().endswith(".xml") and re.search(rb"<View[\s>]", data) is not None


def declared_labels(export: ExportBuilder, path: str, data: bytes) -> Iterable[str]:
    """Return the labels of shapes, and where there are none the image-level choices.

    Choices that are asked for every region are attributes, not labels, and so are those of a
    generated configuration that are called so; its tags and names of key points are no labels.
    """
    from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config
    from label_studio_sdk._extensions.label_studio_tools.core.utils.exceptions import (
        LabelStudioXMLSyntaxErrorSentryIgnored as ConfigSyntaxError,
    )

    try:
        # the SDK's own parser would follow entities: nothing reaches it that declares any
        root = fromstring(data, forbid_dtd=True)
        controls = parse_config(data)
    except DefusedXmlException as error:
        export.refuse(path, "", "hostile_xml", f"It declares a document type: {error}.")
        return []
    except (ParseError, ConfigSyntaxError, ValueError, LookupError) as error:
        export.refuse(path, "", "not_xml", f"Not a labelling configuration: {error}.")
        return []
    per_region = {n.get("name") for n in root.iter() if n.get("perRegion") == "true"}
    no_labels = {CONTROLS["tag"][0], *per_region}
    shapes = [c for c in controls.values() if c["type"] in _SHAPES]
    choices = [
        control
        for name, control in controls.items()
        if control["type"] == "Choices" and name not in no_labels and not name.startswith(ATTRIBUTE)
    ]
    names = (as_text(v) for c in shapes or choices for v in c["labels"])
    return list(dict.fromkeys(n for n in names if n is not None))
