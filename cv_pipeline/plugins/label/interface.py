"""What a label algorithm is given, and what it gives: arrays in, objects with confidences out.

It is pure: the same images and seed give the same suggestions. What it returns is checked before it
is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.registry import blamed_on, load_plugin

if TYPE_CHECKING:
    from cv_pipeline.annotations.geometry import Shape

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
            Of what has another shape the bounds of that are taken instead, but for key points
            whose object has a box as well.
        shapes: m shapes, pixels likewise (``cv_pipeline.annotations.geometry``: RotatedBox,
            Polygon, Mask or KeyPoints), None for an upright box; empty where all are boxes or
            classes.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    score: NDArray[np.float64]
    boxes: NDArray[np.float64]
    shapes: tuple[Shape | None, ...] = ()

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
        places = np.arange(len(self))[rows]
        shapes = tuple(self.shapes[k] for k in places) if self.shapes else ()
        return Found(self.image[rows], self.label[rows], self.score[rows], self.boxes[rows], shapes)


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """n images to suggest labels for, and what is known of them and of labelled ones.

    Attributes:
        image_ids: (n,) the images, sorted.
        labels: names of the classes.
        boxes: whether objects are wanted, with boxes or other shapes, or one class for each image.
        least_score: confidence below which nothing is to be suggested.
        kinds: shapes that annotators draw here: bbox, rotated_box, polygon, mask, keypoints.
        points: class to the names of its key points, where it has some.
        sizes: (n, 2) width and height of the images, in pixels.
        found: what the model sees, all of it, also with little confidence.
        embeddings: (n, d) float32, rows of length 1: the closer, the more alike.
        labelled: (m, d) the same of images that have labels.
        classes: (m,) int64, class of each of those; -1 where it has none.
    """

    image_ids: pa.Array
    labels: tuple[str, ...]
    boxes: bool
    least_score: float
    kinds: tuple[str, ...] = ("bbox",)
    points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
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
    """What a label algorithm suggests, checked; shapes with their bounds, as they will be kept.

    Raises:
        PluginError: it is not there, raised, or returned what its interface does not allow.
    """
    algorithm = labeller(name)
    with blamed_on("label", name):
        made = algorithm(images, seed=seed)
        problem = _misfit(made, images)
        if not problem and made.objects.shapes:
            objects, problem = _settled(made.objects, images)
            made = replace(made, objects=objects)
        problem = problem or _problem(made, images)
    if problem:
        raise PluginError(
            f"The label algorithm {name!r} returned {problem}.",
            do="Return a Suggested as docs/labeling/algorithms.md says.",
        )
    return made


def _misfit(made: Suggested, images: Unlabelled) -> str:
    """What is wrong with the sizes of arrays, and with what they point at; empty for nothing."""
    found, n, m = made.objects, len(images), len(made.objects.image)
    shapes = [found.image.shape, found.label.shape, found.score.shape, found.boxes.shape]
    problems = {
        f"arrays of the shapes {shapes} and not of {m} objects": shapes
        != [(m,), (m,), (m,), (m, 4)],
        f"{len(found.shapes)} shapes of {m} objects": len(found.shapes) not in (0, m),
        "shapes, and classes of whole images are wanted": not images.boxes and bool(found.shapes),
        f"uncertainties of the shape {made.uncertainty.shape} and not ({n},)": (
            made.uncertainty.shape != (n,)
        ),
    }
    for text, wrong in problems.items():
        if wrong:
            return text
    if ((found.image < 0) | (found.image >= n)).any():
        return "objects of images that were not asked for"
    if ((found.label < 0) | (found.label >= len(images.labels))).any():
        return "classes that the project does not have"
    return ""


def _settled(found: Found, images: Unlabelled) -> tuple[Found, str]:
    """Objects with their shapes as an import would keep them, and what is wrong with one."""
    from cv_pipeline.annotations.geometry import (
        KeyPoints,
        Mask,
        Polygon,
        RotatedBox,
        read_shape,
    )
    from cv_pipeline.annotations.geometry.settle import settle

    kind_of = {RotatedBox: "rotated_box", Polygon: "polygon", Mask: "mask", KeyPoints: "keypoints"}
    places = [k for k, shape in enumerate(found.shapes) if shape is not None]
    given = [found.shapes[k] for k in places]
    odd = [type(shape).__name__ for shape in given if type(shape) not in kind_of]
    if odd:
        return found, f"a shape that is {odd[0]} and not one of cv_pipeline.annotations.geometry"
    kinds = [kind_of[type(shape)] for shape in given]
    undrawn = sorted({*kinds} - {*images.kinds})
    if undrawn:
        drawn = ", ".join(images.kinds)
        return found, f"shapes of the kind {undrawn[0]}, where annotators draw {drawn}"
    names = {
        place: images.points.get(images.labels[found.label[k]], ())
        for place, k in enumerate(places)
        if kinds[place] == "keypoints"
    }
    done = settle(
        kinds,
        [shape.text for shape in given if shape is not None],
        sizes=images.sizes[found.image[places]].reshape(-1, 2),
        scaled=np.zeros(len(places), bool),
        point_names=names,
    )
    if done.refused:
        place, why = min(done.refused.items())
        return found, f"a {kinds[place]} that is none ({why.reason}): {why.detail}"
    boxes, shapes = found.boxes.copy(), list(found.shapes)
    for place, k in enumerate(places):
        text = done.texts[place]
        shapes[k] = None if text is None else read_shape(done.kinds[place], text)
        if kinds[place] != "keypoints" or not np.isfinite(boxes[k]).all():
            boxes[k] = done.bounds[place]
    return replace(found, boxes=boxes, shapes=tuple(shapes)), ""


def _problem(made: Suggested, images: Unlabelled) -> str:
    """What is wrong with the numbers of suggestions; empty when nothing is."""
    found, m = made.objects, len(made.objects.image)
    edges = found.boxes if images.boxes else np.zeros((m, 4))
    if not (np.isfinite(made.uncertainty).all() and (made.uncertainty >= 0).all()):
        return "uncertainties that are no numbers, or negative"
    if not (np.isfinite(found.score).all() and ((found.score >= 0) & (found.score <= 1)).all()):
        return "confidences that are not between 0 and 1"
    if not np.isfinite(edges).all() or (images.boxes and (edges[:, 2:] <= edges[:, :2]).any()):
        return "boxes that are empty, inverted or no numbers"
    if not images.boxes and len(np.unique(found.image)) < m:
        return "several classes for one image"
    return ""
