"""Ground truth and results in COCO's files, as arrays, or an EvaluationError that says why not.

What comes out is complete: every image and class is known, no id is there twice, every score is
between 0 and 1, every box is finite and not inverted. Results are those of COCO's result format, a
list of objects with image_id, category_id, score and bbox or segmentation.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.masks import (
    RunLengths,
    mask_areas,
    mask_pairs,
    run_lengths,
)
from cv_pipeline.evaluation.detection.overlap import Pairs, box_pairs

IouType = Literal["bbox", "segm"]

MOST_PIXELS = 1e9
"""Beyond any image; areas of larger boxes would not be exact."""

_GROUND_TRUTH = "A ground truth is {images: [], annotations: [], categories: []}, as COCO has it."
_RESULTS = (
    "Results are a list: [{image_id, category_id, bbox: [x, y, width, height], score}], as COCO's"
    " result format has it."
)
_Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class CocoInput:
    """What the two files hold.

    Attributes:
        image_ids: by index, ascending.
        labels: names of the categories, by ascending id.
        truth: objects, in the order of the file; ``key`` is the annotation's id.
        detections: in the order of the file; ``key`` is the position in it.
        masks: of the objects and of the detections; None for boxes.
        notes: sentences on what is unusual.
    """

    image_ids: tuple[int | str, ...]
    labels: tuple[str, ...]
    truth: Boxes
    detections: Detections
    masks: tuple[Sequence[RunLengths], Sequence[RunLengths]] | None
    notes: tuple[str, ...]

    def strongest(self, count: int) -> tuple[Detections, Pairs]:
        """At most ``count`` detections per image and class, and what they overlap."""
        rows = np.flatnonzero(self.detections.ranks() < count)
        kept = self.detections.take(rows)
        if self.masks is None:
            return kept, box_pairs(self.truth, kept)
        there, found = self.masks
        return kept, mask_pairs(
            self.truth, kept, truth_masks=there, masks=[found[n] for n in rows.tolist()]
        )


def read_coco(ground_truth: Path, predictions: Path, *, iou_type: IouType = "bbox") -> CocoInput:
    """Read both files.

    Args:
        ground_truth: COCO's instances file.
        predictions: COCO's result file.
        iou_type: whether boxes or masks are compared.

    Raises:
        EvaluationError: a file cannot be read, or they do not fit together.
    """
    images, categories, annotations = _ground_truth(ground_truth)
    results = _objects(_read(predictions), f"{predictions}", do=_RESULTS)
    image_ids = _ids(images, f"{ground_truth}: images")
    category_ids = _ids(categories, f"{ground_truth}: categories")
    _ids(annotations, f"{ground_truth}: annotations")
    if any("id" in row for row in results):
        _ids(results, f"{predictions}")
    number_of = {known: n for n, known in enumerate(sorted(image_ids, key=_by_type))}
    class_of = {known: n for n, known in enumerate(sorted(category_ids, key=_by_type))}
    names = _names(categories)
    frames = _frames(images, ground_truth, number_of)
    notes: list[str] = []
    parts = []
    for rows, where in ((annotations, ground_truth), (results, predictions)):
        image = _look_up(rows, "image_id", number_of, where, "images")
        label = _look_up(rows, "category_id", class_of, where, "categories")
        masks = None
        if iou_type == "segm":
            masks = _masks(rows, where, image, frames)
        boxed = iou_type == "bbox" or all(row.get("bbox") for row in rows)
        boxes = _boxes(rows, where) if boxed else np.zeros((len(rows), 4))
        outside = _outside(boxes, frames[image])
        if outside:
            notes.append(
                f"{outside} of {len(rows)} boxes of {where} reach outside their image; they are"
                " used as they are."
            )
        parts.append((image, label, boxes, masks))
    of_boxes = iou_type == "bbox" or (boxed and len(results) > 0)
    if of_boxes and iou_type == "segm":
        notes.append(
            "The results have boxes beside the masks: as in pycocotools, the area of a detection is"
            " that of its box, which matters to s, m and l alone."
        )
    (true_image, true_label, true_boxes, true_masks), (image, label, boxes, masks) = parts
    if not results:
        notes.append("There are no predictions at all.")
    return CocoInput(
        image_ids=tuple(number_of),
        labels=tuple(names[known] for known in class_of),
        truth=Boxes(
            true_image,
            true_label,
            _corners(true_boxes),
            sizes=true_boxes[:, 2:],
            area=_areas(annotations, ground_truth, true_boxes, true_masks),
            crowd=_crowds(annotations, ground_truth),
            key=np.array([row["id"] for row in annotations], dtype=object),
        ),
        detections=Detections(
            image,
            label,
            _corners(boxes),
            _scores(results, predictions),
            sizes=boxes[:, 2:],
            area=boxes[:, 2:].prod(axis=1) if of_boxes else mask_areas(masks or ()),
        ),
        masks=None if true_masks is None or masks is None else (true_masks, masks),
        notes=tuple(notes),
    )


def _ground_truth(path: Path) -> tuple[_Rows, _Rows, _Rows]:
    """Images, categories and annotations."""
    read = _read(path)
    if not isinstance(read, dict):
        raise EvaluationError(
            f"{path} holds a {type(read).__name__}, not an object.", do=_GROUND_TRUTH
        )
    absent = [name for name in ("images", "categories", "annotations") if name not in read]
    if absent:
        raise EvaluationError(f"{path} has no {' and no '.join(absent)}.", do=_GROUND_TRUTH)
    images, categories, annotations = (
        _objects(read[name], f"{path}: {name}", do=_GROUND_TRUTH)
        for name in ("images", "categories", "annotations")
    )
    if not annotations:
        raise EvaluationError(
            f"{path} has no annotations, so there is nothing to compare the predictions with.",
            do="Give the ground truth of labelled images.",
        )
    return images, categories, annotations


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read: {error.strerror}.", do="Give the path of a JSON file."
        ) from error
    except (ValueError, RecursionError) as error:  # cut off, not JSON, not text, or far too deep
        raise EvaluationError(
            f"{path} is not JSON: {error}.", do="If it was cut off while written, write it anew."
        ) from error


def _objects(rows: Any, where: str, *, do: str) -> _Rows:
    if not isinstance(rows, list):
        raise EvaluationError(f"{where} is a {type(rows).__name__}, not a list.", do=do)
    for n, row in enumerate(rows):
        if not isinstance(row, dict):
            raise EvaluationError(f"{where}: entry {n} is {row!r:.60}, not an object.", do=do)
    return rows


def _column(rows: _Rows, name: str, where: Path | str) -> list[Any]:
    try:
        return [row[name] for row in rows]
    except KeyError:
        at = next(n for n, row in enumerate(rows) if name not in row)
        raise EvaluationError(
            f"{where}: entry {at} has no {name}.", do="Every entry needs one."
        ) from None


def _ids(rows: _Rows, where: str) -> list[int | str]:
    """The ids, none of them twice."""
    ids = _column(rows, "id", where)
    for n, known in enumerate(ids):
        if type(known) not in (int, str):
            raise EvaluationError(
                f"{where}: entry {n} has the id {known!r:.60}.", do="Ids are whole numbers."
            )
    for often, times in Counter(ids).most_common(1):
        if times > 1:
            raise EvaluationError(
                f"{where}: the id {often!r} is there {times} times.", do="Write each once."
            )
    return ids


def _names(categories: _Rows) -> dict[int | str, str]:
    """Id to name; with the id where several have one name."""
    names = {row["id"]: str(row.get("name", row["id"])) for row in categories}
    times = Counter(names.values())
    return {
        known: name if times[name] == 1 else f"{name} ({known})" for known, name in names.items()
    }


def _frames(images: _Rows, where: Path, number_of: dict[int | str, int]) -> NDArray[np.float64]:
    """(images, 2) width and height; NaN where the file does not say."""
    sized = [row for row in images if "width" in row and "height" in row]
    sides = _numbers([row[side] for row in sized for side in ("width", "height")], where, "a size")
    out = np.full((len(images), 2), np.nan)
    out[[number_of[row["id"]] for row in sized]] = sides.reshape(-1, 2)
    return out


def _by_type(known: int | str) -> tuple[bool, int | str]:
    return isinstance(known, str), known


def _look_up(
    rows: _Rows, name: str, index: dict[int | str, int], where: Path, what: str
) -> NDArray[np.int64]:
    """(rows,) index of the image or class that each entry names."""
    named = _column(rows, name, where)
    try:
        return np.array([index[known] for known in named], dtype=np.int64)
    except (KeyError, TypeError):
        pass
    unknown = [n for n, known in enumerate(named) if _unhashable(known) or known not in index]
    first = named[unknown[0]]
    named_by = f"an {name}" if name[0] in "aeiou" else f"a {name}"
    hint = f"The {what} of the ground truth are {', '.join(map(repr, list(index)[:5]))}"
    raise EvaluationError(
        f"{where}: {len(unknown)} of {len(rows)} entries have {named_by} that is not among the"
        f" {what} of the ground truth, the first (entry {unknown[0]}) {first!r:.60}.",
        do=hint + (", …" if len(index) > 5 else "") + ".",
    )


def _unhashable(known: Any) -> bool:
    return isinstance(known, (list, dict))


def _numbers(values: list[Any], where: Path, what: str) -> NDArray[np.float64]:
    """(n,) numbers that are finite."""
    if set(map(type, values)) <= {int, float}:
        try:
            made = np.array(values, dtype=np.float64)
        except OverflowError:  # JSON's whole numbers have no end
            most = sys.float_info.max
            made = np.array([v if abs(v) <= most else np.inf for v in values], np.float64)
        bad = np.flatnonzero(~np.isfinite(made))
    else:
        made = np.empty(0)
        bad = np.array([n for n, v in enumerate(values) if type(v) not in (int, float)])
    if len(bad):
        raise EvaluationError(
            f"{where}: {len(bad)} of {len(values)} entries have {what} that is no finite number,"
            f" the first (entry {bad[0]}) {values[bad[0]]!r:.60}.",
            do="Look at what wrote the file: a model that diverged writes NaN.",
        )
    return made


def _scores(rows: _Rows, where: Path) -> NDArray[np.float64]:
    score = _numbers(_column(rows, "score", where), where, "a score")
    bad = np.flatnonzero((score < 0) | (score > 1))
    if len(bad):
        raise EvaluationError(
            f"{where}: {len(bad)} of {len(rows)} entries have a score outside 0 to 1, the first"
            f" (entry {bad[0]}) {score[bad[0]]:g}.",
            do="Scores are probabilities: apply the sigmoid or softmax, or divide percentages.",
        )
    return score


def _boxes(rows: _Rows, where: Path) -> NDArray[np.float64]:
    """(rows, 4) left, top, width and height."""
    given = _column(rows, "bbox", where)
    for n, box in enumerate(given):
        if not isinstance(box, list) or len(box) != 4:
            raise EvaluationError(
                f"{where}: entry {n} has the bbox {box!r:.60}.",
                do="A bbox is [x, y, width, height] in pixels.",
            )
    flat = [side for box in given for side in box]
    boxes = _numbers(flat, where, "a side of a bbox").reshape(-1, 4)
    bad = np.flatnonzero((boxes[:, 2:] < 0).any(axis=1))
    if len(bad):
        raise EvaluationError(
            f"{where}: {len(bad)} of {len(rows)} entries have a bbox of negative width or height,"
            f" the first (entry {bad[0]}) {boxes[bad[0]].tolist()}.",
            do="A bbox is [x, y, width, height], not two corners.",
        )
    bad = np.flatnonzero((np.abs(boxes) > MOST_PIXELS).any(axis=1))
    if len(bad):
        raise EvaluationError(
            f"{where}: {len(bad)} of {len(rows)} entries have a bbox with a side of over"
            f" {MOST_PIXELS:.0e} pixels, the first (entry {bad[0]}) {boxes[bad[0]].tolist()}.",
            do="A bbox is [x, y, width, height] in pixels.",
        )
    return boxes


def _masks(
    rows: _Rows, where: Path, image: NDArray[np.int64], frames: NDArray[np.float64]
) -> list[RunLengths]:
    given = _column(rows, "segmentation", where)
    out = []
    for n, segmentation in enumerate(given):
        width, height = frames[image[n]]
        if np.isnan(width):
            raise EvaluationError(
                f"{where}: the image {rows[n]['image_id']!r} of entry {n} has no width and height"
                " in the ground truth.",
                do="Masks need the size of every image.",
            )
        try:
            made = run_lengths(segmentation, width=int(width), height=int(height))
        except ValueError as error:
            raise EvaluationError(
                f"{where}: entry {n} has a segmentation that cannot be read: {error}.",
                do="A segmentation is a list of polygons or run lengths {size, counts}.",
            ) from error
        out.append(made)
    return out


def _areas(
    rows: _Rows,
    where: Path,
    boxes: NDArray[np.float64],
    masks: Sequence[RunLengths] | None,
) -> NDArray[np.float64]:
    """(rows,) the annotation's own area; where there is none, that of its mask or box."""
    out = boxes[:, 2:].prod(axis=1) if masks is None else mask_areas(masks)
    given = np.flatnonzero(["area" in row for row in rows])
    out[given] = _numbers([rows[n]["area"] for n in given.tolist()], where, "an area")
    return out


def _crowds(rows: _Rows, where: Path) -> NDArray[np.bool_]:
    given = _numbers([row.get("iscrowd", 0) for row in rows], where, "an iscrowd")
    return given.astype(bool)


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def _outside(boxes: NDArray[np.float64], frames: NDArray[np.float64]) -> int:
    """How many boxes reach more than a pixel outside their image, where its size is known."""
    corners = _corners(boxes)
    beyond = (corners[:, :2] < -1) | (corners[:, 2:] > frames + 1)
    return int(beyond.any(axis=1).sum())
