"""The datalake of one project: ask for images, tag them, and ask the same again as of then.

Every query is answered from a snapshot of fixed table versions and written to the project's log
with all that it takes to repeat it. An answer is never lost because the log cannot be written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.datalake.image import Image
from cv_pipeline.catalog.datalake.image_batches import (
    ImageBatch,
    Purpose,
    list_batches,
    set_aside,
)
from cv_pipeline.catalog.datalake.image_events import MetadataValue, put_metadata, put_tags
from cv_pipeline.catalog.datalake.moments import AsOf, resolve_moment
from cv_pipeline.catalog.datalake.more_like import MoreLike, more_like
from cv_pipeline.catalog.datalake.query_log import (
    AskedQuery,
    Origin,
    QueryLog,
    SavedQuery,
    is_query_id,
    new_query_id,
)
from cv_pipeline.catalog.datalake.query_result import ConditionCount, QueryResult
from cv_pipeline.catalog.datalake.references import RecordedReferences, References
from cv_pipeline.catalog.datalake.selection import Selection, select
from cv_pipeline.catalog.datalake.suggestions import suggestion
from cv_pipeline.catalog.query import QueryNode, from_keywords, parse
from cv_pipeline.catalog.query.nodes import And, Comparison, Rows, all_of
from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.catalog.snapshot import Snapshot, open_snapshot
from cv_pipeline.catalog.snapshot.look_up import find_image, find_images
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CVPipelineError, QueryError
from cv_pipeline.project import find_project
from cv_pipeline.settings import projects_dir, store_url
from cv_pipeline.storage import ObjectStore, open_store

Images: TypeAlias = QueryResult | Image | str | Iterable[Image | str] | pa.Array | pa.ChunkedArray
"""Images: a query's result, images, or references to them."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Difference:
    """What a query selects today that it did not select then, and the reverse.

    Attributes:
        then: the result as of then.
        today: the result on today's data.
        added: ids of the images that only today's has, in its order.
        removed: ids of the images that only the earlier one had, in its order.
    """

    then: QueryResult
    today: QueryResult
    added: pa.Array
    removed: pa.Array


class Datalake:
    """The images of one project, and what is known of them.

    Made by :meth:`open`.

    Args:
        catalog: the project's tables.
        references: knows dataset versions, models and moments.
        origin: where its queries come from, for the log.
    """

    def __init__(
        self, catalog: Catalog, *, references: References, origin: Origin = "python"
    ) -> None:
        self.catalog = catalog
        self._references = references
        self._origin = origin
        self._log = QueryLog(catalog)
        self._opened: Snapshot | None = None

    @classmethod
    def open(
        cls,
        project: str,
        *,
        store: ObjectStore | None = None,
        references: References | None = None,
        origin: Origin = "python",
    ) -> Datalake:
        """Open the datalake of a project.

        Args:
            project: name of the project.
            store: the object store; by default the one of ``CV_STORE``.
            references: knows dataset versions, models and moments; by default the record of
                provenance of ``DAGSTER_HOME``, which is opened when a query refers to it.
            origin: where its queries come from, for the log.

        Raises:
            ProjectError: there is no such project; the message names the nearest.
        """
        name = find_project(project, projects_dir()).name
        catalog = Catalog(store or open_store(store_url()), name)
        known = references or RecordedReferences(catalog)
        return cls(catalog, references=known, origin=origin)

    @property
    def project(self) -> str:
        """Name of the project."""
        return self.catalog.project

    def query(
        self,
        where: str | None = None,
        *,
        as_of: AsOf | None = None,
        when: str | None = None,
        **keywords: Any,
    ) -> QueryResult:
        """Select images.

        Images that were taken out are left out, unless the query says something about
        ``taken_out``; as of a time before, they are there.

        Args:
            where: conditions in the text form of the query language.
            as_of: answer as of then: a time (UTC), a dataset version, a metric
                (``project/metric@evaluation``), or table versions by name; now by default.
            when: a condition on a metric, such as ``precision >= 0.91``: answer as of the first
                evaluation at which it held, and among the images of its dataset version.
            **keywords: more conditions, all of which must hold, such as
                ``tags_count=0, metadata={'scene': 'outdoor'}, date_range='2025-Q4'``; docs/query.md
                has them all.

        Raises:
            QueryError: the query cannot be understood; the message shows where.
            CatalogError: a table version that it needs was cleaned up.
            ProvenanceError: a reference in it is unknown.
        """
        started = time.perf_counter()
        node = from_keywords(where, **keywords)
        versions: Mapping[str, int] | None = None
        if as_of is not None and when is not None:
            raise QueryError("as_of and when both say as of what to answer.", do="Give one.")
        if as_of is not None:
            versions = resolve_moment(self.catalog, as_of, self._references).table_versions
        if when is not None:
            moment = resolve_moment(self.catalog, when, self._references)
            versions = moment.table_versions
            node = _within(node, moment.dataset, when)
        return self._ask(node, versions, started)

    def image(self, ref: str) -> Image:
        """One image, as it is now.

        Args:
            ref: its SHA-256, a prefix of eight or more, or a path in its source.

        Raises:
            QueryError: no image is meant, or several are.
        """
        snapshot = self.snapshot()
        return Image(snapshot, self.catalog, find_image(snapshot, self.catalog, ref))

    def tag(
        self, images: Images, *tags: str, remove: bool = False, actor: str | None = None
    ) -> int:
        """Put tags on images, or take them off; only what changes is written.

        Args:
            images: a result of a query, images, or references to them.
            tags: the tags.
            remove: take them off.
            actor: who does it; by default ``CV_ACTOR`` or the system's user.

        Returns:
            How many tags were put on or taken off.

        Raises:
            QueryError: an image is not in the lake, or a tag cannot be one.
        """
        return put_tags(
            self.catalog,
            self._ids(images),
            tags,
            present=not remove,
            actor=actor or current_actor(),
        )

    def set_metadata(
        self,
        images: Images,
        values: Mapping[str, MetadataValue] | None = None,
        /,
        *,
        actor: str | None = None,
        **more: MetadataValue,
    ) -> int:
        """Set metadata keys of images, or unset them; only what changes is written.

        Args:
            images: a result of a query, images, or references to them.
            values: key to value, None to unset it; for keys that cannot be Python names.
            actor: who does it; by default ``CV_ACTOR`` or the system's user.
            **more: key to value likewise.

        Returns:
            How many values were set or unset.

        Raises:
            QueryError: an image is not in the lake, or a key cannot be one.
        """
        wanted = {**(values or {}), **more}
        return put_metadata(self.catalog, self._ids(images), wanted, actor=actor or current_actor())

    def more_like(
        self,
        where: str | None = None,
        *,
        n: int = 50,
        among: str | None = None,
        unlabelled: bool = False,
        **keywords: Any,
    ) -> MoreLike:
        """Images outside a selection that are most like it, without copies of each other.

        Args:
            where: what selects the examples, as in :meth:`query`.
            n: at most this many.
            among: conditions on the images to choose from; by default all.
            unlabelled: choose from images without labels only.
            **keywords: more conditions on the examples.

        Raises:
            QueryError: a query cannot be understood, or there is no example to compare with.
        """
        if n < 1:
            raise QueryError(f"{n} images cannot be listed.", do="Ask for 1 or more.")
        examples = self.query(where, **keywords)
        # images have their numbers in one snapshot alone, and others may come in at any time
        as_of = examples.table_versions
        wanted = self.query(among, as_of=as_of, labelled=False if unlabelled else None)
        return more_like(
            self.catalog,
            self.snapshot(as_of),
            examples=examples.numbers,
            among=wanted.numbers,
            n=n,
        )

    def set_aside(
        self, result: QueryResult, name: str, *, purpose: Purpose, reason: str = ""
    ) -> bool:
        """Set the images of a query aside as a batch; see :func:`image_batches.set_aside`."""
        return set_aside(
            self.catalog,
            self._ids(result),
            name=name,
            purpose=purpose,
            reason=reason,
            query=result.text,
            actor=current_actor(),
        )

    def batches(self) -> list[ImageBatch]:
        """The batches that were set aside, the newest first."""
        return list_batches(self.catalog, self.snapshot())

    def save(self, result: QueryResult, name: str) -> SavedQuery:
        """Give a query a name; see :meth:`QueryResult.save`."""
        saved = SavedQuery(
            name=name,
            text=result.text,
            table_versions=result.table_versions,
            pins=result.pins,
            count=result.count,
            digest=result.digest,
            actor=current_actor(),
            at=datetime.now(UTC),
        )
        self._log.save(saved)
        return saved

    def forget(self, name: str) -> None:
        """Take the name of a saved query away; the log keeps what was asked.

        Raises:
            QueryError: there is no such name.
        """
        self._log.forget(name, actor=current_actor())

    def saved(self, name: str) -> SavedQuery:
        """What a name stands for.

        Raises:
            QueryError: there is no such name; the message names the nearest.
        """
        return self._log.saved(name)

    def queries(self) -> list[SavedQuery]:
        """Every saved query, by name."""
        return self._log.all_saved()

    def log(self, *, limit: int | None = None) -> list[AskedQuery]:
        """The queries that were asked, the newest first."""
        return self._log.recent(limit=limit)

    @overload
    def rerun(self, which: str, *, today: Literal[False] = False) -> QueryResult: ...

    @overload
    def rerun(self, which: str, *, today: Literal[True]) -> Difference: ...

    def rerun(self, which: str, *, today: bool = False) -> QueryResult | Difference:
        """Ask a query of the log, or a saved one, again.

        Args:
            which: its id in the log, or its name.
            today: also ask it on today's data, and list what differs.

        Returns:
            The same result as then; with ``today``, both results and the difference.

        Raises:
            QueryError: there is no such query, or what it refers to has changed since, so that its
                result cannot be had again.
            CatalogError: a table version that was read then was cleaned up since.
        """
        asked = self._log.find(which) if is_query_id(which) else self._log.saved(which)
        if asked is None:
            raise QueryError(
                f"Project {self.project} has no query {which!r} in its log.",
                do=f"Run: cvp queries {self.project} --log",
            )
        node = parse(asked.text)
        then = self._ask(node, asked.table_versions, time.perf_counter(), pins=asked.pins)
        if then.digest != asked.digest:
            raise QueryError(
                f"Query {which!r} gives {then.count:,} images as of the same table versions, with"
                f" the digest {then.digest[:16]}, not the {asked.count:,} of {asked.at:%Y-%m-%d}"
                f" with {asked.digest[:16]}: it asks for what is not kept ({asked.text}).",
                do="The likeness of images is that of now: without it the query can be repeated.",
            )
        if not today:
            return then
        now = self._ask(node, None, time.perf_counter())
        return Difference(then, now, added=_only_in(now, then), removed=_only_in(then, now))

    def snapshot(self, table_versions: Mapping[str, int] | None = None) -> Snapshot:
        """Everything that queries can ask about, as of some table versions."""
        self._opened = open_snapshot(
            self.catalog, table_versions=table_versions, opened=self._opened
        )
        return self._opened

    def count_conditions(self, selection: Selection) -> list[ConditionCount]:
        """How many images each top condition of a query selects alone."""
        where = parse(selection.text).where
        if where is None:
            return []
        counts = []
        for condition in where.operands if isinstance(where, And) else (where,):
            found = select(
                QueryNode(condition),
                snapshot=selection.snapshot,
                catalog=self.catalog,
                references=self._references,
            )
            hint = "" if len(found.numbers) else suggestion(condition, selection.snapshot)
            counts.append(ConditionCount(condition_text(condition), len(found.numbers), hint))
        return counts

    def _ask(
        self,
        node: QueryNode,
        versions: Mapping[str, int] | None,
        started: float,
        *,
        pins: Mapping[str, str] | None = None,
    ) -> QueryResult:
        found = select(
            node,
            snapshot=self.snapshot(versions),
            catalog=self.catalog,
            references=self._references,
            pins=pins,
        )
        seconds = time.perf_counter() - started
        result = QueryResult(self, found, query_id=new_query_id(), seconds=seconds)
        self._write_down(result)
        return result

    def _write_down(self, result: QueryResult) -> None:
        asked = AskedQuery(
            query_id=result.query_id,
            text=result.text,
            sql=result.sql,
            parameters=result.parameters,
            table_versions=result.table_versions,
            pins=result.pins,
            count=result.count,
            digest=result.digest,
            seconds=result.seconds,
            origin=self._origin,
            actor=current_actor(),
            at=datetime.now(UTC),
        )
        try:
            self._log.append(asked)
        except (CVPipelineError, OSError) as error:  # who may only read still gets an answer
            _logger.warning(
                "The query was answered, but not written to the log of %s: %s", self.project, error
            )

    def _ids(self, images: Images) -> pa.Array:
        """Ids of images, sorted and each once.

        Raises:
            QueryError: one of them is not in the lake.
        """
        if isinstance(images, QueryResult):
            return images.image_ids.sort()
        snapshot = self.snapshot()
        if isinstance(images, pa.Array | pa.ChunkedArray):
            numbers = snapshot.numbering.find(images)
            unknown = np.flatnonzero(numbers < 0)
            if len(unknown):
                raise QueryError(
                    f"{len(unknown):,} images are not in project {self.project}, such as"
                    f" {images[int(unknown[0])].as_py()!r}."
                )
        else:
            several = [images] if isinstance(images, str | Image) else images
            refs = [image.id if isinstance(image, Image) else image for image in several]
            numbers = find_images(snapshot, self.catalog, refs)
        return snapshot.image_ids(np.unique(numbers))


def _within(node: QueryNode, dataset: str | None, when: str) -> QueryNode:
    """A query among the images of a dataset version."""
    if dataset is None:
        raise QueryError(f"No dataset version belongs to the moment of {when!r}.")
    inside = Comparison(Rows("dataset", dataset), ">=", 1)
    conditions = [node.where, inside] if node.where else [inside]
    return replace(node, where=all_of(conditions))


def _only_in(one: QueryResult, other: QueryResult) -> pa.Array:
    """Ids of one result that the other does not have, in order."""
    ids = one.image_ids
    return ids.filter(pc.invert(pc.is_in(ids, value_set=other.image_ids)))
