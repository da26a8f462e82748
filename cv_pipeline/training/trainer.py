"""Trains one model, from a dataset version to a complete model folder and an MLflow run.

The same specification gives the same weights on one machine and thread count. Nothing is at the
output folder before it is complete.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from cv_pipeline.errors import TrainingError
from cv_pipeline.storage import Blobs, open_store
from cv_pipeline.training.algorithms import ALGORITHMS, Algorithms
from cv_pipeline.training.augmentation import AUGMENTATIONS
from cv_pipeline.training.device import prepare
from cv_pipeline.training.emphasis import Emphasised, draws
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.fitted_on import evenly_spaced, fitted_on
from cv_pipeline.training.fitting import Epochs, fit
from cv_pipeline.training.framing import whole_frames
from cv_pipeline.training.hardware import hardware, peak_memory_bytes, threads
from cv_pipeline.training.loaders import Loader, open_loader
from cv_pipeline.training.model_folder import (
    ALGORITHMS_FILE,
    AUGMENTATIONS_FILE,
    CARD_FILE,
    EPOCH_RESULTS_FILE,
    EPOCHS,
    EPOCHS_FILE,
    WEIGHTS_FILE,
    ModelCard,
    Normalisation,
)
from cv_pipeline.training.models import build_model
from cv_pipeline.training.parts import part_examples
from cv_pipeline.training.preprocessing import fit_normalisation
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.scratch import scratch
from cv_pipeline.training.spec import EpochResult, TrainingReport, TrainingSpec, Value
from cv_pipeline.training.staging import StagedImages, stage
from cv_pipeline.training.tasks import task_logic
from cv_pipeline.training.tracking import Tracker
from cv_pipeline.training.validation import Validation
from cv_pipeline.training.weights import save_weights


def train(spec: TrainingSpec, *, progress: Progress) -> TrainingReport:
    """Train a model and write its folder.

    Raises:
        TrainingError: the dataset version, the configuration or MLflow does not allow it.
    """
    start = time.perf_counter()
    device = prepare(seed=spec.seed)
    model = build_model(
        spec.training.model,
        task=spec.task,
        labels=spec.labels,
        input_size=spec.training.input_size,
    )
    examples, held_out = _examples(spec, "train"), _examples(spec, "val")
    if not len(examples):
        raise TrainingError(
            f"The dataset version {spec.dataset_digest[:12]} has no labelled image to train on.",
            do="Change dataset.query or dataset.split in project.yaml.",
        )
    held_out = held_out.take(evenly_spaced(len(held_out), spec.training.validation_images))
    progress.tell(
        f"training {spec.training.model} on {device.type}, {threads()} threads:"
        f" {len(examples)} images, validating on {len(held_out)}"
    )
    machine = hardware(device=device.type)
    drawn, emphasised = np.arange(len(examples)), None
    if spec.emphasis is not None:
        drawn, emphasised = draws(examples.image_ids, spec.emphasis)
        progress.tell(
            f"{emphasised.images} images are drawn {emphasised.weight} times an epoch:"
            f" {len(drawn)} draws"
        )
    parameters = _parameters(
        spec, images=len(examples), validation_images=len(held_out), emphasised=emphasised
    )
    draw = examples.take(drawn)
    logic = task_logic(spec.task, examples=draw, labels=spec.labels)
    with (
        Tracker(spec, parameters={**parameters, **machine}, metric=logic.metric) as tracker,
        scratch(spec.out) as (work, folder),
    ):
        source = _Source(spec, work=work, device=device, progress=progress)
        images = source.stage(examples, "train")
        normalisation = fit_normalisation(
            lambda raw: source.loader(images, raw),
            whole_frames(examples.sizes, input_size=spec.training.input_size),
            batch_size=spec.training.batch_size,
        )
        validation = source.validation(held_out, normalisation) if len(held_out) else None
        with (
            pq.ParquetWriter(folder / AUGMENTATIONS_FILE, AUGMENTATIONS) as augmentations,
            _algorithms(spec, draw, folder) as algorithms,
        ):
            train_loader = source.loader(images, normalisation)
            if algorithms is not None and algorithms.wants_donors:
                algorithms.cut_donors(examples, train_loader, input_size=spec.training.input_size)
            epochs = fit(
                model,
                logic,
                Epochs(
                    draw,
                    source.loader(images.take(drawn), normalisation),
                    training=spec.training,
                    seed=spec.seed,
                    record=augmentations.write_table,
                    algorithms=algorithms,
                ),
                training=spec.training,
                device=device,
                validate=validation,
                on_epoch=tracker.epoch,
                progress=progress,
            )
        unsigned = ModelCard(
            digest="",
            project=spec.project,
            task=spec.task,
            labels=spec.labels,
            training=spec.training,
            seed=spec.seed,
            dataset_digest=spec.dataset_digest,
            train_images=len(examples),
            validation_images=len(held_out),
            normalisation=normalisation,
            normalised_on=fitted_on(examples),
            folds=spec.folds,
            emphasised=emphasised,
            weights=sum(p.numel() for p in model.parameters()),
            code_version=spec.code_version,
            hardware=machine,
        )
        if validation is not None:
            validation.write(folder / EPOCH_RESULTS_FILE)
        digest = save_weights(model, folder / WEIGHTS_FILE, meaning=unsigned.meaning)
        card = unsigned.model_copy(update={"digest": digest})
        _write_folder(folder, card, epochs)
        experiment_id, run_id = tracker.finish(model_digest=card.digest, folder=folder)
    progress.tell(f"model {card.digest[:12]} of {card.weights:,} weights is complete")
    return TrainingReport(
        model_digest=card.digest,
        metrics=_final_metrics(epochs[-1], logic.metric),
        epochs=epochs,
        parameters=parameters,
        hardware=machine,
        seconds=time.perf_counter() - start,
        training_seconds=sum(e.seconds for e in epochs),
        peak_memory_bytes=peak_memory_bytes(),
        mlflow_experiment_id=experiment_id,
        mlflow_run_id=run_id,
    )


@contextmanager
def _algorithms(spec: TrainingSpec, draw: Examples, folder: Path) -> Iterator[Algorithms | None]:
    """The augmentation algorithms of a training, and the file of what they draw; mostly none."""
    names = spec.training.augmentation.algorithms
    if not names:
        yield None
        return
    with pq.ParquetWriter(folder / ALGORITHMS_FILE, ALGORITHMS) as drawn:
        yield Algorithms(
            names,
            task=spec.task,
            examples=draw,
            seed=spec.seed,
            classes=len(spec.labels),
            record=drawn.write_table,
        )


class _Source:
    """Images of the store, staged and loaded as one training needs them."""

    def __init__(
        self, spec: TrainingSpec, *, work: Path, device: torch.device, progress: Progress
    ) -> None:
        self._spec = spec
        self._work = work
        self._device = device
        self._progress = progress
        self._blobs = Blobs(open_store(spec.store_url))

    def stage(self, examples: Examples, name: str) -> StagedImages:
        return stage(examples, blobs=self._blobs, path=self._work / name, progress=self._progress)

    def loader(self, images: StagedImages, normalisation: Normalisation) -> Loader:
        return open_loader(
            images,
            training=self._spec.training,
            normalisation=normalisation,
            device=self._device,
        )

    def validation(self, examples: Examples, normalisation: Normalisation) -> Validation:
        """What measures a model on ``examples``."""
        loader = self.loader(self.stage(examples, "validation"), normalisation)
        return Validation(self._spec, examples, loader, progress=self._progress)


def _examples(spec: TrainingSpec, part: Literal["train", "val"]) -> Examples:
    return part_examples(
        part,
        dataset=spec.dataset,
        task=spec.task,
        labels=spec.labels,
        folds=spec.folds,
        taken_out=spec.taken_out,
    )


def _parameters(
    spec: TrainingSpec, *, images: int, validation_images: int, emphasised: Emphasised | None
) -> dict[str, Value]:
    """Every parameter of the training, flattened: ``augmentation.flip`` and so on."""
    chosen = spec.training.model_dump(mode="json", exclude={"seed", "validation_images"})
    return {
        "task": spec.task,
        "labels": ", ".join(spec.labels),
        "seed": spec.seed,
        **({"fold": spec.folds.validation} if spec.folds else {}),
        "train_images": images,
        "validation_images": validation_images,
        **(_flattened(emphasised.model_dump(), "emphasis.") if emphasised else {}),
        **_flattened(chosen, ""),
    }


def _flattened(values: dict[str, object], prefix: str) -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flattened(value, f"{name}.")
        else:
            flat[name] = value if isinstance(value, str | int | float) else json.dumps(value)
    return flat


def _write_folder(folder: Path, card: ModelCard, epochs: Sequence[EpochResult]) -> None:
    rows = [e.model_dump(include=set(EPOCHS.names)) for e in epochs]
    pq.write_table(pa.Table.from_pylist(rows, schema=EPOCHS), folder / EPOCHS_FILE)
    (folder / CARD_FILE).write_text(f"{card.model_dump_json(indent=2)}\n", encoding="utf-8")


def _final_metrics(last: EpochResult, metric: str) -> dict[str, float]:
    metrics = {"train_loss": last.train_loss}
    if last.validation is not None:
        metrics[f"val_{metric}"] = last.validation
    return metrics
