"""Activation shares on a sample of labelled images, in a process of their own."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cv_pipeline.evaluation.activation_maps.explainer import Explainer
from cv_pipeline.storage import Blobs, open_store
from cv_pipeline.training.examples import read_examples
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.spec import ActivationReport, ActivationSpec


def explain_sample(spec: ActivationSpec, *, progress: Progress) -> ActivationReport:
    """Write the shares of the images that ``spec`` names: schema ACTIVATIONS.

    Raises:
        EvaluationError: the model cannot be explained.
        TrainingError: the model or an image cannot be read.
    """
    start = time.perf_counter()
    explainer = Explainer(spec.model, blobs=Blobs(open_store(spec.store_url)))
    card = explainer.card
    examples = read_examples(spec.dataset, splits=(spec.split,), task=card.task, labels=card.labels)
    wanted = pc.is_in(examples.image_ids, value_set=pa.array(spec.images, pa.string()))
    rows = explainer.shares(
        examples.take(np.flatnonzero(wanted.to_numpy(zero_copy_only=False))), progress=progress
    )
    partial = spec.out.with_name(f"{spec.out.name}.partial")
    pq.write_table(rows, partial)
    partial.replace(spec.out)
    return ActivationReport(rows=len(rows), seconds=time.perf_counter() - start)
