"""The images of some splits of a dataset version with their labels, as arrays.

Rows are sorted by image id, so positions mean the same in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.annotations import KINDS_OF_TASK
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE
from cv_pipeline.errors import TrainingError, nearest
from cv_pipeline.project import Task

_MANIFEST_COLUMNS = ["image_id", "split", "format", "width", "height", "bands", "dtype"]
_EDGES = ("x_min", "y_min", "x_max", "y_max")


@dataclass(frozen=True)
class Examples:
    """n images, and m targets on them.

    Attributes:
        image_ids: (n,) string.
        sizes: (n, 2) int64: height and width of the stored images.
        decoded_bytes: (n,) int64: bytes of the stored images' pixels, decoded.
        encoded: (n,) bool: the stored file is what a loader can decode to 8-bit RGB by itself.
        annotations: schema ANNOTATIONS: the m rows of the task's kind.
        image: (m,) int64: row of each target's image, ascending.
        label: (m,) int64: index of its class.
        boxes: (m, 4) float64 xyxy, pixels of the stored image; NaN for classification.
    """

    image_ids: pa.Array
    sizes: NDArray[np.int64]
    decoded_bytes: NDArray[np.int64]
    encoded: NDArray[np.bool_]
    annotations: pa.Table
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.image_ids)

    def labelled(self) -> Examples:
        """The images that have a target.

        A dataset version does not tell an image without objects from one that nobody labelled, and
        to learn from the latter that there is nothing would do harm.
        """
        return self.take(np.unique(self.image))

    def without(self, image_ids: Sequence[str]) -> Examples:
        """All images but some, which need not be among them."""
        gone = pc.is_in(self.image_ids, value_set=pa.array(list(image_ids), pa.string()))
        return self.take(np.flatnonzero(~gone.to_numpy(zero_copy_only=False)))

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Some of the images, with their targets.

        Args:
            rows: rows of images, each as often as it is wanted.
        """
        first = np.searchsorted(self.image, np.arange(len(self) + 1))
        counts = first[rows + 1] - first[rows]
        ends = np.cumsum(counts)
        targets = np.arange(counts.sum()) + np.repeat(first[rows] - (ends - counts), counts)
        return Examples(
            image_ids=self.image_ids.take(pa.array(rows)),
            sizes=self.sizes[rows],
            decoded_bytes=self.decoded_bytes[rows],
            encoded=self.encoded[rows],
            annotations=self.annotations.take(pa.array(targets)),
            image=np.repeat(np.arange(len(rows)), counts),
            label=self.label[targets],
            boxes=self.boxes[targets],
        )


def read_examples(
    dataset: Path,
    *,
    splits: Sequence[str],
    task: Task,
    labels: Sequence[str],
    folds: Sequence[int] | None = None,
) -> Examples:
    """Read splits of a dataset version, or some folds of them.

    Args:
        dataset: folder of the dataset version.
        splits: splits to read.
        task: decides which annotations are targets: those of its kinds.
        labels: class names in training order.
        folds: only images in one of these folds; by default whatever their fold.

    Raises:
        TrainingError: an annotation has a label that is not among ``labels``.
    """
    columns = _MANIFEST_COLUMNS if folds is None else [*_MANIFEST_COLUMNS, "fold"]
    manifest = pq.read_table(dataset / MANIFEST_FILE, columns=columns)
    manifest = manifest.filter(pc.is_in(manifest["split"], pa.array(splits, pa.string())))
    if folds is not None:
        manifest = manifest.filter(pc.is_in(manifest["fold"], pa.array(folds, pa.int32())))
    manifest = manifest.sort_by("image_id").combine_chunks()
    image_ids = manifest["image_id"].combine_chunks()
    rows = pq.read_table(dataset / ANNOTATIONS_FILE)
    of_task = pc.is_in(rows["kind"], pa.array(KINDS_OF_TASK[task]))
    chosen = pc.and_(of_task, pc.is_in(rows["image_id"], image_ids))
    rows = rows.filter(chosen).sort_by([("image_id", "ascending"), ("annotation_id", "ascending")])
    label = pc.index_in(rows["label"], pa.array(labels, pa.string()))
    if label.null_count:
        unknown = pc.min(rows["label"].filter(pc.is_null(label))).as_py()
        raise TrainingError(
            f"The dataset version in {dataset} has the label {unknown!r}, which is not among the"
            " project's classes.",
            do=nearest(unknown, labels),
        )
    size = [manifest[name].to_numpy().astype(np.int64) for name in ("height", "width")]
    edges = [rows[name].cast(pa.float64()).fill_null(np.nan).to_numpy() for name in _EDGES]
    return Examples(
        image_ids=image_ids,
        sizes=np.stack(size, axis=1),
        decoded_bytes=_decoded_bytes(manifest),
        encoded=_decodable(manifest),
        annotations=rows,
        image=pc.index_in(rows["image_id"], image_ids).to_numpy().astype(np.int64),
        label=label.to_numpy().astype(np.int64),
        boxes=np.stack(edges, axis=1),
    )


def _decoded_bytes(manifest: pa.Table) -> NDArray[np.int64]:
    kinds = manifest["dtype"].unique().to_pylist()
    kind = pc.index_in(manifest["dtype"], pa.array(kinds, pa.string())).to_numpy()
    sample = np.array([np.dtype(k).itemsize for k in kinds], dtype=np.int64)[kind]
    edges = [manifest[name].to_numpy().astype(np.int64) for name in ("height", "width", "bands")]
    taken: NDArray[np.int64] = np.prod(edges, axis=0) * sample
    return taken


def _decodable(manifest: pa.Table) -> NDArray[np.bool_]:
    """8-bit JPEG and PNG of one or three bands; whatever else there is must be rendered first."""
    container = pc.is_in(manifest["format"], pa.array(["JPEG", "PNG"]))
    bands = pc.is_in(manifest["bands"], pa.array([1, 3], manifest["bands"].type))
    eight_bit = pc.equal(manifest["dtype"], "uint8")
    both: NDArray[np.bool_] = pc.and_(pc.and_(container, bands), eight_bit).to_numpy()
    return both.astype(bool)
