"""Errors by split, and the reading of their gaps: bias, variance, or a shift between the images.

After Ng, *Machine Learning Yearning* (2018), chapters 20 to 22 and 40: what is wrong on training
images already is bias, what comes on top on other images of the same distribution is variance, and
what comes on top on images of another distribution may be either that or the distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from cv_pipeline.evaluation.gap.likeness import Images, Likeness, likeness
from cv_pipeline.evaluation.measure import LEVEL
from cv_pipeline.evaluation.slicing.ratios import Sums
from cv_pipeline.evaluation.slicing.statistics import compare, ratio_interval

ORDER = ("train", "val", "test")
_SHOWN = 3


class SplitError(BaseModel):
    """The error on one split.

    Attributes:
        split: train, val or test.
        error: share of mistakes, 0 to 1.
        low: lower end of its 95 % interval.
        high: upper end.
        images: images behind it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    error: float
    low: float
    high: float
    images: int


class Step(BaseModel):
    """From one split to the next.

    Attributes:
        before: the split that is nearer to training.
        after: the other one.
        difference: error of ``after`` less that of ``before``.
        p_value: probability of a difference so large in either direction, were there none.
        alike: whether no test tells the images of the two splits apart.
        properties: what differs between them.
        told_apart: share of images whose split a classifier gives right; None where not tried.
        kind: none (no more than chance), variance, overfitting (to val), shift, or better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: str
    after: str
    difference: float
    p_value: float
    alike: bool
    properties: tuple[str, ...]
    told_apart: float | None
    kind: str


class Gap(BaseModel):
    """The errors of all splits, read together.

    Attributes:
        what: what is counted as error, in words.
        errors: in the order train, val, test; splits that were not predicted are absent.
        steps: from each to the next.
        reading: sentences for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    errors: tuple[SplitError, ...]
    steps: tuple[Step, ...]
    reading: tuple[str, ...]


def read_gap(what: str, sums: Mapping[str, Sums], images: Mapping[str, Images]) -> Gap:
    """Put the errors of the splits side by side and say what they mean.

    A gap counts when it is more than chance (p ≤ 0.05; see :func:`compare`). It is called variance
    only if no test tells the images of the two splits apart, else shift.

    Args:
        what: what is counted as error, in words.
        sums: split to its sums of what is right (numerator) and of all (denominator).
        images: split to its images.
    """
    splits = [s for s in ORDER if s in sums and sums[s].y > 0]
    errors = []
    for split in splits:
        value, low, high = (float(v) for v in ratio_interval(sums[split]))
        errors.append(
            SplitError(
                split=split,
                error=1 - value,
                low=1 - high,
                high=1 - low,
                images=int(sums[split].images),
            )
        )
    steps = tuple(
        _step(before, after, sums, likeness(images[before], images[after]))
        for before, after in pairwise(splits)
    )
    return Gap(
        what=what, errors=tuple(errors), steps=steps, reading=tuple(_reading(what, errors, steps))
    )


def _step(before: str, after: str, sums: Mapping[str, Sums], alike: Likeness) -> Step:
    compared = compare(sums[after], sums[before])
    worse = -float(compared.difference)
    p_value = float(compared.p_value)
    kind = "none"
    if p_value <= LEVEL and worse < 0:
        kind = "better"
    elif p_value <= LEVEL and not alike.alike:
        kind = "shift"
    elif p_value <= LEVEL:
        kind = "variance" if before == "train" else "overfitting"
    return Step(
        before=before,
        after=after,
        difference=worse,
        p_value=p_value,
        alike=alike.alike,
        properties=alike.properties,
        told_apart=alike.told_apart,
        kind=kind,
    )


def _reading(what: str, errors: list[SplitError], steps: tuple[Step, ...]) -> list[str]:
    if not errors:
        return ["No predicted split has ground truth."]
    told = ", ".join(f"{e.error:.3f} on {e.split}" for e in errors)
    said = [f"Error ({what}): {told}."]
    if errors[0].split != "train":
        said.append(
            "No training image was predicted, so that bias and variance cannot be told apart; see"
            " evaluation.train_images."
        )
    said += [_said(step) for step in steps]
    if errors[0].split == "train" and len(errors) > 1:
        said.append(_where_most(errors[0], steps))
    return said


def _said(step: Step) -> str:
    size = f"{step.difference:+.3f} from {step.before} to {step.after} (p = {step.p_value:.1g})"
    alike = f"no test tells {step.before} and {step.after} images apart"
    if step.properties:
        alike = f"{step.after} images differ in {', '.join(step.properties[:_SHOWN])}"
    elif not step.alike and step.told_apart is not None:
        alike = (
            f"a classifier tells {step.before} from {step.after} images on"
            f" {step.told_apart:.0%} of them"
        )
    if step.kind == "none":
        return f"No gap beyond chance: {size}; {alike}."
    if step.kind == "better":
        return f"Better, which training does not explain: {size}; {alike}."
    if step.kind == "shift":
        return (
            f"Shift: {size}, but {alike}, so that this is not to be called variance. Make the"
            f" splits alike, or label more images like those of {step.after}."
        )
    if step.kind == "variance":
        return (
            f"Variance: {size}, and {alike}. More training images, more augmentation or a smaller"
            " model would help."
        )
    return (
        f"Overfitting to {step.before}: {size}, and {alike}. It was chosen on {step.before}; label"
        " more images for it, or divide anew."
    )


def _where_most(train: SplitError, steps: tuple[Step, ...]) -> str:
    gaps = [step for step in steps if step.kind not in ("none", "better")]
    step = max(gaps, key=lambda s: s.difference, default=None)
    if step is None or train.error >= step.difference:
        return (
            f"Most of the error is there on training images already ({train.error:.3f}): bias. A"
            " larger model, longer training or a larger input would help, unless the labels are"
            " wrong."
        )
    return f"Most of the error ({step.difference:.3f}) comes from {step.before} to {step.after}."
