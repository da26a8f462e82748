"""Prediction: one pass of a model over some splits of a dataset version.

The predictions folder holds ``predictions.parquet`` (schema PREDICTIONS) and, written last,
``predictions.json``; its digest is over the model, the dataset version, the splits, the images
that were left out because they were taken out, and the rows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.datasets.record import MANIFEST_FILE, ROWS_IN_GROUP
from cv_pipeline.datasets.training_sample import outside_sample
from cv_pipeline.errors import TrainingError
from cv_pipeline.storage import Blobs, open_store
from cv_pipeline.training.augmentation import split_batches
from cv_pipeline.training.device import prepare
from cv_pipeline.training.examples import Examples, read_examples
from cv_pipeline.training.framing import Frames, whole_frames
from cv_pipeline.training.loaders import Loader, open_loader
from cv_pipeline.training.model_folder import WEIGHTS_FILE, ModelCard, read_model_card
from cv_pipeline.training.models import build_model
from cv_pipeline.training.predictions_folder import (
    PREDICTIONS_FILE,
    SUMMARY_FILE,
    PredictionsSummary,
    predictions_digest,
)
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.scratch import scratch
from cv_pipeline.training.spec import PredictionReport, PredictionSpec
from cv_pipeline.training.speed import measure_latency
from cv_pipeline.training.staging import stage
from cv_pipeline.training.tasks import TaskLogic, task_logic
from cv_pipeline.training.weights import load_weights


def predict(spec: PredictionSpec, *, progress: Progress) -> PredictionReport:
    """Predict every image of the splits and write the predictions folder.

    Raises:
        TrainingError: the model does not fit the project, or an image cannot be used.
    """
    start = time.perf_counter()
    card = read_model_card(spec.model)
    if card.digest != spec.model_digest or card.task != spec.task:
        raise TrainingError(
            f"{spec.model} holds the {card.task} model {card.digest[:12]}, not the {spec.task}"
            f" model {spec.model_digest[:12]} that was asked for.",
            do="Name a model of this project.",
        )
    device = prepare(seed=card.seed)
    examples = _examples(spec, card).without(spec.taken_out)
    with scratch(spec.out) as (work, folder):
        blobs = Blobs(open_store(spec.store_url))
        images = stage(examples, blobs=blobs, path=work / "images", progress=progress)
        loader = open_loader(
            images, training=card.training, normalisation=card.normalisation, device=device
        )
        model = load_model(card, spec.model, device=device)
        logic = task_logic(card.task, examples=examples, labels=card.labels)
        frames = whole_frames(examples.sizes, input_size=card.training.input_size)
        began = time.perf_counter()
        rows = predict_rows(
            model,
            logic,
            loader,
            frames,
            batch_size=card.training.batch_size,
            progress=progress,
        )
        passed = time.perf_counter() - began
        latency = measure_latency(model, logic, loader, frames)
        digest = predictions_digest(
            rows,
            model=spec.model_digest,
            dataset=spec.dataset_digest,
            splits=spec.splits,
            taken_out=sorted(spec.taken_out),
            train_images=spec.train_images,
        )
        _write(folder, rows, examples, spec, digest)
    return PredictionReport(
        digest=digest,
        rows=len(rows),
        images=len(examples),
        seconds=time.perf_counter() - start,
        images_per_second=len(examples) / passed if len(examples) else None,
        latency=latency,
    )


def _examples(spec: PredictionSpec, card: ModelCard) -> Examples:
    splits = (*spec.splits, "train") if spec.train_images else spec.splits
    examples = read_examples(spec.dataset, splits=splits, task=card.task, labels=card.labels)
    if not spec.train_images:
        return examples
    manifest = pq.read_table(spec.dataset / MANIFEST_FILE, columns=["image_id", "split"])
    return examples.without(outside_sample(manifest, spec.train_images).to_pylist())


def load_model(card: ModelCard, folder: Path, *, device: torch.device) -> nn.Module:
    """Build a model by its card and load its weights, ready for prediction."""
    training = card.training
    model = build_model(
        training.model, task=card.task, labels=card.labels, input_size=training.input_size
    )
    load_weights(model, folder / WEIGHTS_FILE, meaning=card.meaning, digest=card.digest)
    return model.to(device).eval()


def predict_rows(
    model: nn.Module,
    logic: TaskLogic,
    loader: Loader,
    frames: Frames,
    *,
    batch_size: int,
    progress: Progress,
) -> pa.Table:
    """Predict all framed images with a model in evaluation mode: schema PREDICTIONS."""
    batches: Sequence[NDArray[np.int64]] = split_batches(
        np.arange(len(frames)), batch_size=batch_size
    )
    tables, done = [PREDICTIONS.empty_table()], 0
    with torch.inference_mode():
        for rows, images in zip(batches, loader.batches(frames, batches), strict=True):
            tables.append(logic.predict(model, images, rows, frames))
            done += len(rows)
            if progress.due():
                progress.tell(f"predicted {done} of {len(frames)} images")
    return pa.concat_tables(tables).combine_chunks()


def _write(
    folder: Path, rows: pa.Table, examples: Examples, spec: PredictionSpec, digest: str
) -> None:
    # by image, in groups small enough that those of one image are read without the others
    pq.write_table(rows, folder / PREDICTIONS_FILE, row_group_size=ROWS_IN_GROUP)
    summary = PredictionsSummary(
        digest=digest,
        model_digest=spec.model_digest,
        dataset_digest=spec.dataset_digest,
        splits=spec.splits,
        images=len(examples),
        rows=len(rows),
        taken_out=tuple(sorted(spec.taken_out)),
        train_images=spec.train_images,
    )
    text = json.dumps(summary.model_dump(mode="json"), indent=2, sort_keys=True)
    (folder / SUMMARY_FILE).write_text(f"{text}\n", encoding="utf-8")
