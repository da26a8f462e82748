"""image_features: perceptual hashes, quality measures and near-duplicates of every image."""

from typing import Any

import dagster as dg
import pyarrow.compute as pc

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.catalog.features import compute_features
from cv_pipeline.datasets.duplicates.search import search_near_duplicates
from resources import ObjectStoreResource, Projects

CODE_VERSION = "2"
MEASURES = ("brightness", "contrast", "sharpness", "saturation")


@dg.asset(deps=["raw_images"], code_version=CODE_VERSION, kinds={"lance"})
@reporting
def image_features(
    context: dg.AssetExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.MaterializeResult[Any]:
    """Perceptual hashes, quality measures and near-duplicates of every image, computed once.

    They keep copies in one split, find giveaway properties and, later, slices.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    raw = step.inputs.read("raw_images")
    versions = table_versions(raw)
    report = compute_features(
        project=step.project,
        catalog=step.catalog,
        blobs=step.blobs,
        images_version=versions["images"],
        progress=step.progress(),
    )
    duplicates = search_near_duplicates(
        step.catalog,
        distance=step.project.dataset.split.near_duplicate_distance,
        images_version=versions["images"],
        progress=step.progress(),
    )
    rows = step.catalog.table("image_features").read(columns=list(MEASURES), version=report.version)
    refused = step.catalog.table("quarantine").read(filter="stage = 'image_features'")
    means = {f"mean_{m}": pc.mean(rows[m]).as_py() or 0.0 for m in MEASURES}
    return step.result(
        combined_digest(report.digest, duplicates.digest),
        {
            "dagster/row_count": report.images,
            "new_images": report.new,
            "quarantined": report.quarantined,
            "near_duplicate_pairs": duplicates.pairs,
            **{f"near_duplicates_{kind}": count for kind, count in duplicates.kinds.items()},
            "near_duplicate_distance": duplicates.distance,
            "searched_images": duplicates.searched,
            **means,
            "quarantine": metadata_table(refused, ["file", "reason", "detail"]),
            "table_versions": {
                **versions,
                "image_features": report.version,
                **duplicates.table_versions,
            },
        },
    )
