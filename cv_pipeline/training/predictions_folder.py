"""What lies in a predictions folder, and the digest that names its content.

predictions.parquet     schema PREDICTIONS
predictions.json        the digest and what was predicted on what; written last
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.spec import Record

PREDICTIONS_FILE = "predictions.parquet"
SUMMARY_FILE = "predictions.json"
SCHEMA_ID = "predictions/1"


class PredictionsSummary(Record):
    """What ``predictions.json`` says.

    Attributes:
        digest: SHA-256 of the content; see :func:`predictions_digest`.
        model_digest: of the model.
        dataset_digest: of the dataset version.
        splits: splits that were predicted.
        images: images that were predicted.
        rows: predictions.
        taken_out: images of those splits that were left out, for they had been taken out; sorted.
        train_images: size of the sample of training images that was predicted besides; see
            :mod:`cv_pipeline.datasets.training_sample`.
    """

    digest: str
    model_digest: str
    dataset_digest: str
    splits: tuple[str, ...]
    images: int
    rows: int
    taken_out: tuple[str, ...] = ()
    train_images: int = 0


def predictions_digest(
    rows: pa.Table,
    *,
    model: str,
    dataset: str,
    splits: Sequence[str],
    taken_out: Sequence[str] = (),
    train_images: int = 0,
) -> str:
    """SHA-256 of predictions: of the model, the dataset version, the splits and the rows.

    Images that were left out count as well: without them the same rows mean something else.

    Args:
        rows: ``PREDICTIONS``, in any order.
        model: digest of the model.
        dataset: digest of the dataset version.
        splits: splits that were predicted.
        taken_out: images of those splits that were left out, sorted.
        train_images: size of the sample of training images.
    """
    content = table_digest(rows, schema_id=SCHEMA_ID, sort_by=["image_id", "rank"])
    sample = [f"train {train_images}"] if train_images else []
    return combined_digest(model, dataset, *splits, *taken_out, *sample, content)


def read_summary(folder: Path) -> PredictionsSummary:
    """Read ``predictions.json``.

    Raises:
        TrainingError: there is none, or it cannot be read.
    """
    try:
        return PredictionsSummary.model_validate_json((folder / SUMMARY_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise _unreadable(folder, error) from error


def verify_predictions(folder: Path) -> list[str]:
    """Hash a predictions folder again.

    Returns:
        A sentence for each thing that is not as ``predictions.json`` says; none when all is well.

    Raises:
        TrainingError: it cannot be read at all.
    """
    summary = read_summary(folder)
    try:
        rows = pq.read_table(folder / PREDICTIONS_FILE).select(PREDICTIONS.names)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise _unreadable(folder, error) from error
    problems = []
    digest = predictions_digest(
        rows,
        model=summary.model_digest,
        dataset=summary.dataset_digest,
        splits=summary.splits,
        taken_out=summary.taken_out,
        train_images=summary.train_images,
    )
    if digest != summary.digest:
        problems.append(f"Its content hashes to {digest}, not to {summary.digest}.")
    if len(rows) != summary.rows:
        problems.append(f"It has {len(rows)} predictions, not {summary.rows}.")
    return problems


def _unreadable(folder: Path, error: Exception) -> TrainingError:
    return TrainingError(f"{folder} is no predictions folder: {error}.", do="Predict again.")
