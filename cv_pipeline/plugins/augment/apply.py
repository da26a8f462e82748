"""Runs an augmentation algorithm, and checks what it made before a model learns from it."""

from __future__ import annotations

import numpy as np

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.augment.interface import Augmented, Augmenter, Donors, Scene
from cv_pipeline.plugins.registry import blamed_on, load_plugin
from cv_pipeline.project import Task


def augmenter(name: str, *, task: Task) -> Augmenter:
    """An augmentation algorithm by name.

    Raises:
        PluginError: there is none of that name, it is none, or it is not for this task.
    """
    found: Augmenter = load_plugin("augment", name)
    if not callable(found) or not isinstance(getattr(found, "tasks", None), tuple):
        raise PluginError(
            f"The augment algorithm {name!r} is no augmenter.",
            do="Give it tasks, wants_donors and __call__(scene, *, donors, rng).",
        )
    if task not in found.tasks:
        raise PluginError(
            f"The augment algorithm {name!r} is for {' and '.join(found.tasks)}, not for {task}.",
            do="Take it out of training.augmentation.algorithms.",
        )
    return found


def augmented(
    name: str, algorithm: Augmenter, scene: Scene, *, donors: Donors, rng: np.random.Generator
) -> Augmented:
    """What an algorithm makes of a scene, checked.

    Raises:
        PluginError: it raised, or made what cannot be learnt from.
    """
    with blamed_on("augment", name):
        made = algorithm(scene, donors=donors, rng=rng)
        problem = _problem(made.scene, scene, classes=len(donors.counts))
    if problem:
        raise PluginError(
            f"The augment algorithm {name!r} made {problem}.",
            do="Return an Augmented as docs/labeling/algorithms.md says.",
        )
    return made


def _problem(made: Scene, given: Scene, *, classes: int) -> str:
    """What is wrong with a scene; empty when nothing is."""
    m = len(made.boxes)
    height, width = given.content
    if made.pixels.shape != given.pixels.shape or made.pixels.dtype != np.float32:
        return (
            f"pixels of {made.pixels.dtype} {made.pixels.shape}, not float32 {given.pixels.shape}"
        )
    if made.boxes.shape != (m, 4) or made.label.shape != (m,):
        return f"boxes of the shape {made.boxes.shape} with labels of {made.label.shape}"
    if not np.isfinite(made.pixels).all() or not np.isfinite(made.boxes).all():
        return "pixels or boxes that are no numbers"
    if (
        m
        and (
            (made.label < 0) | (made.label >= max(classes, int(given.label.max(initial=-1)) + 1))
        ).any()
    ):
        return "objects of classes that the project does not have"
    inside = (made.boxes[:, :2] >= -1e-6) & (made.boxes[:, 2:] <= np.array([width, height]) + 1e-6)
    if not inside.all() or (made.boxes[:, 2:] <= made.boxes[:, :2]).any():
        return "boxes that are empty, inverted or outside the picture"
    return ""
