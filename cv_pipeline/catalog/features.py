"""The features of every image of the lake, each computed once.

Incremental and resumable: only images without features are read, and what is committed is never
computed again. An image that cannot be read goes to the quarantine and is tried again next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.engine import map_batches
from cv_pipeline.catalog.image_features import FeatureExtractor, Features, Unmeasurable
from cv_pipeline.catalog.ingest_read import Progress
from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.schemas import IMAGE_FEATURES
from cv_pipeline.catalog.tables import Catalog, CatalogTable, one_of
from cv_pipeline.errors import ObjectCorrupt, ObjectNotFound
from cv_pipeline.project import Project
from cv_pipeline.storage import Blobs

STAGE = "image_features"
"""Stage under which images that cannot be read are quarantined."""

_CALL_IMAGES = 64
_CALL_BYTES = 16 << 20
_COMMIT_IMAGES = 1024
_READERS = 8
_CRASHED = Unmeasurable(
    "decoder_crash", "The decoder broke down over the image, or ran out of memory."
)
_DIGESTED = [name for name in IMAGE_FEATURES.names if name != "thumbnail"]


@dataclass(frozen=True)
class FeaturesReport:
    """What the features are after a run.

    Attributes:
        digest: SHA-256 of all features but the thumbnails, which the hashes stand for.
        images: images that have features.
        new: those that this run computed.
        quarantined: images that could not be read.
        version: version of the table ``image_features``.
    """

    digest: str
    images: int
    new: int
    quarantined: int
    version: int


def compute_features(
    *,
    project: Project,
    catalog: Catalog,
    blobs: Blobs,
    progress: Progress,
    images_version: int | None = None,
) -> FeaturesReport:
    """Compute the features of the images that have none.

    Args:
        project: whose limits count.
        catalog: its tables.
        blobs: where the images' bytes are kept.
        progress: called with images done and images to do, at least every few seconds.
        images_version: version of the table ``images`` that tells which images there are; the
            latest by default.

    Raises:
        StorageError: the object store failed.
        CatalogError: that version is gone, or too many others were writing at once.
    """
    images = catalog.table("images").read(
        columns=["image_id", "path", "bytes"], version=images_version
    )
    table = catalog.table("image_features")
    known = table.read(columns=["image_id"])
    todo = images.join(known, ["image_id"], join_type="left anti").sort_by("image_id")
    paths = dict(zip(todo["image_id"].to_pylist(), todo["path"].to_pylist(), strict=True))
    extractor = FeatureExtractor(max_pixels=project.source.max_pixels)
    unusable: dict[str, Unmeasurable] = {}
    rows: list[dict[str, object]] = []
    new = 0
    progress(0, todo.num_rows, "features computed")
    portions = _read(todo, blobs, unusable)
    for portion, found in map_batches(extractor, portions, size=lambda image: len(image[1])):
        for (image_id, _), features in zip(portion, found, strict=True):
            if isinstance(features, Features):
                rows.append(_row(image_id, features))
            else:
                unusable[image_id] = features or _CRASHED
        progress(new + len(rows) + len(unusable), todo.num_rows, "features computed")
        if len(rows) >= _COMMIT_IMAGES:
            new += _insert(table, rows)
            rows = []
    new += _insert(table, rows)
    refusals = [
        Refusal(paths[i], f"image {i}", why.reason, why.detail, fingerprint=i)
        for i, why in sorted(unusable.items())
    ]
    _quarantine(catalog, refusals, of=images["image_id"])
    table.optimize()
    version = table.version
    measured = table.read(columns=_DIGESTED, version=version).join(
        images.select(["image_id"]), ["image_id"], join_type="left semi"
    )
    return FeaturesReport(
        digest=table_digest(measured, schema_id="image-features/1", sort_by=["image_id"]),
        images=measured.num_rows,
        new=new,
        quarantined=len(refusals),
        version=version,
    )


def _read(
    todo: pa.Table, blobs: Blobs, unusable: dict[str, Unmeasurable]
) -> Iterator[list[tuple[str, bytes]]]:
    """Ids and bytes in the portions that the engine is called with; adds to ``unusable``."""

    def read(image_id: str) -> bytes | Unmeasurable:
        try:
            return blobs.read(image_id)
        except (ObjectNotFound, ObjectCorrupt) as error:
            return Unmeasurable("unreadable_image", str(error))

    with ThreadPoolExecutor(_READERS) as readers:
        for image_ids in _portions(todo):
            portion: list[tuple[str, bytes]] = []
            for image_id, data in zip(image_ids, readers.map(read, image_ids), strict=True):
                if isinstance(data, Unmeasurable):
                    unusable[image_id] = data
                else:
                    portion.append((image_id, data))
            yield portion


def _portions(todo: pa.Table) -> Iterator[list[str]]:
    """Ids in portions of a bounded number of images and bytes."""
    portion: list[str] = []
    size = 0
    for image_id, count in zip(
        todo["image_id"].to_pylist(), todo["bytes"].to_pylist(), strict=True
    ):
        if portion and (len(portion) == _CALL_IMAGES or size + count > _CALL_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(image_id)
        size += count
    if portion:
        yield portion


def _quarantine(catalog: Catalog, refusals: list[Refusal], *, of: pa.ChunkedArray) -> None:
    """Make these all that is refused of some images; others keep their refusals."""
    stage = pc.field("stage") == STAGE
    filed = catalog.table("quarantine").read(columns=["fingerprint"], filter=stage)["fingerprint"]
    others = filed.filter(pc.invert(pc.is_in(filed, value_set=of)))
    these = ~one_of("fingerprint", others.to_pylist())
    reconcile_refusals(catalog, stage=STAGE, within=these, refusals=refusals)


def _row(image_id: str, features: Features) -> dict[str, object]:
    return {
        "image_id": image_id,
        "phash": features.phash,
        "phash_mirrored": features.phash_mirrored,
        **asdict(features.measures),
        "thumbnail": features.thumbnail,
    }


def _insert(table: CatalogTable, rows: list[dict[str, object]]) -> int:
    table.insert(pa.Table.from_pylist(rows, schema=IMAGE_FEATURES), on=table.key)
    return len(rows)
