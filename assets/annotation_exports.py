"""annotation_exports: what the annotators said, frozen and validated."""

from typing import Any

import dagster as dg
import pyarrow as pa

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.annotations.export import import_annotations
from cv_pipeline.annotations.ontology import Migrated
from cv_pipeline.catalog.tables import one_of
from cv_pipeline.errors import LabelingError, SettingsError
from cv_pipeline.labeling.exchange.findings import STAGE as PULL_STAGE
from cv_pipeline.labeling.exchange.one_call import tool_of
from cv_pipeline.labeling.exchange.pull import pull
from cv_pipeline.labeling.exchange.pulled_export import pulled_exports
from cv_pipeline.labeling.prelabels.acceptance import (
    acceptance,
    acceptance_by_model,
    acceptance_rates,
)
from cv_pipeline.labeling.tool.connection import tool_url
from cv_pipeline.quality.cost_report import cost_metadata
from cv_pipeline.settings import expand
from resources import ObjectStoreResource, Projects

CODE_VERSION = "2"


@dg.asset(deps=["raw_images"], code_version=CODE_VERSION, kinds={"lance"})
@reporting
def annotation_exports(
    context: dg.AssetExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.MaterializeResult[Any]:
    """What annotators said: of the export's files, and pulled from the annotation tool.

    Both are frozen by content, and their rows validated and catalogued; labels of older versions of
    the ontology are brought to the current one. An annotation that fits no image, no class or no
    frame is quarantined with the file, the field and the reason. The data version is the digest of
    the rows.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    versions = table_versions(step.inputs.read("raw_images"))
    pulled = _pull(step)
    declared = step.project.annotations
    report = import_annotations(
        project=step.project,
        catalog=step.catalog,
        store=step.store,
        source=object_store.source(expand(declared.source)) if declared.source else None,
        gold=object_store.source(expand(declared.gold)) if declared.gold else None,
        pulled=pulled_exports(
            step.catalog, labeling=step.project.labeling, files=versions.get("files")
        ),
        table_versions=versions,
    )
    rows = step.catalog.table("annotations").read(
        columns=["label", "annotator"], version=report.version
    )
    refused = step.catalog.table("quarantine").read(
        filter=one_of("stage", ["annotation_exports", PULL_STAGE])
    )
    return step.result(
        report.digest,
        {
            "dagster/row_count": report.rows,
            "images": report.images,
            "annotators": report.annotators,
            "quarantined": refused.num_rows,
            "frozen": report.frozen,
            **pulled,
            "pulled_rows": report.pulled,
            **_prelabels_judged(step),
            "table_versions": {**versions, "annotations": report.version},
            "labels": metadata_table(_counts(rows, "label")),
            "by_annotator": metadata_table(_counts(rows, "annotator")),
            "migrated": metadata_table(_steps(report.migrated)),
            "to_relabel": ", ".join(report.relabel) or "none",
            "quarantine": metadata_table(refused, ["file", "field", "reason", "detail"]),
            **_label_cost(step),
        },
    )


def _label_cost(step: Step) -> dict[str, Any]:
    """What the labels cost by now: figures, a table, and where the curve of it is."""
    told = cost_metadata(step.catalog, step.project.labeling)
    if told is None:
        return {}
    return {
        **told.values,
        "label_costs": metadata_table(told.table),
        "label_cost_curve": dg.MetadataValue.path(f"{step.store.url}/{told.chart}"),
    }


def _steps(migrated: Migrated) -> pa.Table:
    """What the steps that lead to the current version of the ontology did."""
    columns = ("from_version", "to", "kind", "converted", "dropped", "relabel")
    return pa.table({c: [getattr(step, c) for step in migrated.counts] for c in columns})


def _pull(step: Step) -> dict[str, Any]:
    """Pull what changed in the annotation tool; returns what to tell of it.

    A tool that is down, or refuses the token, stops nothing: what was pulled before counts until
    it answers again.
    """
    if tool_url(step.project) is None:
        return {}
    try:
        with tool_of(step.project) as tool:
            report = pull(
                step.project,
                catalog=step.catalog,
                store=step.store,
                tool=tool,
                progress=step.progress(),
            )
    except (LabelingError, SettingsError) as error:
        step.log.warning(f"Nothing was pulled: {error}")
        return {"pull_failed": str(error)}
    for batch, why in report.failed.items():
        step.log.warning(f"Batch {batch} could not be pulled: {why}")
    return {
        "pulled_states": report.states,
        "pulled_deletions": report.deleted_annotations,
        "pulls": [one.frozen for one in report.batches if one.frozen],
        **({"pull_failed": "; ".join(report.failed.values())} if report.failed else {}),
    }


def _prelabels_judged(step: Step) -> dict[str, Any]:
    """What became of pre-labels, once an image that was pushed with some came back."""
    judged = acceptance(step.catalog)
    if not len(judged):
        return {}
    return {
        "prelabels_by_model": metadata_table(acceptance_by_model(judged)),
        "prelabels_by_class_and_score": metadata_table(acceptance_rates(judged)),
    }


def _counts(rows: pa.Table, column: str) -> pa.Table:
    counted = rows.group_by(column).aggregate([(column, "count")])
    return counted.rename_columns([column, "annotations"]).sort_by([("annotations", "descending")])
