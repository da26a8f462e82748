"""What a label algorithm is given, and what it gives: arrays in, objects with confidences out.

It is pure: the same images and seed give the same suggestions. What it returns is checked before it
is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.registry import blamed_on, load_plugin

Need = Literal["found", "embeddings", "labelled"]
"""What an algorithm may ask for; see the attributes of :class:`Unlabelled`."""


@dataclass(frozen=True, eq=False)
class Found:
    """m objects, or classes of whole images, that something sees.

    Attributes:
        image: (m,) int64, row of each one's image.
        label: (m,) int64, index of its class.
        score: (m,) float64, confidence, 0 to 1.
        boxes: (m, 4) float64 xyxy, pixels of the stored image; NaN for the class of a whole image.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float64]
    boxes: NDArray[np.float64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.image)

    @classmethod
    def nothing(cls) -> Found:
        """No object."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros(0), np.zeros((0, 4)))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Found:
        """Some of them."""
        return Found(self.image[rows], self.label[rows], self.score[rows], self.boxes[rows])


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """n images to suggest labels for, and what is known of them and of labelled ones.

    Attributes:
        image_ids: (n,) the images, sorted.
        labels: names of the classes.
        boxes: whether objects with boxes are wanted, or one class for each image.
        least_score: confidence below which nothing is to be suggested.
        found: what the model sees, all of it, also with little confidence.
        embeddings: (n, d) float32, rows of length 1: the closer, the more alike.
        labelled: (m, d) the same of images that have labels.
        classes: (m,) int64, class of each of those; -1 where it has none.
    """

    image_ids: pa.Array
    labels: tuple[str, ...]
    boxes: bool
    least_score: float
    found: Found = field(default_factory=Found.nothing)
    embeddings: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    labelled: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.image_ids)


@dataclass(frozen=True, eq=False)
class Suggested:
    """What a label algorithm suggests.

    Attributes:
        objects: what is suggested.
        uncertainty: (n,) float64, how unsure it is of each image, from 0: corrections to be
            expected, for boxes; 1 less the margin between the two best classes, for classes.
    """

    objects: Found
    uncertainty: NDArray[np.float64]


class Labeller(Protocol):
    """An algorithm that suggests labels."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it reads of the images."""
        ...

    def __call__(self, images: Unlabelled, *, seed: int) -> Suggested:
        """Suggest labels.

        Args:
            images: what to label.
            seed: of whatever it leaves to chance.
        """
        ...


def labeller(name: str) -> Labeller:
    """A label algorithm by name.

    Raises:
        PluginError: there is none of that name, or it is none.
    """
    found: Labeller = load_plugin("label", name)
    if not callable(found) or not isinstance(getattr(found, "needs", None), tuple):
        raise PluginError(
            f"The label algorithm {name!r} is no labeller.",
            do="Give it needs, a tuple of names, and __call__(images, *, seed).",
        )
    return found


def suggest(name: str, images: Unlabelled, *, seed: int) -> Suggested:
    """What a label algorithm suggests, checked.

    Raises:
        PluginError: it is not there, raised, or returned what its interface does not allow.
    """
    algorithm = labeller(name)
    with blamed_on("label", name):
        made = algorithm(images, seed=seed)
        problem = _problem(made, images)
    if problem:
        raise PluginError(
            f"The label algorithm {name!r} returned {problem}.",
            do="Return a Suggested as docs/labeling/algorithms.md says.",
        )
    return made


def _problem(made: Suggested, images: Unlabelled) -> str:
    """What is wrong with suggestions; empty when nothing is."""
    found, n, m = made.objects, len(images), len(made.objects.image)
    shapes = [found.image.shape, found.label.shape, found.score.shape, found.boxes.shape]
    edges = found.boxes if images.boxes else np.zeros((m, 4))
    problems = {
        f"arrays of the shapes {shapes} and not of {m} objects": shapes
        != [(m,), (m,), (m,), (m, 4)],
        f"uncertainties of the shape {made.uncertainty.shape} and not ({n},)": (
            made.uncertainty.shape != (n,)
        ),
    }
    for text, wrong in problems.items():
        if wrong:
            return text
    if not (np.isfinite(made.uncertainty).all() and (made.uncertainty >= 0).all()):
        return "uncertainties that are no numbers, or negative"
    if not (np.isfinite(found.score).all() and ((found.score >= 0) & (found.score <= 1)).all()):
        return "confidences that are not between 0 and 1"
    if ((found.image < 0) | (found.image >= n)).any():
        return "objects of images that were not asked for"
    if ((found.label < 0) | (found.label >= len(images.labels))).any():
        return "classes that the project does not have"
    if not np.isfinite(edges).all() or (images.boxes and (edges[:, 2:] <= edges[:, :2]).any()):
        return "boxes that are empty, inverted or no numbers"
    if not images.boxes and len(np.unique(found.image)) < m:
        return "several classes for one image"
    return ""
