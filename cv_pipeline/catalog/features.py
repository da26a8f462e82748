"""The features and the signature of every image of the lake, each computed once.

Incremental and resumable: only images that lack either are read, and what is committed is never
computed again. An image that cannot be read goes to the quarantine and is tried again next time;
one that was taken out is left alone, and keeps no signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.engine import map_batches
from cv_pipeline.catalog.image_features import FeatureExtractor, Features, Unmeasurable
from cv_pipeline.catalog.ingest.read import Progress
from cv_pipeline.catalog.purge import purge_rows
from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.schemas import IMAGE_FEATURES, SIGNATURES
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import ObjectCorrupt, ObjectNotFound, ObjectTakenOut
from cv_pipeline.imaging.descriptor import LENGTH
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


@dataclass(frozen=True)
class FeaturesReport:
    """What the features are after a run.

    Attributes:
        digest: SHA-256 of all features; signatures are left out, for the hashes stand for them.
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
    """Compute the features and the signatures of the images that lack either.

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
    todo = _without(images, catalog.table("takeouts").read(columns=["image_id"]))
    todo = _without(todo, _complete(catalog)).sort_by("image_id")
    paths = dict(zip(todo["image_id"].to_pylist(), todo["path"].to_pylist(), strict=True))
    extractor = FeatureExtractor(max_pixels=project.source.max_pixels)
    unusable: dict[str, Unmeasurable] = {}
    rows: list[tuple[str, Features]] = []
    new = 0
    progress(0, todo.num_rows, "features computed")
    portions = _read(todo, blobs, unusable)
    for portion, found in map_batches(extractor, portions, size=lambda image: len(image[1])):
        for (image_id, _), features in zip(portion, found, strict=True):
            if isinstance(features, Features):
                rows.append((image_id, features))
            else:
                unusable[image_id] = features or _CRASHED
        progress(new + len(rows) + len(unusable), todo.num_rows, "features computed")
        if len(rows) >= _COMMIT_IMAGES:
            new += _insert(catalog, rows)
            rows = []
    new += _insert(catalog, rows)
    _forget_taken_out(catalog)
    refusals = [
        Refusal(paths[i], f"image {i}", why.reason, why.detail, fingerprint=i)
        for i, why in sorted(unusable.items())
    ]
    _quarantine(catalog, refusals, of=images["image_id"])
    catalog.table("signatures").optimize()
    table = catalog.table("image_features")
    table.optimize()
    version = table.version
    measured = table.read(version=version).join(
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

    def read(image_id: str) -> bytes | Unmeasurable | None:
        try:
            return blobs.read(image_id)
        except ObjectTakenOut:  # since the table of take-outs was read
            return None
        except (ObjectNotFound, ObjectCorrupt) as error:
            return Unmeasurable("unreadable_image", str(error))

    with ThreadPoolExecutor(_READERS) as readers:
        for image_ids in _portions(todo):
            portion: list[tuple[str, bytes]] = []
            for image_id, data in zip(image_ids, readers.map(read, image_ids), strict=True):
                if isinstance(data, Unmeasurable):
                    unusable[image_id] = data
                elif data is not None:
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


def _without(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows whose image is not among those of others."""
    return rows.join(others, ["image_id"], join_type="left anti")


def _complete(catalog: Catalog) -> pa.Table:
    """Images that have features and a signature."""
    measured, signed = (
        catalog.table(name).read(columns=["image_id"]) for name in ("image_features", "signatures")
    )
    return measured.join(signed, ["image_id"], join_type="left semi")


def _insert(catalog: Catalog, rows: list[tuple[str, Features]]) -> int:
    """Write features, and signatures last: with these an image is done."""
    image_ids = [image_id for image_id, _ in rows]
    features = [
        {"phash": made.phash, "phash_mirrored": made.phash_mirrored, **asdict(made.measures)}
        for _, made in rows
    ]
    described = np.frombuffer(b"".join(made.descriptor for _, made in rows), np.float32)
    signatures = {
        "image_id": image_ids,
        "thumbnail": [made.thumbnail for _, made in rows],
        "descriptor": pa.FixedSizeListArray.from_arrays(described, LENGTH),
    }
    measured = pa.Table.from_pylist(
        [{"image_id": i, **made} for i, made in zip(image_ids, features, strict=True)],
        schema=IMAGE_FEATURES,
    )
    catalog.table("image_features").insert(measured, on=["image_id"])
    catalog.table("signatures").insert(pa.table(signatures, schema=SIGNATURES), on=["image_id"])
    return len(rows)


def _forget_taken_out(catalog: Catalog) -> None:
    """Remove the signatures of images that were taken out while they were written."""
    signatures = catalog.table("signatures")
    gone = signatures.read(columns=["image_id"]).join(
        catalog.table("takeouts").read(columns=["image_id"]), ["image_id"], join_type="left semi"
    )
    if gone.num_rows:
        purge_rows(signatures, one_of("image_id", gone["image_id"].to_pylist()))
