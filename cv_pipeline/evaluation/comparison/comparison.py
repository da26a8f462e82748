"""Compares two models on the images that they share: in numbers, images, slices and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas.compared import COMPARED_IMAGES, COMPARED_SLICES
from cv_pipeline.evaluation.comparison.differences import RESAMPLING, Found, differences
from cv_pipeline.evaluation.comparison.paired import Difference
from cv_pipeline.evaluation.comparison.sides import Shared, Side, shared_images
from cv_pipeline.evaluation.comparison.slices import compared_slices
from cv_pipeline.evaluation.comparison.words import sentence
from cv_pipeline.evaluation.resampling import Resampling

CONVENTIONS = {
    "images": "only images that are evaluated in both, each scored against the labels of its own"
    " dataset version",
    "accuracy, recall, precision, f1": "at each model's own operating point; interval of Student's"
    " paired t of the linearised ratios; p of swapping the models image by image, of accuracy"
    " McNemar's exact one",
    "AP, AP50, AP75, macro_f1, balanced_accuracy": "percentiles of a paired bootstrap of the"
    " images, and p twice the share of samples on the other side of 0; so too the precision of all"
    " classes of a classification, which is a mean over classes",
    "gained, lost": "classification: right with one model alone; detection: the image's F1 rose"
    " or fell",
    "slices": "p corrected for all slices and classes (Benjamini and Hochberg); small slices are"
    " not tested",
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models on the same images.

    Attributes:
        before: digest of the first model.
        after: of the second.
        datasets: digests of the dataset versions that they are evaluated on.
        metric: the optimizing metric.
        split: the split.
        images: shared images.
        overall: metric to its difference, over all classes.
        classes: class to the same.
        gained: images that the second does better.
        lost: images that it does worse.
        changed: schema COMPARED_IMAGES: those images, the furthest changed first.
        slices: schema COMPARED_SLICES, the surest first.
        costs: cost to its value for the first and the second; None where one is not known.
        notes: sentences on what limits the comparison.
        verdict: all of it in a sentence.
    """

    before: str
    after: str
    datasets: tuple[str, str]
    metric: str
    split: str
    images: int
    overall: dict[str, Difference]
    classes: dict[str, dict[str, Difference]]
    gained: int
    lost: int
    changed: pa.Table
    slices: pa.Table
    costs: dict[str, tuple[float | None, float | None]]
    notes: tuple[str, ...]
    verdict: str

    def to_json(self, *, images: int) -> dict[str, Any]:
        """All of it as plain values.

        Args:
            images: how many of the changed images to list.
        """

        def plain(metrics: Mapping[str, Difference]) -> dict[str, Any]:
            return {m: asdict(d) | {"significant": d.significant} for m, d in metrics.items()}

        return {
            "verdict": self.verdict,
            "before": {"model": self.before, "dataset": self.datasets[0]},
            "after": {"model": self.after, "dataset": self.datasets[1]},
            "metric": self.metric,
            "split": self.split,
            "images": self.images,
            "metrics": plain(self.overall),
            "classes": {label: plain(metrics) for label, metrics in self.classes.items()},
            "gained": self.gained,
            "lost": self.lost,
            "changed": self.changed.slice(0, images).to_pylist(),
            "slices": self.slices.to_pylist(),
            "costs": {
                name: {"before": before, "after": after}
                for name, (before, after) in self.costs.items()
            },
            "notes": list(self.notes),
            "conventions": CONVENTIONS,
        }


def compare(
    before: Side,
    after: Side,
    *,
    metadata: pa.Table | None = None,
    keys: Sequence[str] = (),
    declared: Mapping[str, pa.Array] | None = None,
    resampling: Resampling = RESAMPLING,
) -> Comparison:
    """Compare two models on the images of the headline split that both were evaluated on.

    Args:
        before: the first model.
        after: the second; the optimizing metric and the size of a small slice are its evaluation's.
        metadata: columns image_id, key, value; one row per image and key.
        keys: metadata keys to compare by.
        declared: name of a slice to the ids of its images.
        resampling: of the images.

    Raises:
        EvaluationError: the two are of different tasks or splits, or share no image.
    """
    shared = shared_images(before.evaluation, after.evaluation)
    found = differences(before, after, shared, resampling=resampling)
    first, second = before.evaluation.record, after.evaluation.record
    slices = COMPARED_SLICES.empty_table()
    if metadata is not None:
        slices = compared_slices(
            found.paired,
            metric="accuracy" if second.task == "classification" else "recall",
            image_ids=shared.image_ids,
            metadata=metadata,
            keys=keys,
            min_slice=second.min_slice,
            declared=declared,
        )
    changed = _changed(shared, by_score=second.task == "detection")
    gained = int(pc.sum(pc.equal(changed["change"], "gained")).as_py() or 0)
    lost = len(changed) - gained
    return Comparison(
        before=before.model,
        after=after.model,
        datasets=(first.dataset, second.dataset),
        metric=second.metric,
        split=shared.split,
        images=shared.images,
        overall=found.overall,
        classes=found.classes,
        gained=gained,
        lost=lost,
        changed=changed,
        slices=slices,
        costs={
            name: (before.costs.get(name), after.costs.get(name))
            for name in dict.fromkeys((*before.costs, *after.costs))
        },
        notes=tuple(_notes(before, after, shared, found)),
        verdict=sentence(
            second.metric,
            found.overall.get(second.metric),
            images=shared.images,
            gained=gained,
            lost=lost,
            slices=slices,
        ),
    )


def _changed(shared: Shared, *, by_score: bool) -> pa.Table:
    """Schema COMPARED_IMAGES."""
    rows = {"before": shared.before, "after": shared.after}
    columns: dict[str, Any] = {"image_id": shared.image_ids, "truth": shared.after["truth"]}
    for name in ("score", "correct", "predicted", "false_positives", "false_negatives"):
        columns |= {f"{name}_{when}": table[name] for when, table in rows.items()}
    table = pa.table(columns)
    difference = pc.subtract(table["score_after"], table["score_before"])
    turn = difference if by_score else _turn(table)
    table = table.append_column("difference", difference).append_column(
        "change", pc.if_else(pc.greater(turn, 0), "gained", "lost")
    )
    table = table.filter(pc.not_equal(turn, 0))
    size = np.abs(table["difference"].to_numpy())
    order = np.lexsort((np.arange(len(table)), -size))
    return table.take(order).select(COMPARED_IMAGES.names).cast(COMPARED_IMAGES)


def _turn(table: pa.Table) -> pa.ChunkedArray:
    """1 where an image became right, -1 where it became wrong, else 0."""
    before, after = (table[f"correct_{w}"].cast(pa.int8()) for w in ("before", "after"))
    return pc.subtract(after, before)


def _relabelled(shared: Shared) -> int:
    """Images whose class, or number of objects, is another in the second dataset version."""
    other = pc.not_equal(shared.before["objects"], shared.after["objects"])
    renamed = pc.not_equal(shared.before["truth"], shared.after["truth"]).fill_null(False)
    return int(pc.sum(pc.or_(other, renamed)).as_py() or 0)


def _notes(before: Side, after: Side, shared: Shared, found: Found) -> list[str]:
    first, second = before.evaluation.record, after.evaluation.record
    notes = []
    if first.dataset != second.dataset:
        notes.append(
            f"The models were evaluated on two dataset versions: {shared.images} images of"
            f" {shared.split} are in both, {shared.only_before} only in the first and"
            f" {shared.only_after} only in the second."
        )
        relabelled = _relabelled(shared)
        if relabelled:
            notes.append(
                f"{relabelled} of the shared images have other labels in the second version, so the"
                " models are held against different truths there."
            )
    elif shared.only_before or shared.only_after:
        notes.append(
            f"{shared.only_before + shared.only_after} images were evaluated with one model only,"
            " and are left out."
        )
    if first.model == second.model:
        notes.append("Both evaluations are of one model.")
    if set(first.labels) != set(second.labels):
        notes.append("The models do not have the same classes; both are compared on all of them.")
    if first.metric != second.metric:
        notes.append(f"The first was evaluated for {first.metric}, the second for {second.metric}.")
    if found.paired.labels is None:
        notes.append("Without the predictions, average precision and classes are not compared.")
    if shared.images < second.min_slice:
        notes.append(f"There are only {shared.images} shared images.")
    return notes
