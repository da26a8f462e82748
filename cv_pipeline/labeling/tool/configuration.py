"""The labelling configuration of Label Studio, generated from the ontology.

The same ontology always gives the same text. Classes keep their order, and their colours, which
are those of the inspector, as long as they keep their place. Every name comes back from the tool
as the ontology has it, however it must be shown there.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from cv_pipeline.annotations.formats.label_studio_names import (
    CONTROLS,
    IMAGE,
    attribute_control,
)
from cv_pipeline.errors import ProjectError
from cv_pipeline.ontology import Geometry, Ontology
from cv_pipeline.project import Task

SHOWN = 60
"""Characters of a name that are shown; a longer one is cut, and whole when pointed at."""

_COLOURS = (
    "#60a5fa", "#fb923c", "#4ade80", "#f472b6", "#facc15",
    "#a78bfa", "#2dd4bf", "#f87171", "#a3e635", "#e2e8f0",
)  # fmt: skip
_HOTKEYS = "1234567890"
_MANY = 20
_GOLDEN_ANGLE = 0.381966
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SHAPES: tuple[Geometry, ...] = ("bbox", "rotated_box", "polygon", "mask", "keypoints")


def labelling_configuration(ontology: Ontology, *, task: Task) -> str:
    """The labelling configuration (XML) of a project.

    Args:
        ontology: its classes, attributes, tags, key points and shapes.
        task: what decides the shapes, where the ontology declares none.

    Raises:
        ProjectError: a name has a character that XML cannot hold.
    """
    shapes = ontology.shapes(task)
    view = ET.Element("View")
    drawn = [shape for shape in _SHAPES if shape in shapes]
    ET.SubElement(
        view,
        "Image",
        name=IMAGE,
        value=f"${IMAGE}",
        zoom="true",
        zoomControl="true",
        rotateControl="false",  # coordinates are those of the stored image
        brightnessControl="true",
        contrastControl="true",
    )
    boxes = not {"bbox", "rotated_box", "keypoints"}.isdisjoint(shapes)
    if drawn and len(ontology.labels) > _MANY:
        name, _ = CONTROLS["bbox" if boxes else drawn[0]]
        ET.SubElement(
            view, "Filter", name="filter", toName=name, minlength="0", placeholder="Find a class"
        )
    if boxes:
        # the points of an object hang on its rectangle, so key points have rectangles too
        turned = "true" if "rotated_box" in shapes else "false"
        control = _control(view, "bbox", canRotate=turned, strokeWidth="2")
        _labels(control, ontology.labels, hotkeys=True)
    for shape in ("polygon", "mask"):
        if shape in shapes:
            control = _control(view, shape, strokeWidth="2")
            _labels(control, ontology.labels, hotkeys=drawn[0] == shape)
    if "keypoints" in shapes:
        points = dict.fromkeys(p for names in ontology.keypoints.values() for p in names)
        _labels(_control(view, "keypoints", strokeWidth="4"), points, hotkeys=False)
    if "class" in shapes:
        control = _control(
            view,
            "class",
            choice="single-radio" if len(ontology.labels) <= len(_HOTKEYS) else "single",
            showInline="true",
            # beside regions it is a class of the whole image, which an image need not have
            required="false" if drawn else "true",
            requiredMessage="Choose the class of the image",
        )
        _choices(control, ontology.labels, hotkeys=not drawn)
    if ontology.tags:
        control = _control(view, "tag", choice="multiple", showInline="true")
        _choices(control, ontology.tags, hotkeys=False)
    for name, values in ontology.attributes.items():
        required = name in ontology.required
        _attribute(view, name, values, required=required, of_image=not drawn)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def _control(view: ET.Element, kind: str, **options: str) -> ET.Element:
    name, tag = CONTROLS[kind]
    return ET.SubElement(view, tag, {"name": name, "toName": IMAGE, **options})


def _labels(control: ET.Element, names: Iterable[str], *, hotkeys: bool) -> None:
    for place, (name, shown) in enumerate(_shown(names)):
        options = _named(name, shown)
        if hotkeys and place < len(_HOTKEYS):
            options["hotkey"] = _HOTKEYS[place]
        ET.SubElement(control, "Label", {"background": _colour(place), **options})


def _choices(control: ET.Element, names: Iterable[str], *, hotkeys: bool) -> None:
    for place, (name, shown) in enumerate(_shown(names)):
        options = _named(name, shown)
        if hotkeys and place < len(_HOTKEYS):
            options["hotkey"] = _HOTKEYS[place]
        ET.SubElement(control, "Choice", options)


def _attribute(
    view: ET.Element, name: str, values: tuple[str, ...], *, required: bool, of_image: bool
) -> None:
    """The question for an attribute: a box to tick, or its values to choose from."""
    ((_, shown),) = _shown([name])
    if values or required:
        ET.SubElement(view, "Header", value=shown, size="6")
    options = {"perRegion": "true"} if not of_image else {}
    if required:
        options |= {"required": "true", "requiredMessage": f"Answer: {shown}"}
    asked = _text(attribute_control(name, values, of_image=of_image))
    options |= {
        "choice": "single-radio" if values or required else "multiple",
        "showInline": "true",
    }
    control = ET.SubElement(view, "Choices", {"name": asked, "toName": IMAGE, **options})
    if values:
        _choices(control, values, hotkeys=False)
    elif required:  # a box left alone would be no answer
        _choices(control, ("yes", "no"), hotkeys=False)
    else:
        ET.SubElement(control, "Choice", {"value": shown, "alias": asked})


def _named(name: str, shown: str) -> dict[str, str]:
    """Attributes of a label or choice: with an alias, where it cannot be shown as it is."""
    return {"value": shown} if shown == name else {"value": shown, "alias": name, "hint": name}


def _shown(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name with how it is shown: cut where it is long, and without ``$``.

    A value that has a ``$`` would be looked up in the task. No two are shown alike.
    """
    used: set[str] = set()
    listed = [_text(name) for name in names]
    taken = {name for name in listed if _plain(name)}
    for name in listed:
        shown = name
        if not _plain(name):
            # the first of these that is free: a full-width dollar sign is not looked up
            cut = re.sub(r"\s+", " ", name.replace("$", "＄")).strip()
            stem = cut if len(cut) <= SHOWN else f"{cut[: SHOWN - 1]}…"
            tries = (f"{stem} ({n})" for n in range(2, len(listed) + 2))
            shown = next(t for t in (stem, *tries) if t not in used and t not in taken)
        used.add(shown)
        yield name, shown


def _plain(name: str) -> bool:
    """Whether the tool shows a name, and gives it back, as it is."""
    return len(name) <= SHOWN and "$" not in name and not re.search(r"[\t\n\r]|\s\s", name)


def _text(name: str) -> str:
    """A name that XML can hold.

    Raises:
        ProjectError: it cannot.
    """
    found = _NOT_XML.search(name)
    if found:
        raise ProjectError(
            f"The ontology's name {name!r:.80} has the character U+{ord(found[0]):04X}, which a"
            " labelling configuration cannot hold.",
            do="Remove that character from project.yaml.",
        )
    return name


def _colour(place: int) -> str:
    """Colour of the class at a place: the inspector's first, then others that differ."""
    if place < len(_COLOURS):
        return _COLOURS[place]
    hue = (place * _GOLDEN_ANGLE) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.5 if place % 2 else 0.65, 0.75)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
