"""Images of a project by their id: that they are its own, still there, and whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.errors import ImageError, ObjectCorrupt, ObjectNotFound
from cv_pipeline.inspector.problems import NotFound, RequestError
from cv_pipeline.inspector.workspace import FRESH_SECONDS, Workspace
from cv_pipeline.storage import Blobs, Tombstones


class Altered(RequestError):
    """What the store keeps of an image is not what was kept."""

    status = 409


class Unreadable(RequestError):
    """An image, or a part or view of it that is asked for, cannot be shown."""

    status = 422


@contextmanager
def readable() -> Iterator[None]:
    """Answer what a reader refuses.

    Raises:
        Unreadable: in place of an ``ImageError``.
    """
    try:
        yield
    except ImageError as error:
        raise Unreadable(error.what, do=error.do) from error


@dataclass(frozen=True)
class Facts:
    """What the lake knows of an image before it is read.

    Attributes:
        path: path in its source.
        format: container format by content, such as ``JPEG``.
        width: pixels.
        height: pixels.
        bands: samples per pixel.
        dtype: type of a sample.
        bytes: size of the file.
    """

    path: str
    format: str
    width: int
    height: int
    bands: int
    dtype: str
    bytes: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.rpartition("/")[2]

    @property
    def decoded(self) -> int:
        """Bytes of its decoded pixels."""
        return self.width * self.height * self.bands * np.dtype(self.dtype).itemsize


class Images:
    """The images of a workspace's projects.

    A page of pictures asks a hundred times within a second, so which images a project has is as of
    the last second; what is not found then is looked for in what is there now.

    Args:
        workspace: what is read.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._recent: dict[str, tuple[float, Snapshot]] = {}

    def find(self, project: str, image_id: str) -> tuple[Snapshot, int]:
        """An image that a project has and that was not taken out.

        Returns:
            A snapshot of the project, and the image's number in it.

        Raises:
            NotFound: the project has no such image, whoever else has it.
            ObjectTakenOut: it was taken out.
        """
        read, snapshot = self._recent.get(project, (0.0, None))
        number = -1
        if snapshot is not None and time.monotonic() - read < FRESH_SECONDS:
            number = _number(snapshot, image_id)
        if snapshot is None or number < 0:
            snapshot = self._workspace.snapshot(project)
            self._recent[project] = (time.monotonic(), snapshot)
            number = _number(snapshot, image_id)
        _require(self._workspace, project, image_id, number)
        return snapshot, number


def require_image(workspace: Workspace, project: str, image_id: str) -> int:
    """See that a project has an image now and that it was not taken out.

    Returns:
        The image's number in the project's newest snapshot.

    Raises:
        NotFound: the project has no such image, whoever else has it.
        ObjectTakenOut: it was taken out.
    """
    number = _number(workspace.snapshot(project), image_id)
    _require(workspace, project, image_id, number)
    return number


def _require(workspace: Workspace, project: str, image_id: str, number: int) -> None:
    if number < 0:
        raise NotFound(
            f"Project {project} has no image {image_id[:80]!r}.",
            do="Open the grid of its images; the link may be of another project.",
        )
    tombstone = Tombstones(workspace.store).get(image_id)
    if tombstone is not None:
        raise tombstone.error()


def _number(snapshot: Snapshot, image_id: str) -> int:
    return int(snapshot.numbering.find(pa.array([image_id], pa.string()))[0])


def image_facts(snapshot: Snapshot, number: int) -> Facts:
    """What the lake knows of an image."""
    names = ("path", "format", "width", "height", "bands", "dtype", "bytes")
    return Facts(**{name: snapshot.images[name][number].as_py() for name in names})


def read_image(workspace: Workspace, image_id: str) -> bytes:
    """The bytes of an image, verified.

    Raises:
        ObjectTakenOut: it was taken out.
        ObjectNotFound: its bytes are gone though nobody took it out.
        Altered: they are not what was kept.
    """
    try:
        return Blobs(workspace.store).read(image_id)
    except ObjectCorrupt as error:
        raise Altered(error.what, do=error.do) from error
    except ObjectNotFound as error:
        raise ObjectNotFound(
            f"The pixels of image {image_id} are gone from {workspace.store.url}, though nobody"
            " took it out.",
            do="Restore them from a backup, or ingest again as long as the source has the file.",
        ) from error
