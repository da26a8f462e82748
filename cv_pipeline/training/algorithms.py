"""Augmentation algorithms in training: applied to framed images, with all that they drew on record.

What is drawn depends on the seed, the epoch, the algorithm and the position of an image, and on
nothing else, as with the other parameters. Off by default, and then nothing here is run.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from cv_pipeline.plugins.augment import Augmenter, Donor, Donors, Scene, augmented, augmenter
from cv_pipeline.project import Task
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.framing import Frames, whole_frames
from cv_pipeline.training.loaders import Loader

ALGORITHMS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # its draw in the epoch, from 0: an image that is drawn several times has several
        pa.field("draw", pa.int64(), nullable=False),
        # epoch, from 1
        pa.field("epoch", pa.int32(), nullable=False),
        # name of the augmentation algorithm
        pa.field("algorithm", pa.string(), nullable=False),
        # JSON of what it drew and did, pixels of the input; images that it left have no row
        pa.field("parameters", pa.string(), nullable=False),
    ]
)
OF_CLASS = 64
"""Objects of a class that may be pasted: of more, as many are drawn by chance."""
_STREAM = 2
_ALONE = 0.1
_LEAST_SIDE = 4
_NOT_WHOLE = r'"(occluded|truncated|iscrowd)":\s*true'


@dataclass(frozen=True, eq=False)
class Target:
    """What is on one image of a batch, in pixels of the input."""

    boxes: NDArray[np.float64]
    label: NDArray[np.int64]


class Algorithms:
    """The augmentation algorithms of one training.

    Args:
        names: in the order that they are applied in.
        task: what the model does.
        examples: the draws of an epoch.
        seed: of the training.
        classes: how many there are.
        record: takes the parameters of each batch, schema ALGORITHMS.

    Raises:
        PluginError: an algorithm is not there, or not for this task.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        task: Task,
        examples: Examples,
        seed: int,
        classes: int,
        record: Callable[[pa.Table], None],
    ) -> None:
        self._loaded: list[tuple[str, Augmenter]] = [(n, augmenter(n, task=task)) for n in names]
        self._task = task
        self._examples = examples
        self._seed = seed
        self._record = record
        self._first = np.searchsorted(examples.image, np.arange(len(examples) + 1))
        self._donors = Donors(counts=np.bincount(examples.label, minlength=classes))

    @property
    def wants_donors(self) -> bool:
        """Whether one of them pastes objects."""
        return any(algorithm.wants_donors for _, algorithm in self._loaded)

    def cut_donors(
        self, examples: Examples, loader: Loader, *, input_size: tuple[int, int]
    ) -> None:
        """Cut out the objects that may be pasted: whole, alone, of each class some.

        Args:
            examples: the training images, each once.
            loader: loads them.
            input_size: height and width of the input.
        """
        frames = whole_frames(examples.sizes, input_size=input_size)
        counts = np.bincount(examples.label, minlength=len(self._donors.counts))
        chosen = _chosen(examples, frames, classes=len(counts), seed=self._seed)
        boxes, _ = frames.to_input(examples.boxes[chosen], examples.image[chosen])
        edges = np.rint(boxes).astype(np.int64)
        found: list[list[Donor]] = [[] for _ in counts]
        images = np.unique(examples.image[chosen])
        names = examples.annotations["annotation_id"]
        for (row,), loaded in zip(
            images[:, None], loader.batches(frames, list(images[:, None])), strict=True
        ):
            pixels = loaded[0].cpu().numpy()
            for place in np.flatnonzero(examples.image[chosen] == row):
                x0, y0, x1, y1 = edges[place]
                label = int(examples.label[chosen[place]])
                cut = pixels[:, y0:y1, x0:x1].astype(np.float32)
                found[label].append(Donor(cut, label, names[int(chosen[place])].as_py()))
        self._donors = Donors(tuple(map(tuple, found)), counts)

    def apply(
        self, images: torch.Tensor, rows: NDArray[np.int64], frames: Frames, *, epoch: int
    ) -> tuple[torch.Tensor, list[Target]]:
        """Change a batch, and say what is on it now.

        Args:
            images: (batch, 3, height, width).
            rows: which draws they are.
            frames: how they were framed.
            epoch: from 1.

        Raises:
            PluginError: an algorithm failed, or made what cannot be learnt from.
        """
        pixels = images.cpu().numpy()
        changed = np.empty_like(pixels)
        targets, drawn = [], []
        for place, row in enumerate(rows.tolist()):
            scene = self._scene(pixels[place], row, frames)
            for name, algorithm in self._loaded:
                stream = zlib.crc32(name.encode())
                rng = np.random.default_rng([self._seed, epoch, _STREAM, stream, row])
                made = augmented(name, algorithm, scene, donors=self._donors, rng=rng)
                scene = made.scene
                if made.parameters:
                    drawn.append((row, name, json.dumps(made.parameters, sort_keys=True)))
            changed[place] = scene.pixels
            targets.append(Target(scene.boxes, scene.label))
        self._write(drawn, epoch)
        return torch.from_numpy(changed).to(images.device), targets

    def _scene(self, pixels: NDArray[np.float32], row: int, frames: Frames) -> Scene:
        height, width = (int(side) for side in frames.size[row])
        none = np.zeros((0, 4)), np.zeros(0, np.int64)
        boxes, label = none
        if self._task == "detection":
            of = slice(self._first[row], self._first[row + 1])
            found, keep = frames.to_input(self._examples.boxes[of], self._examples.image[of])
            boxes, label = found[keep], self._examples.label[of][keep]
        return Scene(pixels, (height, width), boxes, label)

    def _write(self, drawn: list[tuple[int, str, str]], epoch: int) -> None:
        rows = np.array([row for row, _, _ in drawn], np.int64)
        columns = {
            "image_id": self._examples.image_ids.take(pa.array(rows)),
            "draw": rows,
            "epoch": np.full(len(rows), epoch, np.int32),
            "algorithm": pa.array([name for _, name, _ in drawn], pa.string()),
            "parameters": pa.array([text for _, _, text in drawn], pa.string()),
        }
        self._record(pa.table(columns, schema=ALGORITHMS))


def _chosen(examples: Examples, frames: Frames, *, classes: int, seed: int) -> NDArray[np.int64]:
    """Rows of the objects that may be pasted, ascending."""
    boxes, visible = frames.to_input(examples.boxes, examples.image)
    sides = np.rint(boxes[:, 2:]) - np.rint(boxes[:, :2])
    limit = frames.size[examples.image][:, ::-1]
    inside = (boxes[:, :2] > 0.5).all(axis=1) & (boxes[:, 2:] < limit - 0.5).all(axis=1)
    marked = pc.match_substring_regex(examples.annotations["attributes"], _NOT_WHOLE)
    whole = visible & inside & (sides >= _LEAST_SIDE).all(axis=1) & ~marked.to_numpy().astype(bool)
    rng = np.random.default_rng([seed, _STREAM])
    chosen: list[int] = []
    for label in range(classes):
        of_class = rng.permutation(np.flatnonzero(whole & (examples.label == label)))
        few = 0
        for row in of_class.tolist():
            if few == OF_CLASS:
                break
            if _alone(examples, row):
                chosen.append(row)
                few += 1
    return np.sort(np.array(chosen, np.int64))


def _alone(examples: Examples, row: int) -> bool:
    """Whether hardly any other object reaches into the box of one."""
    first, last = np.searchsorted(examples.image, [examples.image[row], examples.image[row] + 1])
    others = np.delete(examples.boxes[first:last], row - first, axis=0)
    box = examples.boxes[row]
    sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    return bool((shared <= _ALONE * (box[2:] - box[:2]).prod()).all())
