"""Names of the controls of a labelling configuration, as they are generated and read back.

An attribute's control bears its name; where that would be ambiguous it bears it after
``attribute:``, and what is answered there is always an attribute, of a region or of the image.
"""

from __future__ import annotations

IMAGE = "image"
"""Name of the object that is labelled, and of the task's field with its address."""

CONTROLS = {
    "bbox": ("label", "RectangleLabels"),
    "rotated_box": ("label", "RectangleLabels"),
    "polygon": ("polygon", "PolygonLabels"),
    "mask": ("brush", "BrushLabels"),
    "keypoints": ("keypoints", "KeyPointLabels"),
    "class": ("class", "Choices"),
    "tag": ("tags", "Choices"),
}
"""Kind of annotation to the name and tag of its control.

Labels of ``keypoints`` are names of points: the points of one object have its rectangle as parent.
"""

ATTRIBUTE = "attribute:"
"""What the control of an attribute begins with, where its name alone would be ambiguous."""

_TAKEN = frozenset({IMAGE, "filter", *(name for name, _ in CONTROLS.values())})


def attribute_control(name: str, values: tuple[str, ...], *, of_image: bool) -> str:
    """Name of the control of an attribute.

    Args:
        name: of the attribute.
        values: its allowed values; none for yes or no.
        of_image: whether it is asked once for the image, and not for every region.
    """
    # a lone box to tick bears its control's name, so no choice of several may bear it too
    unclear = name in _TAKEN or name in values or name.startswith(ATTRIBUTE) or not _is_text(name)
    return f"{ATTRIBUTE}{name}" if unclear or of_image else name


def attribute_of(control: str) -> str:
    """Name of the attribute that a control asks for."""
    return control.removeprefix(ATTRIBUTE)


def _is_text(name: str) -> bool:
    """Whether the tool takes a name for text: it takes 7, 1e5, nan and true for values."""
    try:
        float(name)
    except ValueError:
        return name.strip().lower() not in ("true", "false")
    return False
