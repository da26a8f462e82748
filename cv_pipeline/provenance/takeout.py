"""Taking images out, with everything that the event log knows to have used them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dagster import DagsterInstance

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.takeout import TakeOutReport, take_out
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance.image_usage import ImageUsage, image_usage
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.takeout_marks import mark_models
from cv_pipeline.storage import ObjectStore, Tombstone


def plan_takeout(
    refs: Iterable[str],
    *,
    instance: DagsterInstance,
    store: ObjectStore,
    projects: Iterable[str],
    cache: Path,
) -> list[ImageUsage]:
    """Find the images that are to be taken out and all that had used them; nothing is changed.

    Args, and what it raises, are those of :func:`image_usage`.
    """
    index = LineageIndex(instance)
    return image_usage(refs, index=index, store=store, projects=projects, cache=cache)


def require_reason(usages: Sequence[ImageUsage], reason: str) -> None:
    """See that a reason is given for every image that has none yet.

    Raises:
        ProvenanceError: none is.
    """
    new = [usage.image_id for usage in usages if usage.tombstone is None]
    if new and not reason.strip():
        raise ProvenanceError(
            f"Image {new[0]} cannot be taken out without a reason.",
            do="Say why, for those who will ask: --reason 'consent withdrawn'.",
        )


def take_out_images(
    usages: Sequence[ImageUsage],
    *,
    reason: str,
    instance: DagsterInstance,
    store: ObjectStore,
    home: Path,
) -> TakeOutReport:
    """Take images out for good, and mark the models that were trained on them.

    Args:
        usages: the images, as :func:`plan_takeout` found them.
        reason: why; of an image that was taken out before, the reason of then stays.
        instance: the Dagster instance.
        store: the object store.
        home: ``CV_HOME``, for copies on this machine.

    Raises:
        ProvenanceError: no reason is given, and an image has none yet.
        StorageError: the object store failed; run it again.
        CatalogError: others were writing the tables; run it again.
    """
    require_reason(usages, reason)
    now = datetime.now(UTC)
    tombstones = [
        Tombstone(
            image_id=usage.image_id,
            reason=usage.tombstone.reason if usage.tombstone else reason.strip(),
            actor=usage.tombstone.actor if usage.tombstone else current_actor(),
            at=usage.tombstone.at if usage.tombstone else now,
            paths=usage.paths,
            bytes=usage.bytes,
            used_by=usage.used_by,
        )
        for usage in usages
    ]
    return take_out(tombstones, store=store, home=home, mark=lambda t: mark_models(instance, t))
