"""A trained model's predictions on images that are in no dataset version, in its own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.catalog.snapshot import ids_digest
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE
from cv_pipeline.project import Task
from cv_pipeline.training.predictions_folder import PREDICTIONS_FILE
from cv_pipeline.training.process import run_prediction
from cv_pipeline.training.spec import PredictionSpec

_OF_IMAGES = ("image_id", "format", "width", "height", "bands", "dtype")


@dataclass(frozen=True)
class AskModel:
    """Asks a model for its predictions.

    Attributes:
        task: what the model does.
        model: folder of the model.
        digest: of the model.
        store_url: object store that holds the images.
        work: folder to work in, which is cleared by whoever made it.
        log: takes lines of progress.
    """

    task: Task
    model: Path
    digest: str
    store_url: str
    work: Path
    log: Callable[[str], None]

    def __call__(self, images: pa.Table) -> pa.Table:
        """Schema PREDICTIONS, of rows of the table ``images``, which are not empty.

        Raises:
            TrainingError: the model does not fit the project, or an image cannot be used.
        """
        rows = images.select(list(_OF_IMAGES)).sort_by("image_id")
        columns = {name: rows[name] for name in _OF_IMAGES}
        for name in ("format", "dtype"):  # the snapshot keeps them as dictionaries
            columns[name] = rows[name].cast(pa.string())
        manifest = pa.table({**columns, "split": pa.repeat("test", len(rows))})
        folder = self.work / "unlabelled"
        folder.mkdir()
        pq.write_table(manifest, folder / MANIFEST_FILE)
        pq.write_table(ANNOTATIONS.empty_table(), folder / ANNOTATIONS_FILE)
        spec = PredictionSpec(
            task=self.task,
            model=self.model,
            model_digest=self.digest,
            dataset=folder,
            dataset_digest=ids_digest(rows["image_id"]),
            store_url=self.store_url,
            splits=("test",),
            out=self.work / "predictions",
        )
        run_prediction(spec, log=self.log)
        return pq.read_table(spec.out / PREDICTIONS_FILE).select(PREDICTIONS.names)
