"""Copies of objects of rare classes, pasted into other images.

After Dwibedi, Misra and Hebert, "Cut, paste and learn", ICCV 2017, and Ghiasi and others, "Simple
copy-paste is a strong data augmentation method", CVPR 2021, with boxes in place of masks: what is
pasted is the rectangle around an object, blended over two pixels at its edge. It covers no more
than a tenth of an object that is there, so all boxes stay right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.augment.interface import Augmented, Donor, Donors, Scene, Value
from cv_pipeline.project import Task

PROBABILITY = 0.5
"""That anything is pasted into an image."""
MOST = 3
"""Objects that are pasted into one image at most; one to so many are drawn."""
COVERED = 0.1
"""Share of an object, there or pasted, that may lie under or over another."""
_TRIES = 10
_EDGE = 2


class CopyPaste:
    """The rarer a class, the likelier its objects: by the inverse root of how many there are.

    The root is that of repeat factor sampling (Gupta, Dollár and Girshick, "LVIS", CVPR 2019):
    without it a class of a handful of objects would be nearly all that is pasted.
    """

    tasks: tuple[Task, ...] = ("detection",)
    wants_donors = True

    def __call__(self, scene: Scene, *, donors: Donors, rng: np.random.Generator) -> Augmented:
        """See :class:`~cv_pipeline.plugins.augment.interface.Augmenter`."""
        known = np.array([len(of_class) > 0 for of_class in donors.of_class], bool)
        if not known.any() or rng.random() >= PROBABILITY:
            return Augmented(scene, {})
        weight = np.where(known, 1 / np.sqrt(np.maximum(donors.counts, 1)), 0)
        pasted: list[Mapping[str, Value]] = []
        for _ in range(int(rng.integers(1, MOST + 1))):
            label = int(rng.choice(len(weight), p=weight / weight.sum()))
            of_class = donors.of_class[label]
            donor = of_class[int(rng.integers(len(of_class)))]
            flip = bool(rng.random() < 0.5)
            place = _place(scene, donor, rng)
            if place is None:
                continue
            scene = _paste(scene, donor, place, flip=flip)
            x, y = place
            pasted.append({"annotation": donor.annotation, "x": x, "y": y, "flip": flip})
        return Augmented(scene, {"pasted": pasted} if pasted else {})


def _place(scene: Scene, donor: Donor, rng: np.random.Generator) -> tuple[int, int] | None:
    """Left and top of a place where hardly anything is covered; None where none was found."""
    height, width = donor.pixels.shape[1:]
    room = (scene.content[1] - width, scene.content[0] - height)
    if min(room) < 0:
        return None
    for _ in range(_TRIES):
        x, y = int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
        box = np.array([x, y, x + width, y + height], np.float64)
        if _covered(scene.boxes, box) <= COVERED:
            return x, y
    return None


def _covered(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> float:
    """Largest share of a box, or of one of several, that lies in the other."""
    if not len(boxes):
        return 0.0
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = np.minimum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), (box[2:] - box[:2]).prod())
    return float((shared / np.maximum(areas, 1e-9)).max())


def _paste(scene: Scene, donor: Donor, place: tuple[int, int], *, flip: bool) -> Scene:
    x, y = place
    height, width = donor.pixels.shape[1:]
    cut = donor.pixels[:, :, ::-1] if flip else donor.pixels
    alpha = np.minimum(_ramp(height)[:, None], _ramp(width)[None, :])
    pixels = scene.pixels.copy()
    under = pixels[:, y : y + height, x : x + width]
    pixels[:, y : y + height, x : x + width] = alpha * cut + (1 - alpha) * under
    box = np.array([[x, y, x + width, y + height]], np.float64)
    return replace(
        scene,
        pixels=pixels,
        boxes=np.concatenate([scene.boxes, box]),
        label=np.append(scene.label, donor.label).astype(np.int64),
    )


def _ramp(length: int) -> NDArray[np.float32]:
    """(length,) how much of what is pasted shows: less at both ends."""
    from_end = np.minimum(np.arange(length), np.arange(length)[::-1])
    return np.clip((from_end + 1) / (_EDGE + 1), 0, 1).astype(np.float32)
