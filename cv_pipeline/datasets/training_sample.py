"""The training images that are predicted beside those held out, so that errors can be compared.

Drawn by a seed from the version's own images, so that whoever knows the version and the number
knows the sample.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cv_pipeline.datasets.record import MANIFEST_FILE

_SEED = 0


def outside_sample(manifest: pa.Table, count: int) -> pa.Array:
    """Ids of the training images that a sample of so many leaves out.

    Args:
        manifest: columns image_id and split of a whole dataset version, in any order.
        count: training images to draw; all of them where there are fewer.
    """
    ids = manifest.filter(pc.equal(manifest["split"], "train"))["image_id"].combine_chunks()
    ids = ids.take(pc.sort_indices(ids))
    left_out = np.random.default_rng(_SEED).permutation(len(ids))[count:]
    return ids.take(pa.array(np.sort(left_out)))


def training_sample(dataset: Path, count: int | None) -> tuple[int, frozenset[str]]:
    """How many training images of a dataset version to predict, and which are left out.

    Args:
        dataset: folder of the dataset version.
        count: how many at most; None for as many as it has images that are not for training.
    """
    manifest = pq.read_table(dataset / MANIFEST_FILE, columns=["image_id", "split"])
    of_train = pc.sum(pc.equal(manifest["split"], "train")).as_py() or 0
    drawn = min(of_train, len(manifest) - of_train if count is None else count)
    return drawn, frozenset(outside_sample(manifest, drawn).to_pylist())
