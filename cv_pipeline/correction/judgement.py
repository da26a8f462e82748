"""Judges a corrective model: both models' predictions on one dataset version, compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.correction.comparison import ParentComparison, overall, recall_change
from cv_pipeline.correction.record import CorrectiveRecord
from cv_pipeline.errors import CorrectiveError, ObjectNotFound
from cv_pipeline.evaluation.predicted import Predicted, read_predicted
from cv_pipeline.evaluation.scoring import ScoredSplit, score_classification, score_detection
from cv_pipeline.project import Task
from cv_pipeline.storage import ObjectStore


def judge(
    record: CorrectiveRecord,
    *,
    task: Task,
    labels: tuple[str, ...],
    dataset: Path,
    before: Path,
    after: Path,
    split: str,
    selected: pa.Array,
    seen: pa.Array,
) -> ParentComparison:
    """Compare a corrective model with its parent.

    Args:
        record: what was declared.
        task: detection or classification.
        labels: classes.
        dataset: folder of the dataset version that both were predicted on.
        before: folder of the parent's predictions.
        after: folder of the new model's.
        split: split to compare them on.
        selected: ids of the images that the run was made for.
        seen: ids of the images that the parent was trained or validated on: where the split rule
            has changed since, some are in the split now, and are left out.

    Raises:
        EvaluationError: the folders do not belong together.
        CorrectiveError: the split was not predicted, or not on the same images; or the class that
            the run is judged by is gone.
    """
    if record.label is not None and record.label not in labels:
        raise CorrectiveError(
            f"The run was to better {record.label!r}, which is no class any more.",
            do="Declare it anew: cvp corrective " + record.project,
        )
    read = [read_predicted(dataset=dataset, predictions=folder) for folder in (before, after)]
    old, new = (_scored(one, task, labels, split) for one in read)
    if not old.image_ids.equals(new.image_ids):
        raise CorrectiveError(
            "The two models were predicted on different images, for some were taken out between.",
            do="Run it again.",
        )
    fresh = ~_among(new.image_ids, seen)
    chosen = fresh & _among(new.image_ids, selected)
    counts = {"before": old.scorer.counts(), "after": new.scorer.counts()}
    label = None if record.label is None else labels.index(record.label)
    return ParentComparison(
        corrective=record.digest,
        model=read[1].model,
        parent=read[0].model,
        dataset=read[1].dataset,
        split=split,
        images=int(fresh.sum()),
        before=overall(old, fresh),
        after=overall(new, fresh),
        whole=recall_change(**counts, chosen=fresh, label=None, name=None),
        selection=None
        if record.selection is None
        else recall_change(**counts, chosen=chosen, label=label, name=record.label),
    )


def summarize(found: ParentComparison, *, metric: str) -> str:
    """What to say of a comparison, in two or three sentences.

    Args:
        found: the comparison.
        metric: the optimizing metric.
    """
    before, after = found.before.get(metric), found.after.get(metric)
    told = f"{metric} {_number(before)} before, {_number(after)} after, on {found.images} images."
    part = found.selection
    if part is None:
        return f"{told} No object of the selection is in {found.split}."
    verdict = "no significant change"
    if part.improved or part.worsened:
        verdict = "significantly better" if part.improved else "significantly worse"
    of = f" of {part.label}" if part.label else ""
    return (
        f"Recall{of} on the selection {part.before.value:.3f} before, {part.after.value:.3f} after"
        f" ({part.objects} objects on {part.images} images, {part.gained} gained, {part.lost} lost,"
        f" p = {part.p_value:.2g}): {verdict}. {told}"
    )


def write_judgement(store: ObjectStore, project: str, found: ParentComparison) -> None:
    """Keep a comparison beside its record."""
    text = json.dumps(found.to_json(), indent=2, sort_keys=True)
    store.write(_key(project, found.corrective, found.model), f"{text}\n".encode())


def read_judgement(
    store: ObjectStore, project: str, *, corrective: str, model: str
) -> dict[str, object] | None:
    """A comparison as plain values; None where it was never made."""
    try:
        found: dict[str, object] = json.loads(store.read(_key(project, corrective, model)))
    except ObjectNotFound:
        return None
    return found


def _scored(read: Predicted, task: Task, labels: tuple[str, ...], split: str) -> ScoredSplit:
    score = score_detection if task == "detection" else score_classification
    scoring = score(
        images=read.images,
        annotations=read.annotations,
        predictions=read.predictions,
        labels=labels,
        splits=read.splits,
    )
    found = next((s for s in scoring.splits if s.name == split), None)
    if found is None:
        raise CorrectiveError(
            f"The split {split} was not predicted ({', '.join(read.splits)} were).",
            do="Predict it first.",
        )
    return found


def _among(image_ids: pa.Array, some: pa.Array) -> NDArray[np.bool_]:
    """(n,) whether each image is one of some."""
    found = pc.is_in(image_ids, value_set=some.cast(pa.string()))
    mask: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _key(project: str, corrective: str, model: str) -> str:
    return f"projects/{project}/correctives/{corrective}.{model[:16]}.json"
