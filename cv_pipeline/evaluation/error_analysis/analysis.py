"""The error analysis of one evaluation, as a content-hashed folder.

It holds the labels that are likely to be wrong, how much of the activation lies on the objects, and
charts. Its digest covers the tables and the evaluation that they are of; the charts, which are made
from those, it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.catalog.schemas.activations import ACTIVATIONS
from cv_pipeline.catalog.schemas.label_errors import LABEL_ERRORS
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.detection.error_kinds import CORRECT, KINDS
from cv_pipeline.evaluation.error_analysis.activation import ACTIVATION_SLICES
from cv_pipeline.evaluation.error_analysis.charts import (
    confusion_chart,
    correctness_chart,
    curve_chart,
    errors_chart,
    reliability_chart,
)
from cv_pipeline.evaluation.error_analysis.label_errors import (
    classification_label_errors,
    detection_label_errors,
)
from cv_pipeline.evaluation.evaluation import Evaluation

MARKER = "error_analysis.json"
SCHEMA_ID = "error_analysis/1"

_TABLES = {
    "label_errors": LABEL_ERRORS,
    "activations": ACTIVATIONS,
    "activation_slices": ACTIVATION_SLICES,
}


class ErrorAnalysisRecord(BaseModel):
    """What ``error_analysis.json`` says.

    Attributes:
        schema_id: version of this layout.
        digest: SHA-256 over the tables and the evaluation.
        evaluation: digest of the evaluation.
        split: the split that it is of.
        label_errors: issue to how many labels likely have it, on all splits but train.
        charts: names of the pictures.
        notes: sentences on what could not be made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_id: Literal["error_analysis/1"]
    digest: str
    evaluation: str
    split: str
    label_errors: dict[str, int]
    charts: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ErrorAnalysis:
    """An error analysis folder.

    Attributes:
        folder: where it lies.
        record: what ``error_analysis.json`` says.
        label_errors: schema LABEL_ERRORS, the likeliest first.
        activations: schema ACTIVATIONS; empty where no maps were made.
        activation_slices: schema ACTIVATION_SLICES.
    """

    folder: Path
    record: ErrorAnalysisRecord
    label_errors: pa.Table
    activations: pa.Table
    activation_slices: pa.Table

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return self.record.digest


def likely_label_errors(evaluation: Evaluation, predictions: pa.Table) -> pa.Table:
    """Labels of an evaluation that are likely to be wrong: schema LABEL_ERRORS.

    Args:
        evaluation: the evaluation.
        predictions: schema PREDICTIONS, that it is of.
    """
    if evaluation.record.task == "detection":
        return detection_label_errors(evaluation.matches)
    return classification_label_errors(
        evaluation.per_image, predictions, labels=evaluation.record.labels
    )


def analyse_errors(
    evaluation: Evaluation,
    predictions: pa.Table,
    *,
    activations: pa.Table,
    activation_slices: pa.Table,
    notes: tuple[str, ...],
    folder: Path,
) -> ErrorAnalysis:
    """Analyse the errors of an evaluation, and draw them.

    Args:
        evaluation: the evaluation.
        predictions: schema PREDICTIONS, that it is of.
        activations: schema ACTIVATIONS; empty where no maps were made.
        activation_slices: schema ACTIVATION_SLICES, of those.
        notes: sentences on what could not be made.
        folder: where to write; made if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "label_errors": likely_label_errors(evaluation, predictions),
        "activations": activations,
        "activation_slices": activation_slices,
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    charts = draw(evaluation)
    for name, png in charts.items():
        (folder / name).write_bytes(png)
    issues = tables["label_errors"]["issue"].value_counts().to_pylist()
    record = ErrorAnalysisRecord(
        schema_id=SCHEMA_ID,
        digest=_digest(tables, evaluation.digest),
        evaluation=evaluation.digest,
        split=evaluation.record.split,
        label_errors={row["values"]: row["counts"] for row in issues},
        charts=tuple(charts),
        notes=notes,
    )
    (folder / MARKER).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return ErrorAnalysis(folder=folder, record=record, **tables)


def load_error_analysis(folder: Path) -> ErrorAnalysis:
    """Read an error analysis folder, verifying its digest.

    Raises:
        EvaluationError: a file is missing or unreadable, or the content is not what the digest
            says.
    """
    again = "Analyse again: cvp run PROJECT --select error_analysis"
    try:
        record = ErrorAnalysisRecord.model_validate_json((folder / MARKER).read_bytes())
        tables = {
            name: pq.read_table(folder / f"{name}.parquet").select(schema.names).cast(schema)
            for name, schema in _TABLES.items()
        }
    except (OSError, KeyError, ValueError, ValidationError, pa.ArrowException) as error:
        raise EvaluationError(f"{folder} is not an error analysis: {error}.", do=again) from error
    if _digest(tables, record.evaluation) != record.digest:
        raise EvaluationError(f"{folder} was changed after it was written.", do=again)
    return ErrorAnalysis(folder=folder, record=record, **tables)


def draw(evaluation: Evaluation) -> dict[str, bytes]:
    """File name to PNG of every chart of an evaluation's headline split."""
    record = evaluation.record
    charts = {
        "confusion.png": confusion_chart(
            evaluation.confusion, split=record.split, labels=record.labels
        ),
        "correctness.png": correctness_chart(evaluation.matches, split=record.split),
    }
    errors = error_counts(evaluation)
    if errors:
        charts["errors.png"] = errors_chart(errors, split=record.split)
    if record.task == "detection":
        charts["precision_recall.png"] = curve_chart(
            evaluation.curves, split=record.split, labels=record.labels
        )
    known = record.calibration
    if known is not None:
        charts["reliability.png"] = reliability_chart(
            [
                (b.confidence, b.accuracy, b.count)
                for b in known.as_predicted.reliability
                if b.confidence is not None and b.accuracy is not None
            ],
            of=known.of,
            split=known.split,
        )
    return charts


def error_counts(evaluation: Evaluation) -> Mapping[str, tuple[int, float | None]]:
    """Kind of error to its count and cost on the headline split, in the order of KINDS."""
    tallies = evaluation.record.errors
    return {
        kind: (tally.count, tally.cost)
        for kind in KINDS
        if kind != CORRECT and (tally := tallies.get(kind)) and tally.count is not None
    }


def _digest(tables: Mapping[str, pa.Table], evaluation: str) -> str:
    return combined_digest(
        SCHEMA_ID,
        evaluation,
        *(
            table_digest(tables[name], schema_id=f"{SCHEMA_ID}/{name}", sort_by=_TABLES[name].names)
            for name in sorted(_TABLES)
        ),
    )
