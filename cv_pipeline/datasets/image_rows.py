"""The rows of a few images in the tables of a dataset folder, without reading the whole tables.

Parquet keeps rows in groups, and says of each group which image ids are in it at all; only the
groups that may hold a row are read. Tables that are sorted by image need one or two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cv_pipeline.errors import DatasetError
from cv_pipeline.storage import ArrowLocation

_IMAGE = "image_id"
_FEW = 4


def rows_at(where: ArrowLocation, rows: Sequence[int], *, columns: Sequence[str]) -> pa.Table:
    """Rows of a Parquet file by their positions.

    Args:
        where: the file.
        rows: ascending positions.
        columns: columns to read.

    Raises:
        DatasetError: the file is not there or is no Parquet file.
    """
    with _opened(where) as file:
        sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        begins = np.cumsum([0, *sizes])
        at = np.asarray(rows, dtype=np.int64)
        group = np.searchsorted(begins, at, side="right") - 1
        needed = np.unique(group)
        # where each needed group begins in what is read of the file
        starts = np.cumsum([0, *(sizes[g] for g in needed)])
        position = starts[np.searchsorted(needed, group)] + at - begins[group]
        read = file.read_row_groups(
            list(needed), columns=list(columns), use_threads=len(needed) > _FEW
        )
        return read.take(pa.array(position))


def rows_of_images(
    where: ArrowLocation, image_ids: Sequence[str], *, columns: Sequence[str]
) -> pa.Table:
    """Rows of a Parquet file that belong to some images, in the order of the file.

    Args:
        where: a file with a column ``image_id``.
        image_ids: the images.
        columns: columns to read; ``image_id`` must be one of them.

    Raises:
        DatasetError: the file is not there or is no Parquet file.
    """
    wanted = sorted(set(image_ids))
    with _opened(where) as file:
        ids = pa.array(wanted, pa.string())
        groups = _may_hold(file, wanted)
        if len(groups) > _FEW:  # worth a look at the ids alone first
            groups = [g for g in groups if _holds(file, g, ids)]
        # a few groups are read sooner than threads are started
        rows = file.read_row_groups(groups, columns=list(columns), use_threads=len(groups) > _FEW)
    return rows.filter(pc.is_in(rows[_IMAGE], value_set=ids))


def _may_hold(file: pq.ParquetFile, wanted: Sequence[str]) -> list[int]:
    """Groups whose range of image ids has one of the wanted (sorted), or whose range is unknown."""
    column = file.metadata.schema.names.index(_IMAGE)
    found = []
    for group in range(file.num_row_groups):
        statistics = file.metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max:
            found.append(group)
            continue
        after = bisect_left(wanted, statistics.min)
        if after < len(wanted) and wanted[after] <= statistics.max:
            found.append(group)
    return found


def _holds(file: pq.ParquetFile, group: int, ids: pa.Array) -> bool:
    rows = file.read_row_group(group, columns=[_IMAGE], use_threads=False)
    return bool(pc.any(pc.is_in(rows[_IMAGE], value_set=ids), min_count=0).as_py())


def _opened(where: ArrowLocation) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(where.path, filesystem=where.filesystem)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(
            f"{where.path} cannot be read: {error}.", do="Materialize it again."
        ) from error
