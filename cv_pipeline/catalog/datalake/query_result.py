"""The answer to a query of the datalake: the images, and all that it takes to ask again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.datalake.image import Image
from cv_pipeline.catalog.datalake.selection import Selection
from cv_pipeline.catalog.query import Parameter
from cv_pipeline.catalog.snapshot import ids_digest
from cv_pipeline.catalog.snapshot.rows import take_rows
from cv_pipeline.errors import QueryError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.catalog.datalake.query_log import SavedQuery

_METADATA = "metadata."


@dataclass(frozen=True)
class ConditionCount:
    """How many images meet one condition of a query, whatever the others say.

    Attributes:
        text: the condition in its canonical text form.
        count: images that meet it.
        hint: what it may have meant, where no image meets it; empty otherwise.
    """

    text: str
    count: int
    hint: str = ""


class QueryResult:
    """The images that a query selected, in order, and how it was asked.

    Made by :meth:`Datalake.query`. It shows the lake as of the table versions that were read,
    whatever happens to the tables afterwards.

    Args:
        lake: the lake that was asked.
        selection: what it selected.
        query_id: id of the query in the log.
        seconds: how long it took.
    """

    def __init__(
        self, lake: Datalake, selection: Selection, *, query_id: str, seconds: float
    ) -> None:
        self._lake = lake
        self._selection = selection
        self.query_id = query_id
        self.seconds = seconds

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._selection.numbers)

    def __iter__(self) -> Iterator[Image]:
        """The images one after the other, each read when it is asked for something."""
        for number in self._selection.numbers:
            yield self._image(number)

    def __getitem__(self, position: int) -> Image:
        """The image at a position."""
        return self._image(self._selection.numbers[position])

    def __repr__(self) -> str:
        """The query, and what came of it."""
        return f"QueryResult({self.text!r}, count={self.count:,}, digest={self.digest[:16]}…)"

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self)

    @property
    def numbers(self) -> NDArray[np.int32]:
        """Numbers of the images in the snapshot, in order."""
        return self._selection.numbers

    @cached_property
    def images_then(self) -> int:
        """Images that were in the lake as of those table versions and not taken out."""
        return int(pc.sum(pc.invert(self._selection.snapshot.images["taken_out"])).as_py() or 0)

    @cached_property
    def image_ids(self) -> pa.Array:
        """Image ids in order: array of strings."""
        return self._selection.image_ids

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the image ids in order, each followed by a line feed."""
        return ids_digest(pa.chunked_array([self.image_ids]))

    @property
    def text(self) -> str:
        """The query in its canonical text form."""
        return self._selection.text

    @property
    def sql(self) -> str:
        """The DuckDB statement that it compiled to."""
        return self._selection.sql

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Values that were bound in the statement, by name."""
        return dict(self._selection.parameters)

    @property
    def table_versions(self) -> dict[str, int]:
        """Table to the version that was read."""
        return dict(self._selection.table_versions)

    @property
    def pins(self) -> dict[str, str]:
        """What the references in it meant: such as ``dataset fruit@latest`` to its folder."""
        return dict(self._selection.pins)

    @cached_property
    def taken_out(self) -> pa.Array:
        """Ids of those images that were taken out since: their pixels are gone."""
        gone = self._lake.catalog.table("takeouts").read(columns=["image_id"])["image_id"]
        numbers = self._selection.snapshot.numbering.find(gone)
        at = np.isin(self._selection.numbers, numbers[numbers >= 0])
        return self.image_ids.filter(pa.array(at)) if at.any() else pa.array([], pa.string())

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The images as rows, in order.

        Args:
            columns: columns of the relation of images, and ``metadata.KEY`` for the current value
                of a metadata key (text, null where it is not set); by default all of the relation
                of images but its internal number.

        Raises:
            QueryError: there is no such column.
        """
        images = self._selection.snapshot.images.drop_columns(["n"])
        names = list(columns) if columns is not None else images.schema.names
        own = [name for name in names if not name.startswith(_METADATA)]
        for name in own:
            if name not in images.schema.names:
                raise QueryError(
                    f"There is no column {name!r}.", do=nearest(name, images.schema.names)
                )
        taken = take_rows(images.select(own), self._selection.numbers) if own else None
        found = {
            name: taken[name] if taken is not None and name in own else self._metadata(name)
            for name in names
        }
        return pa.table(found)

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The images as a data frame; see :meth:`to_arrow`."""
        frame: pd.DataFrame = self.to_arrow(columns).to_pandas()
        return frame

    def save(self, name: str) -> SavedQuery:
        """Give the query a name, under which everybody with this store can ask it again.

        Raises:
            QueryError: it is not a name.
            CatalogError: a table version that was read is gone.
        """
        return self._lake.save(self, name)

    def conditions(self) -> list[ConditionCount]:
        """How many images each condition selects alone: where one selects none, it is why.

        The conditions are those that the query joins by ``and`` at its top.
        """
        return self._lake.count_conditions(self._selection)

    def _image(self, number: int) -> Image:
        return Image(self._selection.snapshot, self._lake.catalog, int(number))

    def _metadata(self, name: str) -> pa.ChunkedArray:
        """Value of a metadata key for each image, null where it is not set."""
        metadata = self._selection.snapshot.metadata
        rows = metadata.filter(pc.equal(metadata["key"], name.removeprefix(_METADATA)))
        values = rows["value"].cast(pa.string()).combine_chunks()
        known = rows["n"].to_numpy()
        numbers = self._selection.numbers
        at = np.minimum(np.searchsorted(known, numbers), max(len(known) - 1, 0))
        is_set = known[at] == numbers if len(known) else np.zeros(len(numbers), bool)
        return pa.chunked_array([values.take(pa.array(at, mask=~is_set))])
