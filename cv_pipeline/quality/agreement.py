"""How far annotators agree: on the class of an image, and on the objects of one.

Of classes, Krippendorff's α over images. Of boxes, first which are the same object
(``matched_objects``), then α over objects, where an annotator who looked at the image and drew no
box there says that there is nothing: the value ``(none)``. How well boxes lie on each other is told
beside it, as their mean IoU. Images that one annotator alone labelled count in neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.errors import AnnotationError
from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.quality.gold import without_gold
from cv_pipeline.quality.krippendorff import Alpha, Reliability
from cv_pipeline.quality.matched_objects import match_objects

NOTHING = "(none)"
"""What an annotator says of an object that others drew: that there is none."""

LEAST_IOU = 0.5
"""Overlap from which two boxes may be the same object."""

LOOKED = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # pseudonym of who labelled it, with or without a label to show for it
        pa.field("annotator", pa.string(), nullable=False),
    ]
)

_BOX = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True)
class Agreement:
    """How far annotators agree.

    Attributes:
        alpha: Krippendorff's α, over images or over objects.
        images: images that two or more annotators labelled.
        annotators: annotators who labelled one of them.
        mean_iou: of boxes that are the same object, pair by pair; None for classes of images, and
            where no two boxes are.
        objects: objects on those images; None for classes of images.
        agreed: of these, those that everybody who looked drew and named alike; None likewise.
        per_label: class to the α of that class against all others, and the images of it.
    """

    alpha: Alpha
    images: int
    annotators: int
    mean_iou: float | None
    objects: int | None
    agreed: int | None
    per_label: dict[str, Alpha]


def label_agreement(rows: pa.Table, *, resampling: Resampling | None = None) -> Agreement:
    """Agreement on the class of each image.

    Args:
        rows: columns ``image_id``, ``annotator`` and ``label``. Of several of one annotator on one
            image the last counts; known truth is nobody's.
        resampling: how images are resampled for the interval.
    """
    rows = without_gold(rows).select(["image_id", "annotator", "label"])
    last = rows.append_column("place", pa.array(np.arange(len(rows))))
    last = last.group_by(["image_id", "annotator"]).aggregate([("place", "max")])
    rows = rows.take(last["place_max"])
    image, _ = _codes(rows["image_id"])
    value, labels = _codes(rows["label"])
    shared = np.bincount(image)[image] > 1 if len(image) else np.zeros(0, bool)
    count = int(image.max()) + 1 if len(image) else 0
    said = Reliability(image, value, np.arange(count))
    return Agreement(
        alpha=said.alpha(resampling),
        images=len(np.unique(image[shared])),
        annotators=pc.count_distinct(rows["annotator"].filter(pa.array(shared))).as_py(),
        mean_iou=None,
        objects=None,
        agreed=None,
        per_label=_per_label(said, labels, resampling),
    )


def box_agreement(
    rows: pa.Table,
    *,
    looked: pa.Table | None = None,
    least_iou: float = LEAST_IOU,
    resampling: Resampling | None = None,
) -> Agreement:
    """Agreement on the objects of each image.

    Args:
        rows: columns ``image_id``, ``annotator``, ``label`` and the edges ``x_min`` to ``y_max`` in
            pixels; rows without edges and known truth do not count.
        looked: who labelled which image, as ``LOOKED``, for those who found nothing there; who has
            a box on it always did.
        least_iou: overlap from which two boxes may be the same object.
        resampling: how images are resampled for the interval.

    Raises:
        AnnotationError: ``least_iou`` is not above 0 and up to 1.
    """
    if not 0.1 <= least_iou <= 1:
        raise AnnotationError(
            f"Boxes cannot be matched from an IoU of {least_iou:g}.", do="Choose 0.1 to 1."
        )
    rows = without_gold(rows).select(["image_id", "annotator", "label", *_BOX])
    rows = rows.filter(pc.is_valid(rows["x_min"])).combine_chunks()
    pairs = rows.select(LOOKED.names).cast(LOOKED)
    if looked is not None:
        told = without_gold(looked.select(LOOKED.names)).cast(LOOKED)
        pairs = pa.concat_tables([pairs, told])
    pairs = (
        pairs.group_by(LOOKED.names).aggregate([]).sort_by([(n, "ascending") for n in LOOKED.names])
    )
    image_codes, images = _codes(pairs["image_id"])
    people = pc.unique(pairs["annotator"]).sort()
    looks = np.bincount(image_codes, minlength=len(images))
    box_image = _place(rows["image_id"], images)
    shared = looks[box_image] > 1 if len(rows) else np.zeros(0, bool)
    rows, box_image = rows.filter(pa.array(shared)), box_image[shared]
    who = _place(rows["annotator"], people)
    value, labels = _codes(rows["label"])
    xyxy = np.stack([rows[e].to_numpy().astype(np.float64) for e in _BOX], axis=1)
    found = match_objects(box_image, who, value, xyxy, least_iou=least_iou)
    said = _with_nothing(found.object, value, found.image, looks, nothing=len(labels))
    both = pairs.filter(pa.array(looks[image_codes] > 1))
    overlaps = found.iou[~np.isnan(found.iou)]
    return Agreement(
        alpha=said.alpha(resampling),
        images=int((looks > 1).sum()),
        annotators=pc.count_distinct(both["annotator"]).as_py(),
        mean_iou=float(overlaps.mean()) if len(overlaps) else None,
        objects=len(found.image),
        agreed=_agreed(said),
        per_label=_per_label(said, labels, resampling),
    )


def _with_nothing(
    object_of: NDArray[np.int64],
    value: NDArray[np.int64],
    image: NDArray[np.int64],
    looks: NDArray[np.int64],
    *,
    nothing: int,
) -> Reliability:
    """What was said of objects, with ``nothing`` by everybody who looked and drew no box."""
    drawn = np.bincount(object_of, minlength=len(image))
    silent = looks[image] - drawn
    return Reliability(
        np.concatenate([object_of, np.repeat(np.arange(len(image)), silent)]),
        np.concatenate([value, np.full(int(silent.sum()), nothing)]),
        image,
    )


def _agreed(said: Reliability) -> int:
    """Units of which everybody said the same."""
    if not len(said.unit):
        return 0
    highest, lowest = np.full(len(said.image), -1), np.full(len(said.image), np.iinfo(np.int64).max)
    np.maximum.at(highest, said.unit, said.value)
    np.minimum.at(lowest, said.unit, said.value)
    return int((highest == lowest).sum())


def _per_label(
    said: Reliability, labels: list[str], resampling: Resampling | None
) -> dict[str, Alpha]:
    """α of each class against all that is not it."""
    readings = [(said.value == place).astype(np.int64) for place in range(len(labels))]
    return dict(zip(labels, said.alphas(readings, resampling), strict=True))


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Index of each value among the distinct ones, and these, sorted."""
    names = pc.unique(column).sort()
    return _place(column, names), names.to_pylist()


def _place(column: pa.ChunkedArray, names: pa.Array | list[str]) -> NDArray[np.int64]:
    found = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return np.asarray(found.to_numpy(), np.int64)
