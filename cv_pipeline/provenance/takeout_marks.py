"""The mark on a model whose training used an image that was taken out since.

It is an observation of the model's asset, with the model's data version and the images, beside the
materialization, which never changes. Dagster takes the version of an asset that is materialized
from its materializations alone, so a mark changes no data version and sets off no sensor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dagster import AssetKey, AssetObservation, DagsterInstance
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from cv_pipeline.provenance.event_log import observations
from cv_pipeline.storage import Tombstone

MARK = "taken_out"
"""Name of the metadata entry that lists the images."""


def marks_of(instance: DagsterInstance, key: str) -> dict[str, list[str]]:
    """Images that were taken out since, by version of a model's asset; sorted.

    Args:
        instance: the Dagster instance.
        key: asset key, such as ``fruit/trained_model``.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for observation in observations(instance, key):
        version = observation.tags.get(DATA_VERSION_TAG)
        images = observation.metadata.get(MARK)
        if version and images is not None and isinstance(images.value, list):
            found[version].update(str(image_id) for image_id in images.value)
    return {version: sorted(images) for version, images in found.items()}


def mark_models(instance: DagsterInstance, tombstones: Iterable[Tombstone]) -> int:
    """Mark every model that was trained on an image that was taken out; what is marked stays so.

    Args:
        instance: the Dagster instance.
        tombstones: of the images; a model counts as trained on one that is in its train split.

    Returns:
        How many models were marked.
    """
    trained = _trained_on(tombstones)
    marked = 0
    for key in sorted({key for key, _ in trained}):
        known = marks_of(instance, key)
        for version in sorted(version for k, version in trained if k == key):
            reasons = trained[key, version]
            new = sorted(reasons.keys() - known.get(version, []))
            if new:
                instance.report_runless_asset_event(_mark(key, version, new, reasons))
                marked += 1
    return marked


def _trained_on(tombstones: Iterable[Tombstone]) -> Mapping[tuple[str, str], dict[str, str]]:
    """Images and the reasons why they were taken out, by key and version of the model."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for tombstone in tombstones:
        for use in tombstone.used_by:
            if use.kind == "model" and use.split == "train":
                found[use.key, use.version][tombstone.image_id] = tombstone.reason
    return found


def _mark(
    key: str, version: str, image_ids: Sequence[str], reasons: Mapping[str, str]
) -> AssetObservation:
    return AssetObservation(
        asset_key=AssetKey.from_user_string(key),
        description=f"Model {version[:16]} was trained on {len(image_ids)} images that were taken"
        " out since.",
        tags={DATA_VERSION_TAG: version},
        metadata={
            "digest": version,
            MARK: list(image_ids),
            "reasons": sorted({reasons[image_id] for image_id in image_ids}),
        },
    )
