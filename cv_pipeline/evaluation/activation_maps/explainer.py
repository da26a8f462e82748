"""A model that is ready to say where it looks, on any image."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.activations import ACTIVATIONS
from cv_pipeline.catalog.schemas.annotations import ANNOTATIONS
from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.activation_maps.maps import (
    ActivationMap,
    activation_map,
    inside,
    share_inside,
)
from cv_pipeline.storage import Blobs
from cv_pipeline.training.device import prepare
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.framing import Frames, whole_frames
from cv_pipeline.training.loaders import open_loader
from cv_pipeline.training.model_folder import read_model_card
from cv_pipeline.training.prediction import load_model
from cv_pipeline.training.progress import Progress
from cv_pipeline.training.staging import stage

_STDERR = 2


@dataclass(frozen=True, eq=False)
class Explained:
    """Where a model looks for one class on one image.

    Attributes:
        label: the class.
        map: the map; None where the model finds nothing of the class.
        share: share of it inside the boxes that were given; None without.
        area: share of the image that those boxes cover; None without.
    """

    label: str
    map: ActivationMap | None
    share: float | None
    area: float | None


class Explainer:
    """Class-activation maps of one model.

    Args:
        folder: model folder.
        blobs: where images are.

    Raises:
        TrainingError: the folder is not a model's, or is damaged.
    """

    def __init__(self, folder: Path, *, blobs: Blobs) -> None:
        self.card = read_model_card(folder)
        self._device = prepare(seed=self.card.seed)
        self._model = load_model(self.card, folder, device=self._device)
        self._blobs = blobs

    def surest(self, image_id: str, *, size: tuple[int, int]) -> str:
        """The class that the model is surest of on an image.

        Args:
            image_id: the image.
            size: its height and width in pixels.

        Raises:
            EvaluationError: the model finds nothing at all.
            TrainingError: the image cannot be read.
        """
        (image,) = self._inputs(_unlabelled(image_id, size), Progress(_STDERR))
        return self.card.labels[self._surest(image)]

    def explain(
        self, image_id: str, *, size: tuple[int, int], label: str, boxes: NDArray[np.float64]
    ) -> Explained:
        """The map of one class on one image of the store.

        Args:
            image_id: the image.
            size: its height and width in pixels.
            label: the class.
            boxes: (n, 4) xyxy, pixels of the stored image: objects of the class, or none.

        Raises:
            EvaluationError: the model has no such class, or cannot be explained.
            TrainingError: the image cannot be read.
        """
        examples = _unlabelled(image_id, size)
        (image,) = self._inputs(examples, Progress(_STDERR))
        frames = self._frames(examples)
        found = self._map(image, self._index(label), frames, 0)
        share = area = None
        if len(boxes):
            share, area = self._shares(found, frames, boxes, np.zeros(len(boxes), np.int64))
        return Explained(label, found, share, area)

    def shares(self, examples: Examples, *, progress: Progress) -> pa.Table:
        """Shares on many labelled images: schema ACTIVATIONS, by image and class.

        Raises:
            EvaluationError: the model cannot be explained.
            TrainingError: an image cannot be read.
        """
        frames = self._frames(examples)
        rows = []
        for row, image in enumerate(self._inputs(examples, progress)):
            of_image = examples.image == row
            for index in np.unique(examples.label[of_image]).tolist():
                found = self._map(image, index, frames, row)
                boxes = examples.boxes[of_image & (examples.label == index)]
                share, area = self._shares(found, frames, boxes, np.full(len(boxes), row))
                rows.append(
                    {
                        "image_id": examples.image_ids[row].as_py(),
                        "label": self.card.labels[index],
                        "score": found.score if found else None,
                        "share": share,
                        "area": area,
                    }
                )
            if progress.due():
                progress.tell(f"explained {row + 1} of {len(examples)} images")
        return pa.Table.from_pylist(rows, schema=ACTIVATIONS)

    def _frames(self, examples: Examples) -> Frames:
        return whole_frames(examples.sizes, input_size=self.card.training.input_size)

    def _inputs(self, examples: Examples, progress: Progress) -> Iterator[torch.Tensor]:
        """(1, 3, height, width) of each image, framed."""
        with tempfile.TemporaryDirectory() as folder:
            staged = stage(
                examples, blobs=self._blobs, path=Path(folder) / "images", progress=progress
            )
            # of the two loaders this one needs no pipeline to be built for a few images
            loader = open_loader(
                staged,
                training=self.card.training.model_copy(update={"loader": "torchvision"}),
                normalisation=self.card.normalisation,
                device=self._device,
            )
            yield from loader.batches(
                self._frames(examples), [np.array([row]) for row in range(len(examples))]
            )

    def _map(
        self, image: torch.Tensor, label: int, frames: Frames, row: int
    ) -> ActivationMap | None:
        height, width = frames.size[row].tolist()
        return activation_map(
            self._model, image, task=self.card.task, label=label, content=(height, width)
        )

    def _shares(
        self,
        found: ActivationMap | None,
        frames: Frames,
        boxes: NDArray[np.float64],
        image: NDArray[np.int64],
    ) -> tuple[float | None, float]:
        shape = tuple(frames.size[int(image[0])].tolist())
        seen, _ = frames.to_input(boxes, image)
        area = float(inside(shape, seen).mean())
        return (share_inside(found.values, seen) if found else None), area

    def _index(self, label: str) -> int:
        if label not in self.card.labels:
            raise EvaluationError(
                f"The model has no class {label!r}.", do=nearest(label, self.card.labels)
            )
        return self.card.labels.index(label)

    def _surest(self, image: torch.Tensor) -> int:
        with torch.inference_mode():
            if self.card.task == "classification":
                return int(self._model(image)[0].argmax())
            found = self._model(list(image))[0]
        if not len(found["scores"]):
            raise EvaluationError(
                "The model finds nothing at all on this image, so there is nothing to explain.",
                do="Choose another image, or train the model for longer.",
            )
        return int(found["labels"][found["scores"].argmax()]) - 1


def _unlabelled(image_id: str, size: tuple[int, int]) -> Examples:
    none = np.zeros(0, np.int64)
    return Examples(
        image_ids=pa.array([image_id], pa.string()),
        sizes=np.array([size], np.int64),
        decoded_bytes=np.array([size[0] * size[1] * 3], np.int64),
        encoded=np.array([False]),
        annotations=ANNOTATIONS.empty_table(),
        image=none,
        label=none,
        boxes=np.zeros((0, 4)),
    )
