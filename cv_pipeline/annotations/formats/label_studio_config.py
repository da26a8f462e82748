"""Label Studio's labelling configuration: the classes it declares, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cv_pipeline.annotations.raw import ExportBuilder
from cv_pipeline.annotations.values import as_text

_LABELLING = frozenset({"RectangleLabels", "Labels", "Choices"})


def is_config(path: str, data: bytes) -> bool:
    """Tell whether a file looks like a labelling configuration: XML with the root ``View``."""
    return path.lower().endswith(".xml") and re.search(rb"<View[\s>]", data) is not None


def declared_labels(export: ExportBuilder, path: str, data: bytes) -> Iterable[str]:
    """Return the labels of boxes, and where there are none the image-level choices.

    Choices that are asked for every region are attributes, not labels.
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
    labelling = {
        name: control
        for name, control in controls.items()
        if control["type"] in _LABELLING and name not in per_region
    }
    boxes = [c for c in labelling.values() if c["type"] != "Choices"]
    names = (as_text(v) for c in boxes or labelling.values() for v in c["labels"])
    return [n for n in names if n is not None]
