"""The validation after each epoch: one pass, one metric, and what it gave for every image.

The images are few and always the same, so that epochs can be compared image by image. Detections
count from the score at which F1 is best in that epoch, for early models are sure of nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from torch import nn

from cv_pipeline.catalog.schemas.epoch_results import EPOCH_RESULTS
from cv_pipeline.evaluation.classification.scorer import ClassificationScorer
from cv_pipeline.evaluation.detection.scorer import DEFAULT_SCORE, DetectionScorer
from cv_pipeline.evaluation.inputs import classification_inputs, detection_inputs
from cv_pipeline.evaluation.measure import Scorer
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.framing import whole_frames
from cv_pipeline.training.loaders import Loader
from cv_pipeline.training.prediction import predict_rows
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.spec import TrainingSpec
from cv_pipeline.training.tasks import task_logic


class Validation:
    """Measures a model after each epoch, and keeps the results of each image.

    Args:
        spec: task, classes, input size and batch size.
        examples: the images.
        loader: loads them.
        progress: takes a line every few seconds.
    """

    def __init__(
        self, spec: TrainingSpec, examples: Examples, loader: Loader, *, progress: Progress
    ) -> None:
        self._spec = spec
        self._examples = examples
        self._loader = loader
        self._logic = task_logic(spec.task, examples=examples, labels=spec.labels)
        self._frames = whole_frames(examples.sizes, input_size=spec.training.input_size)
        self._progress = progress
        self._epochs: list[pa.Table] = []

    def __call__(self, model: nn.Module) -> float:
        """AP50 or accuracy of a model in evaluation mode, after one more epoch."""
        rows = predict_rows(
            model,
            self._logic,
            self._loader,
            self._frames,
            batch_size=self._spec.training.batch_size,
            progress=self._progress,
        )
        scorer, operating_point = self._scorer(rows)
        self._epochs.append(self._results(scorer, operating_point))
        whole = scorer.measure(np.arange(len(self._examples)))
        values = {m.metric: m.value for m in whole if m.label is None}
        return values.get(self._logic.metric) or 0.0

    def write(self, path: Path) -> None:
        """Write the results of all epochs, schema EPOCH_RESULTS, by epoch and image.

        A row takes a few bytes: an id is written once, and small numbers are packed into bits.
        """
        rows = pa.concat_tables([EPOCH_RESULTS.empty_table(), *self._epochs])
        pq.write_table(rows.combine_chunks(), path, compression="zstd")

    def _scorer(self, rows: pa.Table) -> tuple[Scorer, float | None]:
        images = pa.table({"image_id": self._examples.image_ids})
        tables = {"annotations": self._examples.annotations, "predictions": rows}
        labels = self._spec.labels
        if self._spec.task == "classification":
            answers, _ = classification_inputs(images=images, **tables, labels=labels)
            return ClassificationScorer(answers, labels=labels), None
        truth, detections = detection_inputs(images=images, **tables, labels=labels)
        scorer = DetectionScorer(truth, detections, images=len(images), labels=labels)
        best = scorer.best_score()
        score = DEFAULT_SCORE if best is None else best
        return scorer.at(score), score

    def _results(self, scorer: Scorer, operating_point: float | None) -> pa.Table:
        per_image, count = scorer.per_image(), len(self._examples)
        score = per_image["score"].cast(pa.float64())
        listed = pc.greater(score, 0)
        columns = {
            **{name: per_image[name] for name in per_image.column_names},
            "epoch": pa.repeat(len(self._epochs) + 1, count),
            "image_id": self._examples.image_ids,
            "found": self._found(scorer)
            if self._spec.task == "detection"
            else pa.nulls(count, pa.list_(pa.string())),
            "operating_point": pa.array([operating_point] * count, pa.float32()),
            "loss": pc.if_else(listed, pc.negate(pc.ln(score)), None)
            if self._spec.task == "classification"
            else pa.nulls(count, pa.float32()),
        }
        return pa.table(
            {f.name: columns[f.name].cast(f.type, safe=False) for f in EPOCH_RESULTS},
            schema=EPOCH_RESULTS,
        )

    def _found(self, scorer: Scorer) -> pa.ListArray:
        """Annotation ids of the objects that were found, by image."""
        rows = scorer.matches()
        right = rows.filter(pc.equal(rows["kind"], "correct"))
        order = [("image", "ascending"), ("annotation_id", "ascending")]
        right = right.sort_by(order).combine_chunks()
        ends = np.searchsorted(right["image"].to_numpy(), np.arange(len(self._examples) + 1))
        ids = right["annotation_id"].combine_chunks()
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), ids)
