"""Whether something other than the picture's content gives the label away.

A camera that sees only one class, or a brightness that only one class has, lets a model score
without having learned what it was meant to learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.datasets.checks.properties import Property, image_properties

GIVEAWAYS = pa.schema(
    [
        # metadata key or image property
        pa.field("property", pa.string(), nullable=False),
        # what it was asked to predict: a class (whether the image shows it), or (main label)
        pa.field("target", pa.string(), nullable=False),
        # the value with the most images of the target
        pa.field("value", pa.string(), nullable=False),
        # share of images that are predicted right from the property alone, cross-validated
        pa.field("accuracy", pa.float64(), nullable=False),
        # the same from nothing: always the commoner answer
        pa.field("chance", pa.float64(), nullable=False),
        # share of the errors of chance that the property avoids
        pa.field("gain", pa.float64(), nullable=False),
        # largest gain of the property when its values are shuffled among the images
        pa.field("shuffled", pa.float64(), nullable=False),
        # whether it gives the target away
        pa.field("found", pa.bool_(), nullable=False),
    ]
)
MAIN_LABEL = "(main label)"
FOLDS = 5
SHUFFLES = 20
SAMPLE = 50_000
"""Images that are looked at: the first by id, which is a hash."""


def check_giveaway(context: CheckContext, threshold: float) -> Finding:
    """Predict labels from each metadata key and image property alone, and compare with chance.

    For every property (numbers in 16 bins of equal count) the answer of a value is the commoner
    one among the images of four folds that have it, tried on the fifth; folds keep near-duplicates
    and groups together. Targets are the image's main label (its most frequent) and, for each
    class, whether the image shows it. With accuracy *a* and that of always giving the commoner
    answer *c*, the gain is (a - c) / (1 - c): Goodman and Kruskal's λ ("Measures of association
    for cross classifications", JASA 49, 1954), cross-validated. A property gives a target away
    when its gain exceeds the threshold and the largest of 20 shuffles of its values, over all
    targets.

    Args:
        context: the candidate.
        threshold: largest gain that passes.

    Returns:
        Rows of schema :data:`GIVEAWAYS`: for each property the target it predicts best, the best
        first.
    """
    labelled = pc.equal(context.manifest["labels_state"], "labelled").to_numpy()
    rows = np.flatnonzero(labelled)[:SAMPLE]
    properties = image_properties(context, context.manifest.take(pa.array(rows)))
    targets = _targets(context, rows)
    best = [_best(p, targets, threshold) for p in properties if targets.names]
    rows = pa.Table.from_pylist(best, schema=GIVEAWAYS)
    rows = rows.sort_by([("gain", "descending"), ("property", "ascending")])
    found = rows.filter(rows["found"])
    metrics = {
        "properties": len(rows),
        "giveaways": len(found),
        "largest_gain": max(rows["gain"].to_pylist(), default=0.0),
    }
    return Finding(not len(found), _summary(found, len(rows)), metrics, rows)


def _summary(found: pa.Table, properties: int) -> str:
    looked = counted(properties, "metadata key or image property", "metadata keys and properties")
    if not len(found):
        return f"None of {looked} gives a label away."
    told = [
        f"{r['property']} alone predicts {r['target']} correctly on {r['accuracy']:.0%} of images"
        f" (chance {r['chance']:.0%}; most at {r['value']})"
        for r in found.slice(0, 3).to_pylist()
    ]
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return f"{len(found):,} of {looked} give a label away: {'; '.join(told)}{more}."


@dataclass(frozen=True, eq=False)
class _Targets:
    """What is to be predicted of n images.

    Attributes:
        names: (C,) classes.
        row: (P,) image of each (image, class) that is shown.
        label: (P,) class of the same.
        main: (n,) main label of each image.
        fold: (n,) fold of each image.
    """

    names: list[str]
    row: NDArray[np.int64]
    label: NDArray[np.int64]
    main: NDArray[np.int64]
    fold: NDArray[np.int64]


def _targets(context: CheckContext, rows: NDArray[np.int64]) -> _Targets:
    shown = context.shown
    position = np.full(len(context.manifest), -1)
    position[rows] = np.arange(len(rows))
    row, inside = position[shown.image], position[shown.image] >= 0
    row, label, objects = row[inside], shown.label[inside], shown.objects[inside]
    main = np.zeros(len(rows), np.int64)
    order = np.lexsort((-label, objects))  # the last written is the most frequent
    main[row[order]] = label[order]
    return _Targets(shown.names.to_pylist(), row, label, main, context.unit[rows] % FOLDS)


def _best(values: Property, targets: _Targets, threshold: float) -> dict[str, object]:
    """The row of a property: the target that it predicts best."""
    accuracy, chance = _accuracies(values.code, len(values.names), targets)
    gains = _gain(accuracy, chance)
    best = int(np.argmax(gains))
    rng = np.random.default_rng(0)
    shuffled = max(
        float(_gain(*_accuracies(rng.permutation(values.code), len(values.names), targets)).max())
        for _ in range(SHUFFLES if gains[best] > threshold else 1)
    )
    is_class = best < len(targets.names)
    at = values.code[targets.row[targets.label == best]] if is_class else values.code
    return {
        "property": values.name,
        "target": targets.names[best] if is_class else MAIN_LABEL,
        "value": values.names[int(np.bincount(at, minlength=len(values.names)).argmax())],
        "accuracy": float(accuracy[best]),
        "chance": float(chance[best]),
        "gain": float(gains[best]),
        "shuffled": shuffled,
        "found": bool(gains[best] > max(threshold, shuffled)),
    }


def _gain(accuracy: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(chance < 1, (accuracy - chance) / np.where(chance < 1, 1 - chance, 1), 0.0)


def _accuracies(
    code: NDArray[np.int64], bins: int, targets: _Targets
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(C + 1,) cross-validated accuracy for each class and the main label, and that of chance."""
    classes, images = len(targets.names), len(code)
    cell = targets.fold * bins + code
    total = np.bincount(cell, minlength=FOLDS * bins).reshape(FOLDS, bins, 1)
    shown = np.bincount(
        cell[targets.row] * classes + targets.label, minlength=FOLDS * bins * classes
    ).reshape(FOLDS, bins, classes)
    main = np.bincount(cell * classes + targets.main, minlength=FOLDS * bins * classes).reshape(
        FOLDS, bins, classes
    )
    by_value = _right(total, shown, main)
    alone = (total.sum(1, keepdims=True), shown.sum(1, keepdims=True), main.sum(1, keepdims=True))
    by_chance = _right(*alone)
    return by_value / images, by_chance / images


def _right(
    total: NDArray[np.int64], shown: NDArray[np.int64], main: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(C + 1,) images whose target is guessed right from the other folds.

    Args:
        total: (K, B, 1) images of each fold and value.
        shown: (K, B, C) those that show each class.
        main: (K, B, C) those whose main label it is.
    """
    seen, seen_shown, seen_main = (x.sum(0, keepdims=True) - x for x in (total, shown, main))
    # a value that no other fold has tells nothing: what is commoner among all images is guessed
    new = seen == 0
    is_common = 2 * seen_shown.sum(1, keepdims=True) > seen.sum(1, keepdims=True)
    guess = np.where(new, is_common, 2 * seen_shown > seen)
    right = np.where(guess, shown, total - shown).sum((0, 1))
    commonest = seen_main.sum(1, keepdims=True).argmax(2, keepdims=True)
    guessed = np.where(new, commonest, seen_main.argmax(2, keepdims=True))
    right_main = np.take_along_axis(main, guessed, axis=2).sum()
    return np.append(right, right_main).astype(np.float64)
