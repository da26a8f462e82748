"""A corrective model beside its parent, on the same images: the whole, and what it was made for.

Both are predicted on the corrective run's dataset version. The recall of its images is tested in
pairs, image by image, for the objects of one image are not independent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.comparison.paired import Ratio, swap_probability
from cv_pipeline.evaluation.measure import LEVEL, Counts, Interval
from cv_pipeline.evaluation.scoring import ScoredSplit
from cv_pipeline.evaluation.slicing.ratios import Sums
from cv_pipeline.evaluation.slicing.statistics import ratio_interval


@dataclass(frozen=True)
class RecallChange:
    """The recall of some images, before and after.

    Attributes:
        label: class; None for all classes together.
        images: images that hold an object of it.
        objects: those objects.
        before: the parent's recall.
        after: the new model's.
        gained: objects found now and not before, less the reverse, on images where that is above 0.
        lost: the same the other way round.
        p_value: probability of a change so large in either direction, were there none.
    """

    label: str | None
    images: int
    objects: int
    before: Interval
    after: Interval
    gained: int
    lost: int
    p_value: float

    @property
    def improved(self) -> bool:
        """Whether it rose significantly."""
        return self.after.value > self.before.value and self.p_value <= LEVEL

    @property
    def worsened(self) -> bool:
        """Whether it fell significantly."""
        return self.after.value < self.before.value and self.p_value <= LEVEL


@dataclass(frozen=True)
class ParentComparison:
    """A corrective model and its parent.

    Attributes:
        corrective: digest of the corrective record.
        model: digest of the model.
        parent: digest of its parent.
        dataset: digest of the dataset version that both are measured on.
        split: the split.
        images: its images that the parent had not seen in training.
        before: metric to the parent's value, over all classes.
        after: metric to the new model's.
        whole: recall on the whole split.
        selection: recall on the images that the run was made for; None where the split has none.
    """

    corrective: str
    model: str
    parent: str
    dataset: str
    split: str
    images: int
    before: dict[str, float]
    after: dict[str, float]
    whole: RecallChange | None
    selection: RecallChange | None

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def recall_change(
    before: Counts, after: Counts, *, chosen: NDArray[np.bool_], label: int | None, name: str | None
) -> RecallChange | None:
    """How the recall of some images changed; None where they hold no object.

    Args:
        before: the parent's counts.
        after: the new model's, of the same images.
        chosen: (images,) which images.
        label: index of a class; None for all.
        name: its name.
    """
    objects = _by_image(after, after.objects, chosen, label)
    held = objects > 0
    if not held.any():
        return None
    found = [_by_image(c, c.found, chosen, label)[held] for c in (before, after)]
    change = found[1] - found[0]
    return RecallChange(
        label=name,
        images=int(held.sum()),
        objects=int(objects.sum()),
        before=_interval(found[0], objects[held]),
        after=_interval(found[1], objects[held]),
        gained=int(change[change > 0].sum()),
        lost=int(-change[change < 0].sum()),
        p_value=swap_probability(*(_ratio(f, objects[held]) for f in found)),
    )


def overall(scored: ScoredSplit, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Metric to value over all classes and the chosen images of a split."""
    measures = scored.scorer.measure(np.flatnonzero(chosen))
    return {m.metric: m.value for m in measures if m.label is None and m.value is not None}


def _by_image(
    counts: Counts, numbers: NDArray[np.int64], chosen: NDArray[np.bool_], label: int | None
) -> NDArray[np.int64]:
    """(images,) sums of the chosen images, 0 for the others."""
    rows = chosen[counts.image] & (True if label is None else counts.label == label)
    summed = np.bincount(counts.image[rows], weights=numbers[rows], minlength=len(chosen))
    return np.rint(summed).astype(np.int64)


def _ratio(found: NDArray[np.int64], objects: NDArray[np.int64]) -> Ratio:
    return Ratio(found.astype(np.float64), objects.astype(np.float64))


def _interval(found: NDArray[np.int64], objects: NDArray[np.int64]) -> Interval:
    sums = Sums.of(found.astype(np.float64), objects.astype(np.float64))
    value, low, high = (float(v) for v in ratio_interval(sums))
    return Interval(value, min(low, value), max(high, value))
