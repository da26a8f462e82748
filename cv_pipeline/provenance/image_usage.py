"""What knows an image and what had used it, of every project: asked before it is taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.image_references import find_image
from cv_pipeline.datasets.image_rows import rows_at
from cv_pipeline.datasets.record import MANIFEST_FILE
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance.image_history import DatasetInLog, dataset_versions
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.trace import Node, Trace, node_of, trace_down
from cv_pipeline.storage import ObjectStore, Tombstone, Tombstones, Use

_INLINE_PICTURE = "data:image/"


@dataclass(frozen=True)
class ImageUsage:
    """An image, where it is known, and all that had used it.

    Attributes:
        image_id: the image.
        paths: project to the path that the image has in its catalogue.
        files: project to the files of its source that held it when they were last ingested.
        bytes: size of the file; None when no catalogue knows the image.
        used_by: dataset versions that hold it, and what was made of them.
        lost: dataset versions whose folder is not in the store: they may have held it too.
        pictures_in_log: events of an earlier release that have a picture of some images inside,
            which may show this one and cannot be changed.
        tombstone: its tombstone, when it was taken out before.
    """

    image_id: str
    paths: dict[str, str]
    files: dict[str, tuple[str, ...]]
    bytes: int | None
    used_by: tuple[Use, ...]
    lost: tuple[str, ...]
    pictures_in_log: tuple[int, ...]
    tombstone: Tombstone | None


def image_usage(
    refs: Iterable[str],
    *,
    index: LineageIndex,
    store: ObjectStore,
    projects: Iterable[str],
    cache: Path,
) -> list[ImageUsage]:
    """What knows some images and what had used them, each image once.

    Args:
        refs: SHA-256 of an image, a prefix of eight or more, a file, or a path in a source.
        index: the event log.
        store: the object store.
        projects: projects whose catalogues are looked in, beside those of the event log.
        cache: folder for indexes of images that a dataset version lacks.

    Raises:
        ProvenanceError: nobody knows such an image, or a reference fits several.
    """
    in_log = dataset_versions(index, store, cache=cache)
    versions, lost = in_log.found, tuple(event.version for event in in_log.lost)
    names = {key.split("/")[0] for key in index.asset_keys()} | set(projects)
    catalogs = [Catalog(store, name) for name in sorted(names)]
    found: dict[str, ImageUsage] = {}
    for ref in refs:
        image_id = find_image(ref, store=store, catalogs=catalogs, versions=versions)
        usage = _usage(image_id, index, store, catalogs, versions, lost) if image_id else None
        if usage is None or not (usage.paths or usage.used_by or usage.tombstone):
            raise ProvenanceError(
                f"No catalogue and no dataset version holds an image {ref!r}.",
                do="Give its SHA-256, a prefix of 8 or more, a file, or its path in the source.",
            )
        found[usage.image_id] = usage
    return list(found.values())


def _usage(
    image_id: str,
    index: LineageIndex,
    store: ObjectStore,
    catalogs: Sequence[Catalog],
    versions: Sequence[DatasetInLog],
    lost: tuple[str, ...],
) -> ImageUsage:
    paths: dict[str, str] = {}
    files: dict[str, tuple[str, ...]] = {}
    size: int | None = None
    this = pc.field("image_id") == image_id
    for catalog in catalogs:
        row = catalog.table("images").read(columns=["path", "bytes"], filter=this).to_pylist()
        if row:
            paths[catalog.project] = row[0]["path"]
            size = row[0]["bytes"]
            held = catalog.table("files").read(columns=["path"], filter=this)["path"]
            files[catalog.project] = tuple(sorted(held.to_pylist()))
    holding = [version for version in versions if version.images.row(image_id) is not None]
    return ImageUsage(
        image_id=image_id,
        paths=paths,
        files=files,
        bytes=size,
        used_by=_uses(image_id, index, store, holding),
        lost=lost,
        pictures_in_log=_pictures_in_log(index, holding, paths),
        tombstone=Tombstones(store).get(image_id),
    )


def _uses(
    image_id: str, index: LineageIndex, store: ObjectStore, holding: Sequence[DatasetInLog]
) -> tuple[Use, ...]:
    """The dataset versions and everything below them, each once, by key and version."""
    uses: dict[tuple[str, str], Use] = {}
    for version in holding:
        row = version.images.row(image_id)
        assert row is not None
        manifest = version.table(store, MANIFEST_FILE)
        split = rows_at(manifest, [row], columns=["split"])["split"][0].as_py()
        whole = Trace(node_of(index, version.event), down=trace_down(index, version.event))
        for node in _users(whole, image_id):
            place = (node.key, node.version)
            # what came of training on it, by whatever way, counts as that
            if place not in uses or split == "train":
                assert node.storage_id is not None
                uses[place] = Use(
                    kind=node.kind,
                    key=node.key,
                    version=node.version,
                    storage_id=node.storage_id,
                    split=split,
                    metrics=_metrics(node),
                )
    return tuple(uses[place] for place in sorted(uses))


def _metrics(node: Node) -> dict[str, float]:
    """What an evaluation measured; nothing for anything else."""
    if node.kind != "evaluation":
        return {}
    return {name: value for name, value in node.metadata.items() if isinstance(value, float)}


def _users(trace: Trace, image_id: str) -> Iterator[Node]:
    """What used an image: not what left it out, nor what came of that."""
    if image_id in trace.node.metadata.get("left_out", ()):
        return
    yield trace.node
    for below in trace.down:
        yield from _users(below, image_id)


def _pictures_in_log(
    index: LineageIndex, holding: Sequence[DatasetInLog], paths: Iterable[str]
) -> tuple[int, ...]:
    versions = {version.event.version for version in holding}
    keys = {f"{project}/raw_images" for project in paths}
    keys |= {version.event.key for version in holding}
    return tuple(
        sorted(
            event.storage_id
            for key in keys
            for event in index.oldest_first(key)
            if event.asset == "raw_images" or event.version in versions
            if _INLINE_PICTURE in str(event.metadata.get("picture", ""))
        )
    )
