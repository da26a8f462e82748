"""Exports of a dataset version to other tools' formats, and back again.

The same version gives the same bytes in every file: everything is sorted, and no time of writing
is kept. What a format has no place for is named, with how much of it there is; images that were
taken out are left out and named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.content import SPLITS, Content, lost_fields
from cv_pipeline.annotations.formats import FORMATS, Format
from cv_pipeline.annotations.formats.registry import EXPORT_SCHEMA
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.exporting.content import read_content
from cv_pipeline.datasets.exporting.folder import ExportFolder, new_folder
from cv_pipeline.datasets.exporting.record import (
    ExportedSplit,
    ExportRecord,
    files_digest,
    write_export_record,
)
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.errors import DatasetError, nearest
from cv_pipeline.project import SplitName, Task
from cv_pipeline.storage import Blobs

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Export:
    """An exported folder.

    Attributes:
        folder: where it is.
        record: what its ``export.json`` says.
    """

    folder: Path
    record: ExportRecord

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(split.images for split in self.record.splits.values())

    @property
    def labels(self) -> int:
        """Number of labels."""
        return sum(split.labels for split in self.record.splits.values())

    @property
    def lost(self) -> dict[str, int]:
        """Field to how many images, labels or classes have it, which the format cannot hold."""
        return self.record.lost


def written_formats(task: Task) -> list[str]:
    """Names of the formats that a dataset of a task can be exported to, sorted."""
    return sorted(f.name for f in FORMATS.values() if task in f.holds)


def export_version(
    version: DatasetVersion,
    *,
    format: str,  # noqa: A002 - the word for it
    to: Path,
    blobs: Blobs | None = None,
    catalog: Catalog | None = None,
    splits: Sequence[SplitName] = (),
    taken_out: Collection[str] = (),
    progress: Progress | None = None,
) -> Export:
    """Export a dataset version.

    Args:
        version: the dataset version.
        format: name of a format.
        to: folder to make; it may exist if it is empty.
        blobs: the images, which are copied; None exports the labels alone.
        catalog: the project's tables, for the metadata; None leaves it out.
        splits: splits to export; all by default.
        taken_out: images that are known to be taken out; others are found out as they are copied.
        progress: called with images done, images in all, and what is being done.

    Raises:
        DatasetError: the format is unknown or cannot hold this task, a split is empty, ``to`` is
            not free, or an image is missing or damaged.
        StorageError: the folder cannot be written.
    """
    kind = _writable(format, version.record.task)
    content = read_content(version, catalog=catalog, with_images=blobs is not None)
    content = _of_splits(content, splits)
    gone = _among(content, taken_out)
    content = _without(content, gone)
    with new_folder(to) as folder:
        target = ExportFolder(folder, blobs=blobs, progress=_told(progress, len(content.images)))
        assert kind.write is not None
        kind.write(_writable_part(content, kind), target)
        content = _without(content, sorted(target.taken_out))
        record = _record(kind, content, target, [*gone, *target.taken_out])
        write_export_record(record, folder)
    return Export(to.absolute(), record)


def _told(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(done, total, "images copied")


def _writable(name: str, task: Task) -> Format:
    names = written_formats(task)
    found = FORMATS.get(name)
    if found is None or not found.holds:
        raise DatasetError(f"There is no export to {name!r}.", do=nearest(name, names))
    if task not in found.holds:
        raise DatasetError(
            f"{name} has no usual way to say the class of an image, and this is a dataset of"
            f" {task}.",
            do=f"Export to {' or '.join(names)}.",
        )
    return found


def _of_splits(content: Content, splits: Sequence[SplitName]) -> Content:
    for split in splits:
        if split not in SPLITS:
            raise DatasetError(f"There is no split {split!r}.", do=nearest(split, SPLITS))
        if split not in content.splits:
            raise DatasetError(
                f"The dataset version {content.digest[:12]} has no image in {split}.",
                do=f"It has {', '.join(content.splits)}.",
            )
    if not splits:
        return content
    wanted = pa.array(list(splits), pa.string())
    return content.only(pc.is_in(content.images["split"], value_set=wanted))


def _among(content: Content, image_ids: Collection[str]) -> list[str]:
    """Those of some images that the content has."""
    wanted = pa.array(list(image_ids), pa.string())
    ids = content.images["image_id"]
    found: list[str] = ids.filter(pc.is_in(ids, value_set=wanted)).to_pylist()
    return found


def _without(content: Content, image_ids: Sequence[str]) -> Content:
    if not image_ids:
        return content
    gone = pa.array(list(image_ids), pa.string())
    return content.only(pc.invert(pc.is_in(content.images["image_id"], value_set=gone)))


def _writable_part(content: Content, kind: Format) -> Content:
    """The images that the format has a place for: in some, an image without a class has none."""
    if "unlabelled_image" in kind.holds[content.task]:
        return content
    on = content.annotations["image"].combine_chunks()
    return content.only(pc.is_in(content.images["number"], value_set=on))


def _record(
    kind: Format, content: Content, target: ExportFolder, taken_out: Sequence[str]
) -> ExportRecord:
    files = dict(sorted(target.files.items()))
    written = _writable_part(content, kind)
    parts = {split: written.of_split(split) for split in written.splits}
    return ExportRecord(
        schema_id=EXPORT_SCHEMA,
        format=kind.name,
        dataset=content.digest,
        project=content.project,
        task=content.task,
        with_images=content.with_images,
        splits={
            split: ExportedSplit(images=len(part.images), labels=len(part.annotations))
            for split, part in parts.items()
        },
        lost=lost_fields(content, held=kind.holds[content.task], altered=kind.altered(content)),
        taken_out=tuple(sorted(taken_out)),
        digest=files_digest(files),
        files=files,
    )
