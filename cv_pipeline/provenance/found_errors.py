"""From a kind of error, or a cell of the confusion, to its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dagster import DagsterInstance

from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation import Evaluation
from cv_pipeline.evaluation.error_analysis.analysis import likely_label_errors
from cv_pipeline.evaluation.error_analysis.mistakes import NOTHING, pick_mistakes
from cv_pipeline.evaluation.report.pictures import mistakes_in_words
from cv_pipeline.provenance.evaluated import Evaluated, find_evaluated
from cv_pipeline.provenance.event_log import EventLog
from cv_pipeline.storage import ObjectStore


@dataclass(frozen=True)
class FoundErrors:
    """Mistakes of a model, or labels that are likely to be wrong.

    Attributes:
        project: the project.
        evaluation: digest of the evaluation.
        model: digest of the model.
        dataset: digest of the dataset version.
        split: the split; of likely label errors all but train, and then ``held out``.
        total: how many there are.
        images: on how many images.
        rows: the first of them: the columns of MATCHES or of LABEL_ERRORS, and ``path``.
    """

    project: str
    evaluation: str
    model: str
    dataset: str
    split: str
    total: int
    images: int
    rows: Sequence[Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def find_errors(
    project: str,
    *,
    evaluation: str = "latest",
    kind: str | None = None,
    truth: str | None = None,
    predicted: str | None = None,
    split: str | None = None,
    label_errors: bool = False,
    n: int = 100,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> FoundErrors:
    """The mistakes of an evaluated model with their images, the most confident first.

    Args:
        project: name of the project.
        evaluation: digest, prefix or ``latest``.
        kind: kind of error, or ``correct``; by default every kind of error.
        truth: true class, or ``none`` for predictions that mean no object.
        predicted: predicted class, or ``none`` for missed objects.
        split: train, val or test; by default the headline split.
        label_errors: labels that are likely to be wrong instead of the model's mistakes.
        n: at most this many rows.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for copies of a remote store's folders.

    Raises:
        ProvenanceError: the evaluation is unknown.
        EvaluationError: there is no such kind, class or split; or a kind of likely label errors is
            asked for.
    """
    if label_errors and kind is not None:
        raise EvaluationError(
            f"Labels that are likely to be wrong are not of a kind such as {kind!r}.",
            do="Leave out the kind, or ask for the model's mistakes.",
        )
    found = find_evaluated(
        EventLog(instance or DagsterInstance.get()),
        project=project,
        ref=evaluation,
        store=store,
        cache=cache,
    )
    made = found.evaluation
    named = split or made.record.split
    if label_errors:
        said = pq.read_table(found.predictions_folder() / "predictions.parquet")
        _check_picked(made, truth, predicted, split)
        rows = _label_errors(likely_label_errors(made, said), truth, predicted, split)
        named = split or "held out"
    else:
        rows = pick_mistakes(made.matches, split=named, kind=kind, truth=truth, predicted=predicted)
    first = rows.slice(0, n).to_pylist()
    paths = paths_of(found, [row["image_id"] for row in first])
    return FoundErrors(
        project=project,
        evaluation=made.digest,
        model=made.record.model,
        dataset=made.record.dataset,
        split=named,
        total=len(rows),
        images=pc.count_distinct(rows["image_id"]).as_py(),
        rows=[row | {"path": paths.get(row["image_id"], "")} for row in first],
    )


def paths_of(evaluated: Evaluated, image_ids: Sequence[str]) -> dict[str, str]:
    """Path in its source of each of some images of the evaluation's dataset version."""
    rows = pq.read_table(
        evaluated.dataset_folder() / "manifest.parquet",
        columns=["image_id", "path"],
        filters=pc.field("image_id").isin(pa.array(sorted(set(image_ids)), pa.string())),
    )
    return dict(zip(rows["image_id"].to_pylist(), rows["path"].to_pylist(), strict=True))


def _check_picked(
    made: Evaluation, truth: str | None, predicted: str | None, split: str | None
) -> None:
    """Refuse classes that there are none of, and splits whose labels are not judged."""
    for name in (truth, predicted):
        if name is not None and name not in (*made.record.labels, NOTHING):
            raise EvaluationError(
                f"There is no class {name!r}.", do=nearest(name, [*made.record.labels, NOTHING])
            )
    if split == "train":
        raise EvaluationError(
            "Labels of train are not judged: the model has learnt from them.",
            do="Train on some folds and validate on another to judge them.",
        )
    splits = [s for s in made.record.images if s != "train"]
    if split is not None and split not in splits:
        raise EvaluationError(f"The split {split!r} was not evaluated.", do=nearest(split, splits))


def _label_errors(
    rows: pa.Table, truth: str | None, predicted: str | None, split: str | None
) -> pa.Table:
    for column, name in (("given", truth), ("suggested", predicted), ("split", split)):
        if name is not None:
            wanted = pc.is_null(rows[column]) if name == NOTHING else pc.equal(rows[column], name)
            rows = rows.filter(pc.fill_null(wanted, False))
    return rows


def answers_on(evaluated: Evaluated, image_ids: Sequence[str]) -> list[dict[str, Any]]:
    """What a model says of some evaluated images, in their order.

    Returns:
        For each image_id, path, correct (by the labels), and what the model says and gets wrong,
        in words.
    """
    made = evaluated.evaluation
    wanted = pa.array(list(image_ids), pa.string())
    found: dict[str, list[dict[str, Any]]] = {i: [] for i in image_ids}
    for row in made.matches.filter(pc.is_in(made.matches["image_id"], wanted)).to_pylist():
        found[row["image_id"]].append(row)
    of_image = made.per_image.filter(pc.is_in(made.per_image["image_id"], wanted))
    correct = dict(
        zip(of_image["image_id"].to_pylist(), of_image["correct"].to_pylist(), strict=True)
    )
    paths = paths_of(evaluated, image_ids)
    return [
        {
            "image_id": i,
            "path": paths.get(i, ""),
            "correct": correct[i],
            "says": _says(found[i]),
            "mistakes": mistakes_in_words(found[i]),
        }
        for i in image_ids
    ]


def _says(rows: Sequence[Mapping[str, Any]]) -> str:
    said = Counter(row["predicted"] for row in rows if row["predicted"] is not None)
    return ", ".join(f"{n} {label}" for label, n in sorted(said.items())) or "nothing"
