"""annotation_exports: what the annotators said, frozen and validated."""

from typing import Any

import dagster as dg
import pyarrow as pa

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.annotations.export import import_annotations
from cv_pipeline.annotations.ontology import Migrated
from cv_pipeline.settings import expand
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"


@dg.asset(deps=["raw_images"], code_version=CODE_VERSION, kinds={"lance"})
@reporting
def annotation_exports(
    context: dg.AssetExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.MaterializeResult[Any]:
    """The annotation export: its files frozen by content, its rows validated and catalogued.

    An annotation that fits no image, no class or no frame is quarantined with the file, the field
    and the reason. The data version is the digest of the rows.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    versions = table_versions(step.inputs.read("raw_images"))
    gold = step.project.annotations.gold
    report = import_annotations(
        project=step.project,
        catalog=step.catalog,
        store=step.store,
        source=object_store.source(expand(step.project.annotations.source)),
        gold=object_store.source(expand(gold)) if gold else None,
        table_versions=versions,
    )
    rows = step.catalog.table("annotations").read(
        columns=["label", "annotator"], version=report.version
    )
    refused = step.catalog.table("quarantine").read(filter="stage = 'annotation_exports'")
    return step.result(
        report.digest,
        {
            "dagster/row_count": report.rows,
            "images": report.images,
            "annotators": report.annotators,
            "quarantined": refused.num_rows,
            "frozen": report.frozen,
            "table_versions": {**versions, "annotations": report.version},
            "labels": metadata_table(_counts(rows, "label")),
            "by_annotator": metadata_table(_counts(rows, "annotator")),
            "migrated": metadata_table(_steps(report.migrated)),
            "to_relabel": ", ".join(report.relabel) or "none",
            "quarantine": metadata_table(refused, ["file", "field", "reason", "detail"]),
        },
    )


def _steps(migrated: Migrated) -> pa.Table:
    """What the steps that lead to the current version of the ontology did."""
    columns = ("from_version", "to", "kind", "converted", "dropped", "relabel")
    return pa.table({c: [getattr(step, c) for step in migrated.counts] for c in columns})


def _counts(rows: pa.Table, column: str) -> pa.Table:
    counted = rows.group_by(column).aggregate([(column, "count")])
    return counted.rename_columns([column, "annotations"]).sort_by([("annotations", "descending")])
