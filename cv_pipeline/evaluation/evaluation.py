"""The evaluation of one model's predictions on one dataset version, as a content-hashed folder.

The folder holds every number by slice, a row for every image, the confusion of classes, and what
the numbers mean. Its digest covers them and the digests of what was compared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.catalog.schemas.confusion import CONFUSION
from cv_pipeline.catalog.schemas.curves import CURVES
from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.slices import SLICES
from cv_pipeline.catalog.schemas.worst_slices import WORST_SLICES
from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.calibration_report import (
    CalibrationReport,
    answers_report,
    matches_report,
)
from cv_pipeline.evaluation.detection.error_kinds import KINDS
from cv_pipeline.evaluation.findings import Findings, look_into
from cv_pipeline.evaluation.predicted import Predicted, read_predicted
from cv_pipeline.evaluation.record import SCHEMA_ID, ErrorTally, EvaluationRecord
from cv_pipeline.evaluation.scoring import (
    TUNING_SPLIT,
    ScoredSplit,
    Scoring,
    score_classification,
    score_detection,
)
from cv_pipeline.evaluation.slicing.facts import Known
from cv_pipeline.evaluation.slicing.slices import (
    CONVENTIONS,
    WHOLE,
    evaluate_slices,
    headline_split,
)
from cv_pipeline.project import Project

MARKER = "evaluation.json"

_TABLES = {
    "slices": SLICES,
    "per_image": PER_IMAGE,
    "confusion": CONFUSION,
    "matches": MATCHES,
    "worst_slices": WORST_SLICES,
    "curves": CURVES,
}
_NOT_HASHED = {"digest", "library", "conventions"}
"""Of the record: how numbers came about and how they are explained, not what they are."""
_LIBRARY = {"detection": "cv-pipeline", "classification": "scikit-learn"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """An evaluation folder.

    Attributes:
        folder: where it lies.
        record: what ``evaluation.json`` says.
        slices: schema SLICES, by split, class (all first), key, value and metric.
        per_image: schema PER_IMAGE, by split, score (worst first) and image.
        confusion: schema CONFUSION, by split and class.
        matches: schema MATCHES, by split, image and rank (missed objects last).
        worst_slices: schema WORST_SLICES of the headline split, the worst first.
        curves: schema CURVES, by split, class (all first) and descending score.
    """

    folder: Path
    record: EvaluationRecord
    slices: pa.Table
    per_image: pa.Table
    confusion: pa.Table
    matches: pa.Table
    worst_slices: pa.Table
    curves: pa.Table

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return self.record.digest

    @property
    def metrics(self) -> dict[str, float]:
        """Metric to value; see :class:`EvaluationRecord`."""
        return self.record.metrics


def evaluate(
    *,
    project: Project,
    dataset: Path,
    predictions: Path,
    metadata: pa.Table,
    folder: Path,
    known: Known | None = None,
) -> Evaluation:
    """Evaluate predictions on the splits of a dataset version that were predicted.

    The test split gives the headline metrics; where it has no ground truth, val does, or else
    train, and a note says so.

    Args:
        project: classes, task, metric and slices.
        dataset: folder of the dataset version.
        predictions: folder of the predictions on that very version.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        folder: where to write; made if absent.
        known: what else is known of the images, to look for bad slices by.

    Raises:
        EvaluationError: the folders are incomplete or do not belong together, the predictions are
            not valid, or no predicted split has ground truth.
    """
    source = read_predicted(dataset=dataset, predictions=predictions)
    score = score_detection if project.task == "detection" else score_classification
    scoring = score(
        images=source.images,
        annotations=source.annotations,
        predictions=source.predictions,
        labels=project.ontology.labels,
        splits=source.splits,
    )
    known = known or Known()
    slices = _slices(scoring.splits, project, metadata, known)
    split = headline_split(slices)
    if split is None:
        raise EvaluationError(
            f"None of the predicted splits ({', '.join(source.splits) or 'none'}) has ground"
            " truth, so there is nothing to compare the predictions with.",
            do="Label some images of the test split, or predict a split that has labels.",
        )
    findings = look_into(
        scoring,
        split,
        project=project,
        source=source,
        metadata=metadata,
        known=known,
        slices=slices,
    )
    tables = {
        "slices": slices,
        "per_image": _per_image(scoring.splits),
        "confusion": _confusion(scoring.splits),
        "matches": _matches(scoring.splits),
        "worst_slices": findings.worst_slices,
        "curves": _curves(scoring.splits),
    }
    record = _record(project, source, scoring, tables, split, metadata, findings)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / MARKER).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return Evaluation(folder=folder, record=record, **tables)


def load_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation folder, verifying its digest.

    Raises:
        EvaluationError: a file is missing or unreadable, or the content is not what the digest
            says.
    """
    again = "Evaluate again: cvp run PROJECT --select eval_slices"
    _refuse_older(folder, do=again)
    try:
        record = EvaluationRecord.model_validate_json((folder / MARKER).read_bytes())
        tables = {name: pq.read_table(folder / f"{name}.parquet") for name in _TABLES}
    except (OSError, ValidationError, pa.ArrowException) as error:
        raise EvaluationError(f"{folder} is not an evaluation: {error}.", do=again) from error
    for name, schema in _TABLES.items():
        if not tables[name].schema.equals(schema):
            raise EvaluationError(
                f"{folder / name}.parquet has other columns than this version writes.", do=again
            )
    digest = _digest(tables, record)
    if digest != record.digest:
        raise EvaluationError(
            f"{folder} was changed after it was written: its content has the digest {digest[:16]},"
            f" not {record.digest[:16]}.",
            do=again,
        )
    return Evaluation(folder=folder, record=record, **tables)


def _refuse_older(folder: Path, *, do: str) -> None:
    """Say so when an earlier release wrote the folder."""
    with suppress(OSError, ValueError):
        written = json.loads((folder / MARKER).read_bytes()).get("schema_id")
        if written != SCHEMA_ID:
            raise EvaluationError(
                f"{folder} is an evaluation of the layout {written}, which an earlier release"
                f" wrote; this one reads {SCHEMA_ID}.",
                do=do,
            )


def _slices(
    splits: Sequence[ScoredSplit], project: Project, metadata: pa.Table, known: Known
) -> pa.Table:
    parts = [
        evaluate_slices(
            s.scorer,
            split=s.name,
            image_ids=s.image_ids,
            metadata=metadata,
            keys=project.evaluation.slices,
            min_slice=project.evaluation.min_slice,
            labels=project.ontology.labels,
            declared=known.declared,
        )
        for s in splits
    ]
    return pa.concat_tables([SLICES.empty_table(), *parts])


def _per_image(splits: Sequence[ScoredSplit]) -> pa.Table:
    parts = [
        s.scorer.per_image()
        .append_column("image_id", s.image_ids)
        .append_column("split", pa.repeat(s.name, len(s.image_ids)))
        .select(PER_IMAGE.names)
        .cast(PER_IMAGE)
        for s in splits
    ]
    return pa.concat_tables(parts).sort_by(
        [("split", "ascending"), ("score", "ascending"), ("image_id", "ascending")]
    )


def _matches(splits: Sequence[ScoredSplit]) -> pa.Table:
    parts = []
    for s in splits:
        rows = s.scorer.matches()
        parts.append(
            rows.append_column("image_id", s.image_ids.take(rows["image"]))
            .append_column("split", pa.repeat(s.name, len(rows)))
            .select(MATCHES.names)
            .cast(MATCHES)
        )
    return pa.concat_tables(parts)


def _curves(splits: Sequence[ScoredSplit]) -> pa.Table:
    drawn = [(s.name, s.scorer.curves()) for s in splits]
    return pa.concat_tables(
        table.append_column("split", pa.repeat(name, len(table))).select(CURVES.names).cast(CURVES)
        for name, table in drawn
    )


def _confusion(splits: Sequence[ScoredSplit]) -> pa.Table:
    counted = [(s.name, s.scorer.confusion()) for s in splits]
    return pa.concat_tables(
        table.append_column("split", pa.repeat(name, len(table)))
        .select(CONFUSION.names)
        .cast(CONFUSION)
        for name, table in counted
    )


def _record(
    project: Project,
    source: Predicted,
    scoring: Scoring,
    tables: dict[str, pa.Table],
    split: str,
    metadata: pa.Table,
    findings: Findings,
) -> EvaluationRecord:
    slices = tables["slices"]
    whole = slices.filter(
        pc.and_(pc.equal(slices["slice_key"], WHOLE), pc.is_null(slices["label"]))
    ).to_pylist()
    headline = next(s for s in scoring.splits if s.name == split)
    scorer = headline.scorer
    measured = scorer.whole()
    intervals = scorer.intervals()
    calibration = _calibration(scoring, headline, tables["matches"])
    undigested = EvaluationRecord(
        schema_id=SCHEMA_ID,
        digest="",
        task=project.task,
        metric=project.metric,
        split=split,
        metrics={
            row["metric"] if row["split"] == split else f"{row['split']}/{row['metric']}": value
            for row in whole
            if (value := row["value"]) is not None
        }
        | measured.overall
        | ({"ece": calibration.as_predicted.ece.value} if calibration else {}),
        classes=measured.classes,
        class_intervals=scorer.class_intervals(),
        intervals=({"ece": calibration.as_predicted.ece} if calibration else {}) | intervals,
        calibration=calibration,
        errors=_errors(tables["matches"], split, scorer.error_costs()),
        operating_point=scoring.operating_point,
        images={row["split"]: row["images"] for row in whole},
        objects={row["split"]: row["objects"] for row in whole},
        dataset=source.dataset,
        predictions=source.digest,
        model=source.model,
        labels=project.ontology.labels,
        min_slice=project.evaluation.min_slice,
        gap=findings.gap,
        suspicions=findings.suspicions,
        conventions=scoring.conventions | CONVENTIONS,
        notes=(
            *scoring.notes,
            *_notes(project, source, slices, split, metadata),
            *findings.left_out,
        ),
        library=f"{_LIBRARY[project.task]} {version(_LIBRARY[project.task])}",
    )
    # as it is read again, where a whole number is written as one
    read = EvaluationRecord.model_validate_json(undigested.model_dump_json())
    return read.model_copy(update={"digest": _digest(tables, read)})


def _calibration(
    scoring: Scoring, headline: ScoredSplit, matches: pa.Table
) -> CalibrationReport | None:
    if headline.name in scoring.answers:
        return answers_report(
            scoring.answers[headline.name],
            split=headline.name,
            tuning=scoring.answers.get(TUNING_SPLIT),
        )
    return matches_report(matches, split=headline.name, image_ids=headline.image_ids)


def _errors(matches: pa.Table, split: str, costs: dict[str, float]) -> dict[str, ErrorTally]:
    kinds = matches.filter(pc.equal(matches["split"], split))["kind"].value_counts().to_pylist()
    counts = {row["values"]: row["counts"] for row in kinds}
    return {
        kind: ErrorTally(
            # The special kinds of TIDE, all false positives and negatives, are sums of others.
            count=counts.get(kind, 0) if kind in KINDS else None,
            cost=costs.get(kind),
        )
        for kind in dict.fromkeys([*KINDS, *costs])
        if kind in counts or kind in costs
    }


def _digest(tables: dict[str, pa.Table], record: EvaluationRecord) -> str:
    """SHA-256 over the tables and all that the record says of them."""
    return combined_digest(
        SCHEMA_ID,
        record.model_dump_json(exclude=_NOT_HASHED),
        *(
            table_digest(tables[name], schema_id=f"{SCHEMA_ID}/{name}", sort_by=_TABLES[name].names)
            for name in sorted(_TABLES)
        ),
    )


def _notes(
    project: Project, source: Predicted, slices: pa.Table, split: str, metadata: pa.Table
) -> list[str]:
    """What a reader of the numbers should know about these inputs."""
    notes = []
    if split != "test":
        notes.append(f"The test split has no ground truth; the headline metrics are of {split}.")
    if source.taken_out:
        notes.append(
            f"Without {source.taken_out} images of the dataset version that were taken out."
        )
    if len(source.predictions) == 0:
        notes.append("There are no predictions at all.")
    of_split = pc.and_(pc.equal(slices["split"], split), pc.equal(slices["slice_key"], WHOLE))
    present = set(slices.filter(of_split)["label"].to_pylist())
    absent = [label for label in project.ontology.labels if label not in present]
    if absent:
        notes.append(
            f"Without ground truth in {split}, and so left out of the means: {', '.join(absent)}."
        )
    known = metadata["key"].unique().to_pylist()
    notes += [
        f"No image has the metadata key {key!r} of evaluation.slices. {nearest(key, known)}"
        for key in project.evaluation.slices
        if key not in known
    ]
    return notes
