"""Groups of images that look alike, as a fact like any other: found by k-means on descriptors.

A group has no name of its own; it is called after what is known of its images and rarer elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.evaluation.slicing.facts import Fact, Value

LOOK = "look"
MOST = 12
"""Most groups."""
IMAGES_IN_GROUP = 40
"""Least images of a group, on average."""
SHARE, LIFT = 0.6, 1.5
"""A fact names a group when it holds for this share of it, and so many times as often as in all."""
NAMES = 2
_FIT = 100_000


def look_fact(
    image_ids: pa.Array, descriptors: pa.Table, facts: Sequence[Fact], *, least: int
) -> Fact | None:
    """Group images by their descriptors.

    MiniBatchKMeans of scikit-learn, seeded, on at most 100,000 images; all others join the nearest
    group.

    Args:
        image_ids: the images.
        descriptors: columns image_id and descriptor; images without one are in no group.
        facts: what else is known of the images, to name the groups by.
        least: images below which a group is not looked at.

    Returns:
        The fact; None where there are too few images for two groups.
    """
    at = pc.index_in(image_ids, value_set=descriptors["image_id"].combine_chunks())
    known = np.flatnonzero(at.is_valid().to_numpy(zero_copy_only=False))
    groups = min(len(known) // max(IMAGES_IN_GROUP, least), MOST)
    if groups < 2:
        return None
    rows = descriptors["descriptor"].combine_chunks().take(at.drop_null())
    width = rows.type.list_size
    vectors = rows.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    group = _grouped(vectors, groups)
    codes = np.full(len(image_ids), groups, dtype=np.int32)
    codes[known] = group
    values = []
    for number in range(groups):
        name = _name(codes == number, facts)
        text = f"{number + 1} ({name})" if name else f"{number + 1}"
        values.append(Value(text, f"look {text}", ""))
    counts = np.bincount(codes, minlength=groups + 1)[:-1]
    codes[np.isin(codes, np.flatnonzero(counts < least))] = groups
    return Fact(LOOK, codes, tuple(values))


def _grouped(vectors: NDArray[np.float32], groups: int) -> NDArray[np.int64]:
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(groups, random_state=0, n_init=3, batch_size=4096, compute_labels=False)
    step = max(1, -(-len(vectors) // _FIT))
    group: NDArray[np.int64] = means.fit(vectors[::step]).predict(vectors)
    return group


def _name(inside: NDArray[np.bool_], facts: Sequence[Fact]) -> str:
    """The facts that hold for most of some images and for fewer of all."""
    found = []
    for fact in facts:
        everywhere = np.bincount(fact.codes, minlength=len(fact.values) + 1)[:-1]
        here = np.bincount(fact.codes[inside], minlength=len(fact.values) + 1)[:-1]
        if not len(here):
            continue
        share = here / max(int(inside.sum()), 1)
        lift = share / np.maximum(everywhere / len(inside), 1e-12)
        best = int(np.argmax(share))
        if share[best] >= SHARE and lift[best] >= LIFT:
            found.append((-lift[best] * share[best], fact.values[best].words))
    return ", ".join(words for _, words in sorted(found)[:NAMES])
