"""raw_images: every image of the source, content-addressed and catalogued."""

from typing import Any

import dagster as dg

from assets.step import Step, metadata_table, reporting
from cv_pipeline.catalog.ingest.ingest import ingest
from cv_pipeline.project import resolved_source
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"
TABLES = ("batches", "files", "image_metadata", "image_tags", "images")
"""Tables that this stage writes: children read them at the versions recorded here."""
LOOKED_AT = 100
"""Images of which the first few that were not taken out are shown."""


@dg.asset(code_version=CODE_VERSION, kinds={"lance"})
@reporting
def raw_images(
    context: dg.AssetExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.MaterializeResult[Any]:
    """Every image of the source: bytes in the object store, one row per image in the catalogue.

    Incremental and resumable: only new or changed files are read. A file that is no usable image
    is quarantined with the reason, and the rest goes on. The data version is the digest of the
    set that has been reached.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    report = ingest(
        project=step.project,
        catalog=step.catalog,
        blobs=step.blobs,
        source=object_store.source(resolved_source(step.project)),
        progress=step.progress(),
    )
    versions = {name: report.table_versions[name] for name in TABLES}
    images = step.catalog.table("images").read(columns=["image_id"], version=versions["images"])
    refused = step.catalog.table("quarantine").read(filter="stage = 'raw_images'")
    return step.result(
        report.digest,
        {
            "dagster/row_count": report.images,
            "files": report.files,
            "new_images": report.new_images,
            "duplicate_files": report.duplicates,
            "quarantined": refused.num_rows,
            "bytes": report.bytes,
            "source": step.project.source.images,
            "table_versions": versions,
            "quarantine": metadata_table(refused, ["file", "reason", "detail"]),
            **step.picture(images["image_id"].slice(0, LOOKED_AT).to_pylist()),
        },
    )
