"""A table of a dataset folder read once from front to back, a range of images at a time.

Tables are sorted by image, so that two versions can be walked side by side in the memory of a
range. One that is not, as a foreign tool may have left it, is read whole and sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cv_pipeline.catalog.schemas.earlier import with_earlier
from cv_pipeline.errors import DatasetError

_IMAGE = "image_id"


class SortedRows:
    """The rows of a Parquet file in order of ``image_id``.

    Args:
        path: the file.
        schema: what its columns are; one that an earlier release lacked is filled.
        columns: columns to read; ``image_id`` is one of them.
        repeated: those with few distinct texts, which are read as dictionaries.

    Raises:
        DatasetError: it cannot be read as a table of that schema.
    """

    def __init__(
        self, path: Path, schema: pa.Schema, *, columns: Sequence[str], repeated: Sequence[str] = ()
    ) -> None:
        self._path = path
        self._schema = pa.schema(
            [
                field.with_type(pa.dictionary(pa.int32(), field.type))
                if field.name in repeated
                else field
                for field in (schema.field(name) for name in columns)
            ]
        )
        self._group = 0
        try:
            self._file = pq.ParquetFile(path, read_dictionary=list(repeated))
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        self._rest = self._schema.empty_table()
        if not self._in_order():
            self._rest = self._read(range(self._file.num_row_groups))
            self._group = self._file.num_row_groups

    def until(self, image_id: str | None) -> pa.Table:
        """The next rows, of images before ``image_id``; all that are left for None.

        Raises:
            DatasetError: the file is damaged.
        """
        parts = [self._rest]
        while self._group < self._file.num_row_groups and (
            image_id is None or not len(parts[-1]) or parts[-1][_IMAGE][-1].as_py() < image_id
        ):
            parts.append(self._read([self._group]))
            self._group += 1
        rows = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
        end = len(rows)
        if image_id is not None:
            end = pc.sum(pc.less(rows[_IMAGE], image_id)).as_py() or 0
        self._rest = rows.slice(end)
        return rows.slice(0, end)

    def _in_order(self) -> bool:
        """Whether every row group holds images that come after those of the group before."""
        metadata = self._file.metadata
        names = [metadata.schema.column(n).path for n in range(metadata.num_columns)]
        if _IMAGE not in names:
            raise self._unreadable(f"it has no column {_IMAGE}")
        at = names.index(_IMAGE)
        groups = range(metadata.num_row_groups)
        known = [metadata.row_group(group).column(at).statistics for group in groups]
        if not all(found is not None and found.has_min_max for found in known):
            return len(known) < 2
        return all(a.max <= b.min for a, b in pairwise(known))

    def _read(self, groups: Sequence[int]) -> pa.Table:
        try:
            present = self._file.schema_arrow.names
            wanted = [name for name in self._schema.names if name in present]
            rows = self._file.read_row_groups(list(groups), columns=wanted)
            rows = with_earlier(rows, self._schema).cast(self._schema)
        except (OSError, KeyError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        ids = rows[_IMAGE].combine_chunks()
        in_order = pc.all(pc.less_equal(ids[:-1], ids[1:]), min_count=0).as_py()
        return rows if in_order else rows.sort_by(_IMAGE)

    def _unreadable(self, error: object) -> DatasetError:
        return DatasetError(
            f"{self._path} cannot be read: {error}.", do="Restore it from a backup; see cvp verify."
        )
