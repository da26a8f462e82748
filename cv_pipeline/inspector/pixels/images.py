"""Images of a project by their id: that they are its own, still there, and whole."""

from __future__ import annotations

import pyarrow as pa

from cv_pipeline.errors import ObjectNotFound
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.storage import Blobs, Tombstones


def require_image(workspace: Workspace, project: str, image_id: str) -> None:
    """See that a project has an image and that it was not taken out.

    Raises:
        NotFound: the project has no such image, whoever else has it.
        ObjectTakenOut: it was taken out.
    """
    number = workspace.snapshot(project).numbering.find(pa.array([image_id], pa.string()))[0]
    if number < 0:
        raise NotFound(
            f"Project {project} has no image {image_id!r}.",
            do="Open the grid of its images; an older link may be of another project.",
        )
    tombstone = Tombstones(workspace.store).get(image_id)
    if tombstone is not None:
        raise tombstone.error()


def read_image(workspace: Workspace, image_id: str) -> bytes:
    """The bytes of an image, verified.

    Raises:
        ObjectTakenOut: it was taken out.
        ObjectNotFound: its bytes are gone though nobody took it out.
        ObjectCorrupt: they are not what was kept.
    """
    try:
        return Blobs(workspace.store).read(image_id)
    except ObjectNotFound as error:
        raise ObjectNotFound(
            f"The pixels of image {image_id} are gone from {workspace.store.url}, though nobody"
            " took it out.",
            do="Restore them from a backup, or ingest again as long as the source has the file.",
        ) from error
