"""Two models on the same slices: where the second is better, and where it is worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.compared import COMPARED_SLICES
from cv_pipeline.evaluation.comparison.differences import Paired
from cv_pipeline.evaluation.comparison.paired import ratio_difference
from cv_pipeline.evaluation.measure import LEVEL
from cv_pipeline.evaluation.slicing.facts import metadata_columns
from cv_pipeline.evaluation.slicing.statistics import corrected


def compared_slices(
    paired: Paired,
    *,
    metric: str,
    image_ids: pa.Array,
    metadata: pa.Table,
    keys: Sequence[str],
    min_slice: int,
    declared: Mapping[str, pa.Array] | None = None,
) -> pa.Table:
    """Compare two models on every slice of some metadata keys, and on declared ones.

    Args:
        paired: their counts.
        metric: that of all classes together, accuracy or recall; of a class it is recall.
        image_ids: the images, in the order of the counts.
        metadata: columns image_id, key, value; one row per image and key.
        keys: metadata keys; one that is set on none of the images gives no slices.
        min_slice: images below which a slice is small, and is not tested.
        declared: name of a slice to the ids of its images; its value is ``yes``.

    Returns:
        Schema COMPARED_SLICES, by probability (the least first), key, value and class.
    """
    rows = []
    parts = list(_parts(image_ids, metadata, keys))
    for name, ids in (declared or {}).items():
        inside = pc.is_in(image_ids, value_set=ids).to_numpy(zero_copy_only=False)
        if inside.any():
            parts.append((name, "yes", np.flatnonzero(inside)))
    for k, label in [(None, None), *enumerate(paired.labels or ())]:
        before, after = paired.sums(metric if k is None else "recall", k)
        held = np.ones(paired.images, bool) if k is None else paired.holding(k)
        for key, value, images in parts:
            chosen = images[held[images]]
            found = ratio_difference(before.take(chosen), after.take(chosen))
            if found.difference is None:
                continue
            small = len(chosen) < min_slice
            rows.append(
                {
                    **vars(found),
                    "p_value": None if small else found.p_value,
                    "slice_key": key,
                    "slice_value": value,
                    "label": label,
                    "metric": metric if k is None else "recall",
                    "images": len(chosen),
                    "small": small,
                }
            )
    p_values = np.array([np.nan if r["p_value"] is None else r["p_value"] for r in rows])
    for row, adjusted in zip(rows, corrected(p_values).tolist(), strict=True):
        row["adjusted_p"] = None if np.isnan(adjusted) else adjusted
        row["significant"] = adjusted <= LEVEL
    rows.sort(key=_reading_order)
    return pa.Table.from_pylist(rows, schema=COMPARED_SLICES)


def _parts(
    image_ids: pa.Array, metadata: pa.Table, keys: Sequence[str]
) -> Iterator[tuple[str, str | None, NDArray[np.int64]]]:
    """Key, value and image indices of each slice."""
    for key, column in metadata_columns(image_ids, metadata, keys).items():
        values = column.dictionary_encode()
        names = values.dictionary.to_pylist()
        if not names:
            continue
        codes = values.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
        for code, name in enumerate([*names, None]):
            images = np.flatnonzero(codes == code)
            if len(images):
                yield key, name, images


def _reading_order(row: dict[str, Any]) -> tuple[float, float, str, str, str]:
    p_value = 2.0 if row["adjusted_p"] is None else row["adjusted_p"]
    return (
        p_value,
        -abs(row["difference"]),
        row["slice_key"],
        row["slice_value"] or "",
        row["label"] or "",
    )
