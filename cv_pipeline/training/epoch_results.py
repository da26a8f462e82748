"""From an epoch of a training to the validation images that got worse in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cv_pipeline.catalog.schemas.epoch_results import EPOCH_RESULTS
from cv_pipeline.errors import TrainingError
from cv_pipeline.training.model_folder import EPOCH_RESULTS_FILE, EPOCHS, EPOCHS_FILE

WORSE_IMAGES = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # its score after the epoch, 0 (worst) to 1
        pa.field("score", pa.float32(), nullable=False),
        # its score after the epoch compared with
        pa.field("score_before", pa.float32(), nullable=False),
        # score - score_before, below 0
        pa.field("change", pa.float32(), nullable=False),
        # whether there is no mistake on it after the epoch
        pa.field("correct", pa.bool_(), nullable=False),
        # predictions that match an object, more than before
        pa.field("true_positives_change", pa.int32(), nullable=False),
        # predictions that match none, more than before
        pa.field("false_positives_change", pa.int32(), nullable=False),
        # objects that no prediction matches, more than before
        pa.field("false_negatives_change", pa.int32(), nullable=False),
        # annotation ids of the objects that were found before and are not now; null for
        # classification
        pa.field("lost", pa.list_(pa.string())),
    ]
)


def read_epochs(model: Path) -> pa.Table:
    """Loss and metric of every epoch, schema EPOCHS.

    Raises:
        TrainingError: the model folder has none.
    """
    try:
        return pq.read_table(model / EPOCHS_FILE).select(EPOCHS.names)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise TrainingError(
            f"{model} has no curve of its epochs: {error}.", do="Train the model anew."
        ) from error


def worse_images(model: Path, *, epoch: int, against: int | None = None) -> pa.Table:
    """The validation images whose score fell from one epoch to another, the worst first.

    Args:
        model: the model's folder.
        epoch: the epoch after which they are worse.
        against: the epoch compared with; the one before by default.

    Returns:
        Schema WORSE_IMAGES, by change and image.

    Raises:
        TrainingError: the folder has no results by epoch, or none of one of these epochs.
    """
    against = epoch - 1 if against is None else against
    if epoch == against:
        raise TrainingError(
            f"Epoch {epoch} cannot be compared with itself.", do="Name another with --against."
        )
    now, before = _of_epoch(model, epoch), _of_epoch(model, against)
    counts = ("true_positives", "false_positives", "false_negatives")
    rows = pa.table(
        {
            "image_id": now["image_id"],
            "score": now["score"],
            "score_before": before["score"],
            "change": pc.subtract(now["score"], before["score"]),
            "correct": now["correct"],
            **{f"{name}_change": pc.subtract(now[name], before[name]) for name in counts},
            "lost": _lost(now["found"].combine_chunks(), before["found"].combine_chunks()),
        }
    ).cast(WORSE_IMAGES)
    worse = rows.filter(pc.less(rows["change"], 0))
    return worse.sort_by([("change", "ascending"), ("image_id", "ascending")])


def _lost(now: pa.ListArray, before: pa.ListArray) -> pa.Array:
    """What each list held before and does not now; an object is of one image only."""
    if before.null_count == len(before):
        return before
    ids, owner = before.flatten(), pc.list_parent_indices(before)
    gone = pc.invert(pc.is_in(ids, value_set=now.flatten()))
    ends = np.searchsorted(owner.filter(gone).to_numpy(), np.arange(len(before) + 1))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), ids.filter(gone))


def _of_epoch(model: Path, epoch: int) -> pa.Table:
    """Results of one epoch, by image."""
    try:
        rows = pq.read_table(
            model / EPOCH_RESULTS_FILE,
            columns=EPOCH_RESULTS.names,
            filters=pc.field("epoch") == epoch,
        )
    except (OSError, pa.ArrowException) as error:
        raise TrainingError(
            f"{model.name[:16]} has no results of its validation images by epoch: it had none, or"
            " was trained by older code.",
            do="Train a model anew, with a validation split.",
        ) from error
    if not len(rows):
        known = read_epochs(model)["epoch"]
        raise TrainingError(
            f"The training of {model.name[:16]} has no epoch {epoch}.",
            do=f"Name one of {pc.min(known)} to {pc.max(known)}.",
        )
    return rows.sort_by("image_id")
