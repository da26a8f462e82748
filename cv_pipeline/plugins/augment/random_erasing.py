"""A rectangle of each image is erased, so that no single part of an object is all that counts.

Zhong, Zheng, Kang, Li and Yang, "Random erasing data augmentation", AAAI 2020, with its probability
of a half, areas of 2 to 20 % and the mean as the fill. An object of which less than 30 % is left is
no target any more, as after a crop.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cv_pipeline.plugins.augment.interface import Augmented, Donors, Scene
from cv_pipeline.project import Task

PROBABILITY = 0.5
AREA = (0.02, 0.2)
"""Least and largest share of the picture."""
ASPECT = (0.3, 1 / 0.3)
"""Least and largest height by width."""
MIN_VISIBLE = 0.3
"""Share of an object that must be left, as :mod:`cv_pipeline.training.framing` has it."""


class RandomErasing:
    """One rectangle at a time."""

    tasks: tuple[Task, ...] = ("detection", "classification")
    wants_donors = False

    def __call__(self, scene: Scene, *, donors: Donors, rng: np.random.Generator) -> Augmented:  # noqa: ARG002
        """See :class:`~cv_pipeline.plugins.augment.interface.Augmenter`."""
        chance, area, aspect, left, top = rng.random(5)
        if chance >= PROBABILITY:
            return Augmented(scene, {})
        height, width = scene.content
        size = height * width * (AREA[0] + (AREA[1] - AREA[0]) * area)
        shape = math.exp(math.log(ASPECT[0]) + math.log(ASPECT[1] / ASPECT[0]) * aspect)
        h = int(np.clip(round(math.sqrt(size * shape)), 1, height))
        w = int(np.clip(round(math.sqrt(size / shape)), 1, width))
        x, y = int(left * (width - w + 1)), int(top * (height - h + 1))
        pixels = scene.pixels.copy()
        pixels[:, y : y + h, x : x + w] = 0
        boxes = scene.boxes
        sides = np.minimum(boxes[:, 2:], [x + w, y + h]) - np.maximum(boxes[:, :2], [x, y])
        hidden = np.clip(sides, 0, None).prod(axis=1) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        keep = 1 - hidden >= MIN_VISIBLE
        changed = replace(scene, pixels=pixels, boxes=boxes[keep], label=scene.label[keep])
        return Augmented(changed, {"erased": [x, y, x + w, y + h], "lost": int((~keep).sum())})
