"""What an augmentation algorithm is given, and what it gives: a scene for a scene.

It is pure: the same scene, donors and random numbers give the same result. What it drew goes on
record beside the weights, so everything that it leaves to chance belongs into its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.project import Task

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]


@dataclass(frozen=True, eq=False)
class Scene:
    """One training image as the model sees it, with its m objects.

    Attributes:
        pixels: (3, height, width) float32, normalised: 0 is the mean of all training images.
        content: height and width of the picture in it; the rest, right and below, is padding.
        boxes: (m, 4) float64 xyxy, pixels of ``pixels``; without any for classification.
        label: (m,) int64, index of each object's class.
    """

    pixels: NDArray[np.float32]
    content: tuple[int, int]
    boxes: NDArray[np.float64]
    label: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Donor:
    """An object that was cut out of a training image, at the scale that the model sees it at.

    Attributes:
        pixels: (3, height, width) float32, normalised.
        label: index of its class.
        annotation: its annotation.
    """

    pixels: NDArray[np.float32]
    label: int
    annotation: str


@dataclass(frozen=True, eq=False)
class Donors:
    """Objects of the training images that may be pasted: whole ones that stand alone.

    Attributes:
        of_class: for each class, some of its objects.
        counts: (c,) objects of each class in the training images, all of them.
    """

    of_class: tuple[tuple[Donor, ...], ...] = ()
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, eq=False)
class Augmented:
    """What an algorithm made of a scene.

    Attributes:
        scene: the new one, of the same size.
        parameters: what was drawn and done; empty when nothing was.
    """

    scene: Scene
    parameters: Mapping[str, Value]


class Augmenter(Protocol):
    """An algorithm that changes training images."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks that it is for: detection, classification."""
        ...

    @property
    def wants_donors(self) -> bool:
        """Whether it pastes objects; without, :class:`Donors` are empty."""
        ...

    def __call__(self, scene: Scene, *, donors: Donors, rng: np.random.Generator) -> Augmented:
        """Change a scene.

        Args:
            scene: is not written to.
            donors: objects that may be pasted.
            rng: chance: the same for an image of an epoch, whatever the batches and the loader.
        """
        ...
