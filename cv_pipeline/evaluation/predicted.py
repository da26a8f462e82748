"""A dataset version and the predictions that were made on it, read together.

Refuses a pair that does not belong together, since its metrics would look like any others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from cv_pipeline.datasets.training_sample import outside_sample
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.errors import EvaluationError
from cv_pipeline.project import SplitName


@dataclass(frozen=True, eq=False)
class Predicted:
    """What an evaluation reads.

    Attributes:
        dataset: digest of the dataset version.
        images: the manifest: columns image_id, split, width, height and others; without the images
            that were taken out before the prediction.
        annotations: schema ANNOTATIONS, of those images.
        taken_out: how many images were.
        digest: digest of the predictions.
        model: digest of the model.
        splits: splits that were predicted: an image of theirs without rows has no prediction. Of
            train, images and annotations hold the sample that was predicted.
        predictions: schema PREDICTIONS.
        verdicts: what the checks said of the dataset version.
    """

    dataset: str
    images: pa.Table
    annotations: pa.Table
    taken_out: int
    digest: str
    model: str
    splits: tuple[str, ...]
    predictions: pa.Table
    verdicts: tuple[Verdict, ...]


class _DatasetHeader(BaseModel):
    """The part of ``dataset.json`` that matters here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: str
    verdicts: tuple[Verdict, ...] = ()


class _PredictionsHeader(BaseModel):
    """The part of ``predictions.json`` that matters here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: str
    dataset_digest: str
    model_digest: str
    splits: tuple[SplitName, ...]
    taken_out: tuple[str, ...] = ()
    train_images: int = 0


_Header = TypeVar("_Header", bound=BaseModel)


def read_predicted(*, dataset: Path, predictions: Path) -> Predicted:
    """Read the folders of a dataset version and of the predictions on it.

    Raises:
        EvaluationError: a file is missing or unreadable, the predictions were made on another
            dataset version, or there are some on images of a split that they do not name.
    """
    version = _header(dataset / "dataset.json", _DatasetHeader)
    made = _header(predictions / "predictions.json", _PredictionsHeader)
    if made.dataset_digest != version.digest:
        raise EvaluationError(
            f"The predictions {made.digest[:16]} were made on the dataset version"
            f" {made.dataset_digest[:16]}, not on {version.digest[:16]}.",
            do="Predict this dataset version first.",
        )
    manifest = _table(dataset / "manifest.parquet")
    gone = pa.array(made.taken_out, pa.string())
    splits, taken_out = tuple(made.splits), len(gone)
    if made.train_images:
        splits = (*splits, "train")
        outside = outside_sample(manifest, made.train_images)
        taken_out -= int(pc.sum(pc.is_in(gone, value_set=outside)).as_py() or 0)
        gone = pa.concat_arrays([gone, outside.cast(pa.string())])
    out = Predicted(
        dataset=version.digest,
        images=_without(manifest, gone),
        annotations=_without(_table(dataset / "annotations.parquet"), gone),
        taken_out=taken_out,
        digest=made.digest,
        model=made.model_digest,
        splits=splits,
        predictions=_table(predictions / "predictions.parquet"),
        verdicts=version.verdicts,
    )
    named = out.images.filter(
        pc.is_in(out.images["split"], value_set=pa.array(out.splits, pa.string()))
    )
    elsewhere = pc.and_(
        pc.is_in(out.predictions["image_id"], value_set=out.images["image_id"].combine_chunks()),
        pc.invert(
            pc.is_in(out.predictions["image_id"], value_set=named["image_id"].combine_chunks())
        ),
    )
    if pc.any(elsewhere).as_py():
        raise EvaluationError(
            f"{pc.sum(elsewhere).as_py()} of {len(elsewhere)} predictions are on images outside the"
            f" predicted splits ({', '.join(out.splits)}).",
            do="Predict again, naming every split.",
        )
    return out


def _without(rows: pa.Table, image_ids: pa.Array) -> pa.Table:
    if len(image_ids) == 0:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["image_id"], value_set=image_ids)))


def _header(path: Path, model: type[_Header]) -> _Header:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvaluationError(
            f"{path} cannot be read: {error}.", do="Fetch or make that folder again."
        ) from error


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(
            f"{path} cannot be read: {error}.", do="Fetch or make that folder again."
        ) from error
