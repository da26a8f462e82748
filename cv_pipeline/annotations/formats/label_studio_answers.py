"""The results of a Label Studio annotation: what kind each is, and what was answered beside shapes.

Answers are attributes by the name of their control, notes of a region are attributes ``meta.…``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cv_pipeline.annotations.formats.label_studio_names import ATTRIBUTE, attribute_of

SHAPES = frozenset({"rectangle", "polygon", "brush", "keypoint", "ellipse", "labels"})
ANSWERS = ("choices", "taxonomy", "text", "rating", "number", "datetime")


@dataclass(frozen=True)
class Result:
    """One result.

    Attributes:
        where: its place in the export.
        kind: its type, in small letters.
        control: name of the control that it was made with.
        value: its value.
        entry: the whole of it.
    """

    where: str
    kind: str
    control: str
    value: dict[str, Any]
    entry: dict[str, Any]

    @property
    def is_shape(self) -> bool:
        """A shape of any kind: answers about a region repeat its coordinates, so do not count."""
        return self.kind in SHAPES or self.kind.endswith("labels")

    @property
    def is_point(self) -> bool:
        """A key point."""
        return self.kind in ("keypoint", "keypointlabels")


def image_attributes(regions: dict[str, list[Result]]) -> dict[str, Any]:
    """What was answered about the image beside its class, by the attribute's name."""
    found: dict[str, Any] = {}
    for results in regions.values():
        if not any(r.is_shape for r in results):
            for result in results:
                if result.control.startswith(ATTRIBUTE):
                    found |= answers_of(result)
    return found


def notes(result: Result) -> dict[str, Any]:
    """What was noted about a region, and attributes that no choice could say."""
    meta = result.entry.get("meta")
    if not isinstance(meta, dict):
        return {}
    own = meta.get("attributes")
    notes = {f"meta.{k}": single(v) for k, v in meta.items() if k not in ("attributes", "work")}
    return notes | (own if isinstance(own, dict) else {})


def answers_of(result: Result) -> dict[str, Any]:
    """What was answered, by the name of the control."""
    found: dict[str, Any] = {}
    for kind in ANSWERS:
        if kind in result.value:
            answer = single(result.value[kind])
            # a lone box to tick is a choice that bears its control's name
            name = attribute_of(result.control)
            found[name] = True if answer == result.control else answer
    return found


def as_list(value: object) -> list[object]:
    """A list as it is, one value as a list of it, and nothing as an empty one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def single(value: object) -> object:
    """The one element of a list of one, else the value itself."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
