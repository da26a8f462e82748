"""Fits a model with Lightning: AdamW, one-cycle learning rate, a validation after each epoch.

Order and augmentation of an epoch come from the seed and the epoch alone, so a training that is
killed and started anew ends in the same weights.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn

from cv_pipeline.errors import TrainingError
from cv_pipeline.project import Training
from cv_pipeline.training.algorithms import Algorithms, Target
from cv_pipeline.training.augmentation import draw_batches, draw_parameters
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.framing import Frames, augmented_frames
from cv_pipeline.training.loaders import Loader
from cv_pipeline.training.progress import Progress, duration
from cv_pipeline.training.spec import EpochResult
from cv_pipeline.training.tasks import TaskLogic


@dataclass(frozen=True)
class Batch:
    """One step's images: ``images`` (batch, 3, height, width) are ``rows`` of the examples."""

    images: torch.Tensor
    rows: NDArray[np.int64]
    frames: Frames
    targets: Sequence[Target] | None = None
    """What is on them, where algorithms changed it."""


class Epochs:
    """The batches of one epoch after another, each newly shuffled and augmented.

    Args:
        examples: the training images.
        loader: loads them.
        training: batch size, input size and augmentation.
        seed: seed of the training.
        record: takes the parameters of each epoch, schema AUGMENTATIONS.
        algorithms: what else is done to the images; None for nothing.
    """

    def __init__(
        self,
        examples: Examples,
        loader: Loader,
        *,
        training: Training,
        seed: int,
        record: Callable[[pa.Table], None],
        algorithms: Algorithms | None = None,
    ) -> None:
        self._algorithms = algorithms
        self._examples = examples
        self._loader = loader
        self._training = training
        self._seed = seed
        self._record = record
        self._epoch = 0

    def __len__(self) -> int:
        """Steps of an epoch."""
        return -(-len(self._examples) // self._training.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the next epoch."""
        self._epoch += 1
        training, n = self._training, len(self._examples)
        parameters = draw_parameters(
            self._examples.image_ids,
            augmentation=training.augmentation,
            seed=self._seed,
            epoch=self._epoch,
        )
        self._record(parameters)
        frames = augmented_frames(self._examples.sizes, parameters, input_size=training.input_size)
        batches = draw_batches(
            n, batch_size=training.batch_size, seed=self._seed, epoch=self._epoch
        )
        for rows, images in zip(batches, self._loader.batches(frames, batches), strict=True):
            if self._algorithms is None:
                yield Batch(images, rows, frames)
                continue
            changed, targets = self._algorithms.apply(images, rows, frames, epoch=self._epoch)
            yield Batch(changed, rows, frames, targets)


def fit(
    model: nn.Module,
    logic: TaskLogic,
    epochs: Epochs,
    *,
    training: Training,
    device: torch.device,
    validate: Callable[[nn.Module], float] | None,
    on_epoch: Callable[[EpochResult], None],
    progress: Progress,
) -> tuple[EpochResult, ...]:
    """Fit a model, and return what its epochs gave.

    The last weights are the result, for the learning rate ends near zero.

    Args:
        model: is changed.
        logic: the loss.
        epochs: what it learns from.
        training: epochs, learning rate and weight decay.
        device: where the batches are.
        validate: metric of a model in evaluation mode; None without validation images.
        on_epoch: takes each epoch's result.
        progress: takes a line every few seconds.

    Raises:
        TrainingError: the loss is no number any more.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it advertises at INFO
    reporter = _Reporter(training.epochs, validate, on_epoch, progress, metric=logic.metric)
    trainer = pl.Trainer(
        max_epochs=training.epochs,
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        logger=False,
        callbacks=[reporter],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    steps = training.epochs * len(epochs)
    trainer.fit(_Module(model, logic, training, steps=steps), train_dataloaders=epochs)
    return tuple(reporter.results)


class _Module(pl.LightningModule):  # type: ignore[misc]  # untyped base
    def __init__(
        self, model: nn.Module, logic: TaskLogic, training: Training, *, steps: int
    ) -> None:
        super().__init__()
        self.model = model
        self._logic = logic
        self._training = training
        self._steps = steps

    def training_step(self, batch: Batch, _index: int) -> torch.Tensor:
        if batch.targets is None:
            return self._logic.loss(self.model, batch.images, batch.rows, batch.frames)
        return self._logic.loss_of(self.model, batch.images, batch.rows, batch.targets)

    def transfer_batch_to_device(self, batch: Batch, _device: torch.device, _loader: int) -> Batch:
        return batch  # the loader has put it there

    def configure_optimizers(self) -> Any:
        peak = self._training.learning_rate
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=peak, weight_decay=self._training.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=peak, total_steps=self._steps
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class _Reporter(pl.Callback):  # type: ignore[misc]  # untyped base
    """Tells progress, measures epochs and validates after each."""

    def __init__(
        self,
        epochs: int,
        validate: Callable[[nn.Module], float] | None,
        on_epoch: Callable[[EpochResult], None],
        progress: Progress,
        *,
        metric: str,
    ) -> None:
        self._epochs = epochs
        self._validate = validate
        self._on_epoch = on_epoch
        self._progress = progress
        self._metric = metric
        self.results: list[EpochResult] = []
        self._start = self._epoch_start = time.perf_counter()
        self._loss, self._images = 0.0, 0

    def on_train_epoch_start(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            self._start = time.perf_counter()
        self._epoch_start = time.perf_counter()
        self._loss, self._images = 0.0, 0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        _module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        index: int,
    ) -> None:
        loss = float(outputs["loss"])
        if not np.isfinite(loss):
            raise TrainingError(
                f"The loss is {loss} in epoch {trainer.current_epoch + 1}, step {index + 1}:"
                " the training diverged.",
                do="Lower training.learning_rate.",
            )
        self._loss += loss * len(batch.rows)
        self._images += len(batch.rows)
        if self._progress.due():
            steps = int(trainer.num_training_batches)
            self._progress.tell(
                f"epoch {trainer.current_epoch + 1}/{self._epochs}, step {index + 1}/{steps},"
                f" loss {loss:.3f}, {self._left(trainer.global_step, steps)} left"
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        validation = None
        if self._validate is not None:
            module.eval()
            validation = self._validate(module.model)
            module.train()
        result = EpochResult(
            epoch=trainer.current_epoch + 1,
            train_loss=self._loss / self._images,
            learning_rate=trainer.optimizers[0].param_groups[0]["lr"],
            validation=validation,
            seconds=time.perf_counter() - self._epoch_start,
        )
        self.results.append(result)
        self._on_epoch(result)
        score = "" if validation is None else f", validation {self._metric} {validation:.3f}"
        self._progress.tell(
            f"epoch {result.epoch}/{self._epochs} took {duration(result.seconds)}:"
            f" loss {result.train_loss:.3f}{score}"
        )

    def _left(self, done: int, steps: int) -> str:
        spent = time.perf_counter() - self._start
        return duration(spent / done * (self._epochs * steps - done))
