"""Taking images out: what is recorded, and every copy of their pixels that goes.

The tombstone comes first: from then on nobody keeps the image again. The tables say so next, so
that no new dataset version has an image without pixels; then the pixels go. All of it repeats
harmlessly, so a take-out that was killed anywhere is completed by asking for it again; until then
its tombstone says that it is not complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from cv_pipeline.catalog.pictures import remove_contact_sheets
from cv_pipeline.catalog.purge import purge_rows
from cv_pipeline.catalog.schemas import TAKEOUTS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.storage import Blobs, ObjectStore, Tombstone, Tombstones
from cv_pipeline.storage.local_copies import LocalCopies, remove_copies


@dataclass(frozen=True)
class TakeOutReport:
    """What a take-out did.

    Attributes:
        tombstones: of the images; not complete while a process may hold a staged copy.
        pictures: keys of the contact sheets that showed one of them and were removed.
        copies: what became of the copies on this machine.
        models_marked: models that were marked by this take-out.
    """

    tombstones: tuple[Tombstone, ...]
    pictures: tuple[str, ...]
    copies: LocalCopies
    models_marked: int


def take_out(
    images: Sequence[Tombstone],
    *,
    store: ObjectStore,
    home: Path,
    mark: Callable[[Sequence[Tombstone]], int],
) -> TakeOutReport:
    """Take images out of a store and of every project whose catalogue holds them.

    Args:
        images: tombstones to be, with all that had used the images; where one stands already, who,
            when and why stay as they are.
        store: the object store.
        home: ``CV_HOME``, for copies on this machine.
        mark: marks the models that were trained on images, and says how many it marked.

    Raises:
        StorageError: the object store failed; nothing is lost, and it can be run again.
        CatalogError: others were writing the tables; it can be run again.
    """
    known = Tombstones(store)
    standing = [_bury(known, image) for image in images]
    projects = sorted({project for tombstone in standing for project in tombstone.paths})
    held = {project: [t for t in standing if project in t.paths] for project in projects}
    for project in projects:
        _record(Catalog(store, project), held[project])
    blobs = Blobs(store)
    for tombstone in standing:
        blobs.remove(tombstone.image_id)
    pictures: list[str] = []
    for project in projects:
        ids = [t.image_id for t in held[project]]
        purge_rows(Catalog(store, project).table("signatures"), one_of("image_id", ids))
        pictures += remove_contact_sheets(store, project, ids)
    sizes = {t.image_id: t.bytes for t in standing}
    copies = remove_copies(home, sizes, projects=projects)
    marked = mark(standing)
    if not copies.in_use:
        now = datetime.now(UTC)
        standing = [t.model_copy(update={"completed_at": t.completed_at or now}) for t in standing]
        for tombstone in standing:
            known.replace(tombstone)
    return TakeOutReport(tuple(standing), tuple(pictures), copies, marked)


def _bury(known: Tombstones, image: Tombstone) -> Tombstone:
    """Write a tombstone, or add to the one that stands what has come to be known since."""
    standing = known.create(image)
    uses = {(use.key, use.version): use for use in (*image.used_by, *standing.used_by)}
    merged = standing.model_copy(
        update={
            "paths": {**image.paths, **standing.paths},
            "bytes": image.bytes if standing.bytes is None else standing.bytes,
            "used_by": tuple(uses[place] for place in sorted(uses)),
        }
    )
    if merged != standing:
        # something new holds it or was made of it: what there is to remove is looked at again
        merged = merged.model_copy(update={"completed_at": None})
        known.replace(merged)
    return merged


def _record(catalog: Catalog, tombstones: Sequence[Tombstone]) -> None:
    table = catalog.table("takeouts")
    rows = [t.model_dump(include=set(TAKEOUTS.names)) for t in tombstones]
    table.insert(pa.Table.from_pylist(rows, schema=TAKEOUTS), on=table.key)
