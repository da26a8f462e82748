"""dataset_candidate: the images and labels of a dataset to be, split, and the checks on it."""

import hashlib
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.step import Step, metadata_table, reporting, table_versions
from cv_pipeline.correction import read_corrective, selected_images
from cv_pipeline.datasets.candidate import AddedImages, build_candidate
from cv_pipeline.datasets.checks import CHECKS, load_context, run_check
from cv_pipeline.datasets.checks.published import MARKER, write_finding
from cv_pipeline.provenance import pinned
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"


class DatasetCandidateConfig(dg.Config):
    """Digest of a corrective record whose images are taken besides those of the dataset query."""

    corrective: str | None = None


@dg.asset(deps=["image_features", "annotation_exports"], code_version=CODE_VERSION)
@reporting
def dataset_candidate(
    context: dg.AssetExecutionContext,
    config: DatasetCandidateConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """The project's dataset query at fixed table versions, aggregated labels, and the split.

    Near-duplicates and groups never cross a split, and images keep the split that an earlier
    version gave them. A candidate becomes a dataset version only when all its blocking checks pass.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    versions = table_versions(
        step.inputs.read("image_features"), step.inputs.read("annotation_exports")
    )
    with step.scratch() as folder:
        made = build_candidate(
            project=step.project,
            catalog=step.catalog,
            table_versions=versions,
            folder=folder,
            added=_added(step, config.corrective, versions) if config.corrective else None,
        )
        # the same content can come about in several ways, and the record tells this one
        record = hashlib.sha256((folder / "candidate.json").read_bytes()).hexdigest()
        name = f"{made.digest[:16]}-{record[:16]}"
        step.publish("candidates", name, folder, marker="candidate.json")
    return step.result(
        made.digest,
        {
            "dagster/row_count": made.images,
            "objects": made.objects,
            **{f"images_{split}": count for split, count in made.splits.items()},
            "sql": made.sql,
            "folder": name,
            **({"corrective": config.corrective} if config.corrective else {}),
            "left_out": made.record.left_out + made.record.bridges,
            "table_versions": {**versions, **made.table_versions},
        },
    )


def _added(step: Step, corrective: str, versions: dict[str, int]) -> AddedImages:
    record = read_corrective(step.store, step.project.name, corrective)
    images = selected_images(step.catalog, record, table_versions=versions)
    return AddedImages(images, corrective)


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            name, asset="dataset_candidate", description=check.description, blocking=True
        )
        for name, check in CHECKS.items()
    ],
    can_subset=True,
)
def candidate_checks(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> Iterator[dg.AssetCheckResult]:
    """Every check on a dataset candidate, on the candidate that this run made or the latest."""
    selected = sorted(context.selected_asset_check_keys, key=lambda k: k.name)
    project = selected[0].asset_key.path[0]
    step = Step(context, projects=projects, object_store=object_store, project=project)
    candidate = step.inputs.read("dataset_candidate")
    folder = step.fetch("candidates", candidate.metadata["folder"], marker="candidate.json")
    loaded = load_context(
        project=step.project,
        catalog=step.catalog,
        folder=folder,
        table_versions=table_versions(candidate),
    )
    for key in selected:
        verdict, found = run_check(key.name, loaded)
        step.log.info(f"{key.name}: {'passed' if verdict.passed else 'FAILED'}: {verdict.summary}")
        with step.scratch() as scratch:
            rows_folder = f"{folder.name}/{write_finding(verdict, found, scratch)}"
            step.publish("checks", rows_folder, scratch, marker=MARKER)
        result = dg.AssetCheckResult(
            passed=verdict.passed,
            asset_key=key.asset_key,
            check_name=key.name,
            severity=dg.AssetCheckSeverity[verdict.severity.upper()],
            description=verdict.summary,
            metadata={
                **found.metrics,
                "candidate": candidate.version,
                "rows": metadata_table(found.rows),
                "rows_folder": rows_folder,
                "row_count": found.rows.num_rows,
            },
        )
        yield pinned(result, candidate)
