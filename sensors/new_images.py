"""Finds images in a project's source that the catalogue does not have, and ingests them."""

import hashlib
from pathlib import Path

import dagster as dg

from cv_pipeline.catalog.ingest.ingest import pending_files
from cv_pipeline.project import resolved_source
from sensors.watch import Seen, Watched, watching_sensor

CAUSE_LENGTH = 16


def new_images_sensor(project: str) -> dg.SensorDefinition:
    """The new-images sensor of one project."""
    return watching_sensor(
        project,
        "new_images",
        job=f"{project}_ingest",
        description=f"Ingests new images of {project}'s source as a batch.",
        look=_look,
    )


def _look(watched: Watched) -> Seen | str:
    url = resolved_source(watched.project)
    state = _archive_state(url)
    if state and state == watched.context.cursor:
        return "the archive has not changed"
    pending = pending_files(watched.catalog, watched.object_store.source(url))
    if not pending:
        watched.context.update_cursor(state)
        return "no new images"
    listing = "\n".join(f"{e.path}\t{e.fingerprint}" for e in pending)
    return Seen(
        cause=hashlib.sha256(listing.encode()).hexdigest()[:CAUSE_LENGTH],
        what=f"{len(pending):,} files were",
        tags={"cv_pipeline/new_files": str(len(pending))},
    )


def _archive_state(url: str) -> str:
    """Size and time of a local archive, so that it is not unpacked in vain; empty for others."""
    path = Path(url.partition("!")[0])
    if not path.is_file():
        return ""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"
