"""A dataset on its way into an export: its images and labels, numbered and named.

The counterpart of ``raw``: every format is written from the same two tables, so that names, numbers
and order are decided in one place. Numbers are places in the whole dataset version and stay the
same whichever part of it is exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.geometry.settle import settle
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR, UNKNOWN_ANNOTATOR
from cv_pipeline.catalog.schemas.annotations import SHAPE_KINDS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import SplitName, Task

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
_ANY_SIDE = 2.0**31
CHUNK = 50_000
"""Images whose text is in memory at once."""

EXPORT_IMAGES = pa.schema(
    [
        # from 1, in order of image_id; rows are sorted by it
        pa.field("number", pa.int64(), nullable=False),
        # SHA-256 of the file's bytes
        pa.field("image_id", pa.string(), nullable=False),
        # file name without suffix, unique in the dataset version
        pa.field("stem", pa.string(), nullable=False),
        # file name
        pa.field("file_name", pa.string(), nullable=False),
        # path in the source
        pa.field("path", pa.string(), nullable=False),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # pixels
        pa.field("width", pa.int32(), nullable=False),
        # pixels
        pa.field("height", pa.int32(), nullable=False),
        # number of bands
        pa.field("bands", pa.int32(), nullable=False),
        # bytes of the decoded image, more than its file has but for tiny ones
        pa.field("decoded_bytes", pa.int64(), nullable=False),
        # capture time, UTC
        pa.field("captured_at", pa.timestamp("us", tz="UTC")),
        # canonical JSON object of metadata
        pa.field("metadata", pa.string(), nullable=False),
        # fold of a cross-validation; null when there is none
        pa.field("fold", pa.int32()),
    ]
)

EXPORT_LABELS = pa.schema(
    [
        # from 1, in order of image and annotation id; rows are sorted by it
        pa.field("number", pa.int64(), nullable=False),
        # number of its image
        pa.field("image", pa.int64(), nullable=False),
        # place of its class in the list of classes, from 0
        pa.field("category", pa.int64(), nullable=False),
        # class, or tag
        pa.field("label", pa.string(), nullable=False),
        # geometry kind
        pa.field("kind", pa.string(), nullable=False),
        # left edge, pixels; null for a class of the whole image
        pa.field("x_min", pa.float64()),
        # top edge
        pa.field("y_min", pa.float64()),
        # right edge, exclusive
        pa.field("x_max", pa.float64()),
        # bottom edge, exclusive
        pa.field("y_max", pa.float64()),
        # x_max - x_min
        pa.field("width", pa.float64()),
        # y_max - y_min
        pa.field("height", pa.float64()),
        # canonical JSON of the shape; null for what the bounds describe in full
        pa.field("geometry", pa.string()),
        # canonical JSON object of attributes
        pa.field("attributes", pa.string(), nullable=False),
        # pseudonym
        pa.field("annotator", pa.string(), nullable=False),
        # annotator, reviewer, model or gold
        pa.field("role", pa.string(), nullable=False),
        # seconds of work
        pa.field("lead_time", pa.float64()),
        # when it was made
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        # when it was last changed
        pa.field("updated_at", pa.timestamp("us", tz="UTC")),
        # stable id of the label
        pa.field("annotation_id", pa.string(), nullable=False),
        # version of the ontology it was made under
        pa.field("ontology_version", pa.string(), nullable=False),
        # version of the guideline it was made under
        pa.field("guideline_version", pa.string(), nullable=False),
    ]
)

FIELDS = frozenset(
    {
        # kinds of labels
        *SHAPE_KINDS,
        "tag",
        # of polygons: several rings, or holes
        "rings",
        # of key points: the box of their object, where it is not what they span
        "keypoints_box",
        # of labels
        "attributes",
        "role",
        "annotator",
        "lead_time",
        "created_at",
        "updated_at",
        "ontology_version",
        "guideline_version",
        # of images
        "captured_at",
        "metadata",
        "path",
        "fold",
        "unlabelled_image",
        # of classes
        "class_order",
        "unused_class",
    }
)
"""What a format may have no place for; every one holds images, classes, boxes and splits.

A shape that it has no place for is written as its bounds, or as the nearest that it has.
"""

KINDS = frozenset({*SHAPE_KINDS, "tag"})
"""Kinds of labels among the fields."""


@dataclass(frozen=True, eq=False)
class Content:
    """What is exported. Every class of ``annotations`` is among ``labels``.

    Attributes:
        digest: of the dataset version.
        project: name of the project.
        task: detection or classification.
        labels: classes, in training order.
        images: ``EXPORT_IMAGES``.
        annotations: ``EXPORT_LABELS``.
        with_images: whether the images themselves are exported too.
        kinds: geometry kinds of the whole dataset version, sorted.
        points: class to the names of its key points in the whole dataset version, sorted.
    """

    digest: str
    project: str
    task: Task
    labels: tuple[str, ...]
    images: pa.Table
    annotations: pa.Table
    with_images: bool = True
    kinds: tuple[str, ...] = ()
    points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[SplitName, ...]:
        """The splits that have an image."""
        present = set(pc.unique(self.images["split"]).to_pylist())
        return tuple(split for split in SPLITS if split in present)

    def of_split(self, split: SplitName) -> Content:
        """The part of it that is in one split."""
        return self.only(pc.equal(self.images["split"], split))

    def only(self, images: pa.Array | pa.ChunkedArray) -> Content:
        """The images where ``images`` (bool, one for each) is true, with their labels."""
        kept = self.images.filter(images)
        on_kept = pc.is_in(self.annotations["image"], value_set=kept["number"].combine_chunks())
        return replace(self, images=kept, annotations=self.annotations.filter(on_kept))

    def chunks(self, rows: int = CHUNK) -> Iterator[Content]:
        """The whole in parts of at most ``rows`` images, in order."""
        on = self.annotations["image"].to_numpy()
        numbers = self.images["number"].to_numpy()
        for start in range(0, len(numbers), rows):
            end = min(start + rows, len(numbers))
            first = int(np.searchsorted(on, numbers[start]))
            last = int(np.searchsorted(on, numbers[end - 1], side="right"))
            yield replace(
                self,
                images=self.images.slice(start, end - start),
                annotations=self.annotations.slice(first, last - first),
            )

    def each_image(self, rows: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Each image with its labels, as dictionaries, of which ``rows`` images' are in memory."""
        for chunk in self.chunks(rows):
            labels = chunk.annotations.to_pylist()
            on = chunk.annotations["image"].to_numpy()
            images = chunk.images.to_pylist()
            numbers = chunk.images["number"].to_numpy()
            ends = np.searchsorted(on, numbers, side="right").tolist()
            for image, first, last in zip(images, [0, *ends], ends, strict=False):
                yield image, labels[first:last]

    def texts(self, sql: str, **parameters: str | bool) -> list[str]:
        """First column of a query over ``images`` and ``annotations``, as text."""
        relations = {"images": self.images, "annotations": self.annotations}
        texts: list[str] = run_sql(sql, relations=relations, parameters=parameters)[0].to_pylist()
        return texts


_OF_LABELS = ("lead_time", "created_at", "updated_at", "ontology_version", "guideline_version")


class Target(Protocol):
    """The folder that an export is written to."""

    def images(self, content: Content) -> Iterator[tuple[int, bytes]]:
        """Yield row and bytes of each image, in order; images that were taken out are left out."""

    def write(self, path: str, parts: Iterable[bytes]) -> None:
        """Write a file, whose parts come one after the other."""


def copy_images(
    content: Content, target: Target, folders: pa.Array | pa.ChunkedArray | str
) -> Content:
    """Copy each image into its folder, and return the content without images that are gone.

    Args:
        content: what is exported.
        target: where to.
        folders: folder of each image, or the one of all.
    """
    if not content.with_images:
        return content
    paths = pc.binary_join_element_wise(folders, content.images["file_name"], "/").to_pylist()
    kept = np.zeros(len(paths), dtype=bool)
    for row, data in target.images(content):
        target.write(paths[row], [data])
        kept[row] = True
    return content if kept.all() else content.only(pa.array(kept))


def require_images(content: Content, name: str) -> None:
    """Refuse a format that is nothing without its images.

    Raises:
        DatasetError: the images are not exported.
    """
    if not content.with_images:
        raise DatasetError(
            f"An export to {name} cannot do without its images.",
            do="Leave out --no-images, or export to another format.",
        )


def without_tags(labels: pa.Table) -> pa.Table:
    """The labels that are no tags, for a format that has none."""
    return labels.filter(pc.not_equal(labels["kind"], "tag"))


def split_folders(content: Content, *above: str) -> pa.ChunkedArray:
    """``above/split`` of each image."""
    return pc.binary_join_element_wise(*above, content.images["split"], "/")


def lost_fields(
    content: Content, *, held: Iterable[str], altered: Mapping[str, int] | None = None
) -> dict[str, int]:
    """How many labels, images or classes have something that a format has no place for.

    Args:
        content: what is exported.
        held: the fields of ``FIELDS`` that the format has a place for.
        altered: labels that it has a place for, but not in this content, by field.
    """
    images, labels = content.images, content.annotations
    annotators = pc.unique(labels["annotator"]).to_pylist()
    known = pa.array([a for a in annotators if a != UNKNOWN_ANNOTATOR], pa.string())
    lost = {
        **{kind: pc.equal(labels["kind"], kind) for kind in KINDS},
        "rings": _several_rings(labels),
        "keypoints_box": _wider_than_points(labels),
        "role": pc.not_equal(labels["role"], "annotator"),
        "attributes": pc.not_equal(labels["attributes"], "{}"),
        "annotator": pc.is_in(labels["annotator"], value_set=known),
        **{name: pc.is_valid(labels[name]) for name in _OF_LABELS},
        **{name: pc.is_valid(images[name]) for name in ("captured_at", "fold")},
        "metadata": pc.not_equal(images["metadata"], "{}"),
        "path": pc.not_equal(images["path"], images["file_name"]),
        "unlabelled_image": pc.invert(
            pc.is_in(images["number"], value_set=labels["image"].combine_chunks())
        ),
    }
    counts = {name: pc.sum(where).as_py() or 0 for name, where in lost.items()}
    in_order = sorted(content.labels) == [*content.labels]
    counts["class_order"] = 0 if in_order else len(content.labels)
    used = labels.filter(pc.not_equal(labels["kind"], "tag"))["label"]
    counts["unused_class"] = len({*content.labels} - {*pc.unique(used).to_pylist()})
    lost_here = FIELDS - {*held}
    if "annotator" not in lost_here:
        # an import gives nobody the name of known truth, which would overrule all others
        counts["gold"] = pc.sum(pc.equal(labels["annotator"], GOLD_ANNOTATOR)).as_py() or 0
        lost_here |= {"gold"}
    lost_now = {name: counts[name] for name in lost_here if counts[name]}
    lost_now |= {name: count for name, count in (altered or {}).items() if count}
    return dict(sorted(lost_now.items()))


def _several_rings(labels: pa.Table) -> pa.Array:
    """Which labels are polygons of several rings."""
    polygons = pc.equal(labels["kind"], "polygon")
    return pc.and_(polygons, pc.match_substring(labels["geometry"], "]],[[").fill_null(False))


def _wider_than_points(labels: pa.Table) -> pa.Array:
    """Which labels are key points of an object whose box is not what they span."""
    wider = np.zeros(len(labels), dtype=bool)
    places = np.flatnonzero(pc.equal(labels["kind"], "keypoints").to_numpy(zero_copy_only=False))
    if len(places):
        texts = labels["geometry"].take(pa.array(places)).to_pylist()
        spanned = spanned_bounds(texts)
        edges = [labels[e].to_numpy()[places] for e in ("x_min", "y_min", "x_max", "y_max")]
        wider[places] = (np.stack(edges, axis=1) != spanned).any(axis=1)
    return pa.array(wider)


def spanned_bounds(texts: list[str]) -> np.ndarray:
    """Bounds (n × 4) of key points by themselves: of the pixels that they are in."""
    sizes = np.full((len(texts), 2), _ANY_SIDE)
    scaled = np.zeros(len(texts), dtype=bool)
    return settle(["keypoints"] * len(texts), texts, sizes=sizes, scaled=scaled).bounds
