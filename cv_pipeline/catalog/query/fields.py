"""The registry of fields: every name that a query may use, what it means and where it is read.

Errors, the documentation and the compiler all go by it, so that a name is either known to all of
them or to none. Expressions are SQL over one relation of the snapshot, and nothing of a query's
text is ever part of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Key = Literal["name", "image", "model"]
Relation = Literal["annotations", "metadata", "results", "set_aside", "similar", "tags"]
Scope = Literal["images", "annotations", "predictions", "dataset", "results", "errors"]


class Kind(Enum):
    """What the values of a field are, in the words of an error message."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    DATE = "a date"
    IMAGE = "the name of an image"
    METADATA = "text, or a number"
    ATTRIBUTE = "text, a number, or true or false"


@dataclass(frozen=True)
class FieldSpec:
    """One field.

    Attributes:
        name: its canonical name.
        kind: what its values are.
        description: one line for people.
        expression: SQL of its value, over the columns of the row that it belongs to.
        relation: another relation that it is read from; None for the row in question itself.
        nullable: whether the value can be unknown.
        key: what must be named beside the field, where it stands for many.
        many: whether an image can have several values of it.
        aliases: other names that it goes by.
    """

    name: str
    kind: Kind
    description: str
    expression: str
    relation: Relation | None = None
    nullable: bool = False
    key: Key | None = None
    many: bool = False
    aliases: tuple[str, ...] = ()


def _column(name: str, kind: Kind, description: str, *, nullable: bool = False) -> FieldSpec:
    return FieldSpec(name, kind, description, name, nullable=nullable)


_TEXT, _NUMBER, _DATE = Kind.TEXT, Kind.NUMBER, Kind.DATE

_IMAGES = (
    FieldSpec(
        "image",
        Kind.IMAGE,
        "the image itself: its SHA-256, a prefix of 8 or more, or its path",
        "image_id",
        aliases=("image_id",),
    ),
    _column("path", _TEXT, "path within the source"),
    _column("source", _TEXT, "URL of the source"),
    _column("format", _TEXT, "container format: JPEG, PNG, TIFF, …"),
    _column("width", _NUMBER, "pixels"),
    _column("height", _NUMBER, "pixels"),
    _column("bands", _NUMBER, "number of bands (channels)"),
    _column("dtype", _TEXT, "type of one sample: uint8, uint16, float32, …"),
    _column("bytes", _NUMBER, "size of the file"),
    _column("split", _TEXT, "split that the source declares (official split)", nullable=True),
    _column("batch", _TEXT, "ingest batch that brought the image"),
    FieldSpec(
        "date_range",
        _DATE,
        "when the image was taken",
        "captured_at",
        nullable=True,
        aliases=("captured_at",),
    ),
    FieldSpec(
        "ingested",
        _DATE,
        "when the image came into the lake",
        "ingested_at",
        aliases=("ingested_at",),
    ),
    _column("brightness", _NUMBER, "mean luma, 0 to 1", nullable=True),
    _column("contrast", _NUMBER, "standard deviation of luma, 0 to 0.5", nullable=True),
    _column("sharpness", _NUMBER, "variance of the Laplacian of luma at 128 px", nullable=True),
    _column("saturation", _NUMBER, "mean HSV saturation, 0 to 1", nullable=True),
    _column("hue", _NUMBER, "mean hue weighted by saturation, degrees, 0 to 360", nullable=True),
    FieldSpec(
        "phash",
        _TEXT,
        "64-bit perceptual hash, 16 hexadecimal digits",
        "format('{:016x}', phash)",
        nullable=True,
    ),
    _column(
        "tags_count",
        _NUMBER,
        "tags and distinct class labels that people put on the image; 0 is untouched",
    ),
    _column("annotations_count", _NUMBER, "annotations of the image"),
    _column("labels_count", _NUMBER, "distinct class labels of its annotations"),
    _column("annotators_count", _NUMBER, "annotators of the image; gold labels are of none"),
    _column(
        "disagreement",
        _NUMBER,
        "share of its annotators who are not in the largest group with the same labels, 0 to 1",
    ),
    FieldSpec(
        "labelled",
        Kind.BOOLEAN,
        "whether it has at least one annotation",
        "(annotations_count > 0)",
    ),
    _column("taken_out", Kind.BOOLEAN, "whether the image was taken out of the lake"),
    _column("taken_out_at", _DATE, "when it was taken out", nullable=True),
    FieldSpec(
        "tag", _TEXT, "a tag that is on it", "tag", relation="tags", many=True, aliases=("tags",)
    ),
    FieldSpec(
        "label",
        _TEXT,
        "a class label of its annotations",
        "label",
        relation="annotations",
        many=True,
        aliases=("labels",),
    ),
    FieldSpec(
        "annotator",
        _TEXT,
        "somebody who annotated it",
        "annotator",
        relation="annotations",
        many=True,
        aliases=("annotators",),
    ),
    FieldSpec(
        "set_aside",
        _TEXT,
        "name of a batch that it was set aside in",
        "name",
        relation="set_aside",
        many=True,
    ),
    FieldSpec(
        "metadata",
        Kind.METADATA,
        "current value of a metadata key: metadata.scene, metadata['any key']",
        "value",
        relation="metadata",
        nullable=True,
        key="name",
    ),
    FieldSpec(
        "similarity",
        _NUMBER,
        "likeness to another image, 1 for the same picture: similarity('belt/001.jpg')",
        "similarity",
        relation="similar",
        nullable=True,
        key="image",
    ),
)

_BOXES = (
    _column("x_min", _NUMBER, "left edge of the box, pixels", nullable=True),
    _column("y_min", _NUMBER, "top edge of the box, pixels", nullable=True),
    _column("x_max", _NUMBER, "right edge of the box, pixels, exclusive", nullable=True),
    _column("y_max", _NUMBER, "bottom edge of the box, pixels, exclusive", nullable=True),
    FieldSpec("box_width", _NUMBER, "width of the box, pixels", "(x_max - x_min)", nullable=True),
    FieldSpec("box_height", _NUMBER, "height of the box, pixels", "(y_max - y_min)", nullable=True),
    FieldSpec(
        "box_area",
        _NUMBER,
        "area of the box, square pixels",
        "((x_max - x_min) * (y_max - y_min))",
        nullable=True,
    ),
)

_ANNOTATIONS = (
    _column("label", _TEXT, "class label"),
    _column("kind", _TEXT, "bbox, rotated_box, polygon, mask, keypoints, class or tag"),
    *_BOXES,
    FieldSpec(
        "attribute",
        Kind.ATTRIBUTE,
        "an attribute: attribute.occluded, attribute['any name']",
        "attributes",
        nullable=True,
        key="name",
    ),
    _column("annotator", _TEXT, "who drew it"),
    _column("ontology_version", _TEXT, "version of the ontology it was made under"),
    _column("guideline_version", _TEXT, "version of the guideline it was made under"),
    _column("lead_time", _NUMBER, "seconds of work", nullable=True),
    FieldSpec(
        "created", _DATE, "when it was made", "created_at", nullable=True, aliases=("created_at",)
    ),
    FieldSpec(
        "updated",
        _DATE,
        "when it was last changed",
        "updated_at",
        nullable=True,
        aliases=("updated_at",),
    ),
)

_PREDICTIONS = (
    _column("label", _TEXT, "predicted class"),
    _column("score", _NUMBER, "confidence, 0 to 1"),
    _column("rank", _NUMBER, "position by score among those of the image, from 1"),
    *_BOXES,
)

_DATASET = (_column("split", _TEXT, "split in that version: train, val or test"),)

_RESULTS = (
    _column("correct", Kind.BOOLEAN, "whether the model made no error on the image"),
    _column("score", _NUMBER, "0 (worst) to 1: F1 of the image, or score of the true class"),
    _column("true_positives", _NUMBER, "predictions that match an object"),
    _column("false_positives", _NUMBER, "predictions that match none"),
    _column("false_negatives", _NUMBER, "objects that no prediction matches"),
    _column("truth", _TEXT, "true class, for classification", nullable=True),
    _column("predicted", _TEXT, "predicted class, for classification", nullable=True),
    _column("confidence", _NUMBER, "score of the predicted class", nullable=True),
)

_RESULTS_OF = tuple(
    FieldSpec(
        f"results.{spec.name}",
        spec.kind,
        f"{spec.description}: results('fruit@latest').{spec.name}",
        spec.expression,
        relation="results",
        nullable=True,
        key="model",
    )
    for spec in _RESULTS
)

_ERRORS = (_column("kind", _TEXT, "false_negative, false_positive or any"),)


def _by_name(specs: tuple[FieldSpec, ...]) -> dict[str, FieldSpec]:
    return {spec.name: spec for spec in specs}


FIELDS: dict[Scope, dict[str, FieldSpec]] = {
    "images": _by_name((*_IMAGES, *_RESULTS_OF)),
    "annotations": _by_name(_ANNOTATIONS),
    "predictions": _by_name(_PREDICTIONS),
    "dataset": _by_name(_DATASET),
    "results": _by_name(_RESULTS),
    "errors": _by_name(_ERRORS),
}
"""Fields by canonical name: of images, and of the rows within each kind of brackets."""

BLOCKS = {
    "annotations": "annotations of the image: annotations(label = 'kiwi') >= 2",
    "predictions": "what a model found: predictions('fruit@latest', score > 0.5) >= 1",
    "dataset": "membership of a dataset version: dataset('fruit@latest', split = 'test')",
    "results": "how a model did: results('fruit@latest', correct = false)",
    "errors": "errors of a model: errors('fruit@latest', kind = 'false_negative') >= 2",
}
"""Names that are followed by brackets, and what they mean."""

ALIASES: dict[Scope, dict[str, str]] = {
    scope: {alias: spec.name for spec in specs.values() for alias in spec.aliases}
    for scope, specs in FIELDS.items()
}
"""Other names of fields to the canonical one."""
