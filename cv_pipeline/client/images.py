"""Images as the client has them: what a query selects, and one image of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cv_pipeline.client.connection import Connection, segment
from cv_pipeline.client.models import GridItem, GridPage, GridRows

_STRETCH = 300


class Images:
    """The images of a query, read as they are needed.

    Args:
        connection: the connection.
        project: name of the project.
        where: what is asked: ``q``, ``evaluation``, ``label``, ``kind``, ``sort``, …
    """

    def __init__(self, connection: Connection, project: str, where: dict[str, Any]) -> None:
        self._connection = connection
        self._path = f"/p/{segment(project)}/images"
        self._project = project
        self._where = where
        self._page = connection.get(GridPage, self._path, **where)

    def __len__(self) -> int:
        """How many images there are."""
        return self._page.total or 0

    def __iter__(self) -> Iterator[RemoteImage]:
        """The images in order, some hundreds read at a time."""
        for start in range(0, len(self), _STRETCH):
            rows = self._connection.get(
                GridRows, f"{self._path}/rows", start=start, count=_STRETCH, **self._where
            )
            for item in rows.items:
                yield RemoteImage(self._connection, self._project, item)

    def __repr__(self) -> str:
        """The query, and how many images it has."""
        return f"Images({self.text!r}, count={self.count:,})"

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self)

    @property
    def text(self) -> str:
        """The query in its canonical text form."""
        return self._page.canonical or ""


class RemoteImage:
    """An image that lies where it lies: only what is asked for is sent.

    Attributes:
        item: what the grid shows of it, the boxes of labels and predictions among it.
    """

    def __init__(self, connection: Connection, project: str, item: GridItem) -> None:
        self._connection = connection
        self._path = f"/p/{segment(project)}/images/{item.id}"
        self.item = item

    def __repr__(self) -> str:
        """Its id and path."""
        return f"RemoteImage({self.id[:16]}…, {self.path!r})"

    @property
    def id(self) -> str:
        """SHA-256 of the file's bytes."""
        return self.item.id

    @property
    def path(self) -> str:
        """Path in its source."""
        return self.item.path

    def thumbnail(self, *, size: int = 256) -> bytes:
        """A small picture of it: JPEG."""
        return self._connection.read(f"{self._path}/thumbnail", size=size)

    def picture(self, **view: Any) -> bytes:
        """It as it is viewed.

        Args:
            **view: ``size``, ``bands``, ``low``, ``high``, ``gamma``, ``map``, ``preset``, …: see
                docs/inspector/pixels.md.
        """
        return self._connection.read(f"{self._path}/picture", **view)
