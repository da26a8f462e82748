"""The catalogue: one Lance table for each schema, per project, in the object store.

Every write is one atomic commit and one new version; every version can be read again until it is
cleaned up, and a tagged one for ever. Two processes may write at once: every commit lands, and a
primary key stays unique.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import TABLES
from cv_pipeline.catalog.schemas.earlier import EARLIER, with_earlier
from cv_pipeline.catalog.table_versions import TableVersion, latest_at, spans
from cv_pipeline.errors import CatalogError, nearest
from cv_pipeline.storage import ObjectStore

PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "annotations": ("annotation_id",),
    "batches": ("batch",),
    "duplicate_searches": ("image_id",),
    "files": ("path",),
    "guideline_versions": ("version",),
    "image_features": ("image_id",),
    "images": ("image_id",),
    "labeling_tasks": ("batch", "image_id"),
    "near_duplicates": ("image_a", "image_b"),
    "ontology_versions": ("version",),
    "prelabels": ("image_id", "model", "object"),
    "quarantine": ("stage", "file", "field"),
    "sampled_images": ("batch", "image_id"),
    "signatures": ("image_id",),
    "split_assignments": ("rule", "image_id"),
    "takeouts": ("image_id",),
    "tool_people": ("account",),
}
"""Columns that identify a row; tables that are not here are logs of events."""

_INDEXED = {
    "annotations": "image_id",
    "image_batches": "name",
    "image_metadata": "image_id",
    "image_tags": "image_id",
    "labeling_batches": "batch",
    "labeling_pulls": "tool_project",
    "parsed_annotations": "digest",
    "query_log": "query_id",
    "reviews": "image_id",
    "saved_queries": "name",
    "split_assignments": "image_id",
    "tool_annotations": "image_id",
}
_SMALL_FILES = 32
_WORTH_AN_INDEX = 20_000
"""Rows from which on looking some up takes longer than a page may, without an index."""
_KEY = "lance-schema:unenforced-primary-key"


def one_of(column: str, values: Iterable[str]) -> pc.Expression:
    """Condition for :meth:`CatalogTable.read` that a text column has one of some values, or none.

    Arrow's own ``isin`` loses the type of values that there are none of.
    """
    return pc.field(column).isin(pa.array(list(values), pa.string()))


class Catalog:
    """The tables of one project.

    Args:
        store: where the tables lie, under ``projects/<project>/catalog/``.
        project: name of the project.
    """

    def __init__(self, store: ObjectStore, project: str) -> None:
        self.store = store
        self.project = project

    def table(self, name: str) -> CatalogTable:
        """The table called ``name``, which need not have been written yet.

        Raises:
            CatalogError: there is no such table; the message names the nearest.
        """
        if name not in TABLES:
            raise CatalogError(f"There is no catalogue table {name!r}.", do=nearest(name, TABLES))
        return CatalogTable(self.store, self.project, name)

    def versions(self) -> dict[str, int]:
        """Latest version of every table, by name; 0 where nothing was written yet."""
        return {name: self.table(name).version for name in sorted(TABLES)}


class CatalogTable:
    """One table: rows of one schema of :data:`cv_pipeline.catalog.schemas.TABLES`.

    Made by :meth:`Catalog.table`. Nothing is opened until a method needs it, and each method works
    on the latest version there is when it is called.
    """

    def __init__(self, store: ObjectStore, project: str, name: str) -> None:
        self.name = name
        self.schema: pa.Schema = TABLES[name]
        self.key = PRIMARY_KEYS.get(name, ())
        self._project = project
        location = store.lance(f"projects/{project}/catalog/{name}.lance")
        self._uri = location.uri
        self._options = location.storage_options

    @property
    def version(self) -> int:
        """Latest version; 0 when nothing was written yet."""
        dataset = self._open()
        return 0 if dataset is None else int(dataset.version)

    def identity(self, version: int | None = None) -> tuple[int, str]:
        """A version, and what tells it from that of the same number in a table made anew.

        Args:
            version: the version; the latest by default.

        Raises:
            CatalogError: that version was cleaned up or never existed.
        """
        dataset = self._open(version)
        if dataset is None:
            return 0, ""
        found = int(dataset.version)
        return found, str(dataset.read_transaction(found).uuid)

    def version_at(self, moment: datetime) -> int:
        """The version that was the latest at a moment; 0 when nothing had been written.

        Raises:
            CatalogError: that version was cleaned up.
        """
        found = latest_at(self.kept_versions(), moment)
        if found is None:
            raise self._gone(f"The version of {moment.isoformat()}")
        return found

    def kept_versions(self) -> list[TableVersion]:
        """The versions that exist, oldest first."""
        dataset = self._open()
        found = [] if dataset is None else dataset.versions()
        return sorted(TableVersion(v["version"], v["timestamp"].astimezone(UTC)) for v in found)

    def read(
        self,
        *,
        columns: Sequence[str] | None = None,
        filter: str | pc.Expression | None = None,  # noqa: A002 - Lance's and Arrow's own name
        version: int | None = None,
    ) -> pa.Table:
        """Read rows, in no particular order.

        Args:
            columns: columns to read, in this order; all by default.
            filter: SQL condition, or Arrow expression, that rows must meet. Values that come from
                outside belong in an expression, which needs no quoting.
            version: version to read; the latest by default. Version 0 has no rows.

        Returns:
            Rows with the table's schema, or that of ``columns``.

        Raises:
            CatalogError: that version was cleaned up or never existed.
        """
        names = list(columns) if columns is not None else self.schema.names
        schema = pa.schema([self.schema.field(name) for name in names])
        dataset = self._open(version)
        if dataset is None:
            return schema.empty_table()
        lacking = self._lacking(dataset)
        if lacking and not isinstance(filter, str) and any(n in str(filter) for n in lacking):
            rows = self._completed(dataset)  # only then is there what the filter is about
            return rows.filter(filter).select(names)
        if lacking:
            there = [n for n in names if n in dataset.schema.names] or dataset.schema.names[:1]
            rows = dataset.to_table(columns=there, filter=filter)
            return with_earlier(rows, schema).cast(schema)
        rows = dataset.to_table(columns=names, filter=filter)
        return pa.Table.from_arrays(rows.columns, schema=schema)

    def batches(self, columns: Sequence[str], *, rows: int) -> Iterator[pa.RecordBatch]:
        """Read the latest version in batches of at most so many rows, in no particular order."""
        dataset = self._open()
        if dataset is None:
            return
        if self._lacking(dataset):
            dataset = self._completed(dataset)
            yield from dataset.select(list(columns)).to_batches(max_chunksize=rows)
            return
        yield from dataset.to_batches(columns=list(columns), batch_size=rows)

    def relation(self, *, version: int | None = None) -> Any:
        """The rows as something that DuckDB can ``register()`` and push filters into.

        Returns:
            A Lance dataset; an Arrow table where an earlier release wrote it with fewer columns,
            and an empty one when nothing was written yet.

        Raises:
            CatalogError: that version was cleaned up or never existed.
        """
        dataset = self._open(version)
        if dataset is None:
            return self.schema.empty_table()
        return self._completed(dataset) if self._lacking(dataset) else dataset

    def append(self, rows: pa.Table) -> int:
        """Add rows; no rows make no version.

        Returns:
            The version that holds them.

        Raises:
            CatalogError: the rows do not fit the schema, or the table has a primary key, which
                only :meth:`merge` and :meth:`insert` keep unique.
        """
        if self.key:
            raise CatalogError(
                f"Rows of {self.name} cannot be appended, for they have a key, {self.key}.",
                do="Use merge or insert.",
            )
        rows = self._conform(rows)
        if rows.num_rows == 0:
            return self.version
        dataset = self._open_or_create()
        self._commit(lambda: dataset.insert(rows, mode="append"))
        return int(dataset.version)

    def merge(self, rows: pa.Table, *, on: Sequence[str]) -> int:
        """Insert rows whose key is new and replace those whose key is there (an upsert).

        Args:
            rows: rows of the table's schema, each key once.
            on: the table's primary key.

        Returns:
            The version that holds them.

        Raises:
            CatalogError: the rows do not fit the schema, a key occurs twice, or ``on`` is not the
                primary key (only that stays unique when two processes write at once).
        """
        return self._merge(rows, on=on, replace=True)

    def insert(self, rows: pa.Table, *, on: Sequence[str]) -> int:
        """Insert rows whose key is new and leave the others as they are.

        Args, returns and errors are those of :meth:`merge`.
        """
        return self._merge(rows, on=on, replace=False)

    def replace(self, rows: pa.Table) -> int:
        """Make ``rows`` the whole content, as a new version.

        Returns:
            The version that holds them.

        Raises:
            CatalogError: the rows do not fit the schema.
        """
        rows = self._conform(rows)
        dataset = self._open_or_create()
        self._commit(lambda: dataset.insert(rows, mode="overwrite"))
        return int(dataset.version)

    def delete(self, predicate: str | pc.Expression) -> int:
        """Delete the rows that meet ``predicate``.

        Returns:
            How many rows went.
        """
        dataset = self._open()
        if dataset is None or dataset.count_rows(filter=predicate) == 0:
            return 0
        result = self._commit(lambda: dataset.delete(predicate))
        return int(result["num_deleted_rows"])

    def tag(self, tag: str, version: int) -> None:
        """Name a version so that it is never cleaned up; version 0 needs no tag.

        Args:
            tag: letters, digits, ``.``, ``-`` and ``_``.
            version: the version to keep.

        Raises:
            CatalogError: the version is gone, or the tag names another version already.
        """
        if version == 0:
            return
        dataset = self._open(version)
        tagged = dataset.tags.list().get(tag)
        if tagged is None:
            self._commit(lambda: dataset.tags.create(tag, version))
        elif tagged["version"] != version:
            raise CatalogError(
                f"Tag {tag!r} of table {self.name} names version {tagged['version']} already,"
                f" so it cannot name version {version}.",
                do="Choose another tag.",
            )

    def optimize(self) -> None:
        """Merge small data files and bring the index up to date, once there are many.

        Rows do not change. Where another process is writing at this moment, it is left for the
        next time.
        """
        dataset = self._open()
        if dataset is None or dataset.stats.dataset_stats()["num_small_files"] < _SMALL_FILES:
            return
        try:
            dataset.optimize.compact_files()
            self._index(dataset)
        except OSError as error:
            if "conflict" not in str(error):
                raise

    def index(self) -> int:
        """Make the index that rows of an image are looked up by, where there is none.

        For a table that was just written as a whole, which leaves it without one. Rows do not
        change; of few rows none is made, and where another process is writing at this moment,
        none either.

        Returns:
            The latest version.
        """
        dataset = self._open()
        if dataset is None:
            return 0
        try:
            if not dataset.has_index and dataset.count_rows() >= _WORTH_AN_INDEX:
                self._index(dataset)
        except OSError as error:
            if "conflict" not in str(error):
                raise
        return self.version

    def _index(self, dataset: Any) -> None:
        indexed = _INDEXED.get(self.name, self.key[0] if self.key else "")
        if dataset.has_index:
            dataset.optimize.optimize_indices()
        else:
            dataset.create_scalar_index(indexed, "BTREE")

    def cleanup(self, *, older_than: timedelta) -> None:
        """Remove the versions of before that time which no tag names; never the latest."""
        dataset = self._open()
        if dataset is not None:
            dataset.cleanup_old_versions(older_than=older_than, error_if_tagged_old_versions=False)

    def _open(self, version: int | None = None) -> Any:
        """The Lance dataset, or None when nothing was written yet."""
        import lance

        if version == 0:
            return None
        try:
            return lance.dataset(self._uri, version=version, storage_options=self._options)
        except ValueError as error:
            if "was not found" not in str(error):
                raise
            if version is None:
                return None
        raise self._gone(f"Version {version}")

    def _gone(self, what: str) -> CatalogError:
        versions = [v.version for v in self.kept_versions()]
        latest = versions[-1] if versions else 0
        return CatalogError(
            f"{what} of table {self.name} of project {self._project} does not exist: it was"
            f" cleaned up or never written; the latest is {latest}.",
            do=f"Name a version that exists ({spans(versions)}), or leave it out to read the"
            " latest.",
        )

    def _open_or_create(self) -> Any:
        import lance

        dataset = self._open()
        if dataset is not None:
            return self._of_this_release(dataset)
        # Of several processes that create the table at one moment, one must win and the others
        # take what it made. lance.write_dataset(mode="create") may overwrite the winner's rows.
        empty = lance.LanceOperation.Overwrite(self._stored_schema(), [])
        try:
            return lance.LanceDataset.commit(
                self._uri, empty, storage_options=self._options, max_retries=0
            )
        except OSError:
            dataset = self._open()
            if dataset is None:
                raise
            return dataset

    def _of_this_release(self, dataset: Any) -> Any:
        """The dataset without columns that the schema has no more, and with those it has since."""
        old = [name for name in dataset.schema.names if name not in self.schema.names]
        if old:
            self._commit(lambda: dataset.drop_columns(old))
        new = self._lacking(dataset)
        null = [self.schema.field(name) for name in new if name not in EARLIER]
        if null:
            self._commit(lambda: dataset.add_columns(pa.schema(null)))
        meant = {name: f"'{EARLIER[name]}'" for name in new if name in EARLIER}
        if meant:
            self._commit(lambda: dataset.add_columns(meant))
        return dataset

    def _lacking(self, dataset: Any) -> list[str]:
        """Columns that were not there when the version was written, and can be filled."""
        return [
            field.name
            for field in self.schema
            if field.name not in dataset.schema.names and (field.nullable or field.name in EARLIER)
        ]

    def _completed(self, dataset: Any) -> pa.Table:
        """All rows of a version that lacks columns, with them."""
        return with_earlier(dataset.to_table(), self.schema).cast(self.schema)

    def _stored_schema(self) -> pa.Schema:
        """The schema with its primary key declared.

        Only then does Lance see that two concurrent merges bring the same new key.
        """
        schema = self.schema
        for position, name in enumerate(self.key, start=1):
            field = schema.field(name).with_metadata(
                {_KEY: "true", f"{_KEY}:position": str(position)}
            )
            schema = schema.set(schema.get_field_index(name), field)
        return schema

    def _conform(self, rows: pa.Table) -> pa.Table:
        """``rows`` with exactly the table's columns, order and types."""
        missing = [name for name in self.schema.names if name not in rows.schema.names]
        extra = [name for name in rows.schema.names if name not in self.schema.names]
        if missing or extra:
            raise CatalogError(
                f"Rows do not fit table {self.name}: missing columns {missing}, unknown {extra}."
            )
        try:
            rows = rows.select(self.schema.names).cast(self.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise CatalogError(f"Rows do not fit table {self.name}: {error}.") from error
        return pa.Table.from_arrays(rows.columns, schema=self._stored_schema())

    def _merge(self, rows: pa.Table, *, on: Sequence[str], replace: bool) -> int:
        if not self.key or tuple(on) != self.key:
            raise CatalogError(
                f"Rows of {self.name} cannot be merged on {tuple(on)}: their key is {self.key}."
            )
        rows = self._conform(rows)
        if rows.num_rows == 0:
            return self.version
        if rows.group_by(list(self.key)).aggregate([]).num_rows != rows.num_rows:
            raise CatalogError(f"Rows to merge into {self.name} name one {self.key} twice.")
        dataset = self._open_or_create()
        builder = dataset.merge_insert(list(self.key)).when_not_matched_insert_all()
        if replace:
            builder = builder.when_matched_update_all()
        self._commit(lambda: builder.execute(rows))
        return int(dataset.version)

    def _commit(self, write: Any) -> Any:
        """Run one Lance write; it retries conflicts with other writers by itself."""
        try:
            return write()
        except OSError as error:
            text = str(error).lower()
            if "conflict" not in text and "concurrent" not in text:
                raise
            raise CatalogError(
                f"Table {self.name} of project {self._project} could not be written: too many"
                " others were writing it at once.",
                do="Run the command again.",
            ) from error
