"""dataset_version: an immutable, content-hashed dataset that passed its gate."""

from typing import Any

import dagster as dg

from assets.step import Step, reporting, table_versions
from cv_pipeline.datasets.checks import CHECKS
from cv_pipeline.datasets.splitting.assignments import record_assignments
from cv_pipeline.datasets.version import make_version
from cv_pipeline.datasets.waiver import waivers_needed
from cv_pipeline.provenance import require_passing, verdicts_on
from cv_pipeline.provenance.waivers import waivers_on
from cv_pipeline.storage import Tombstones
from resources import ObjectStoreResource, Projects

CODE_VERSION = "1"


class DatasetVersionConfig(dg.Config):
    """Which candidate to promote."""

    dataset_candidate: str | None = None


@dg.asset(deps=["dataset_candidate"], code_version=CODE_VERSION, kinds={"parquet"})
@reporting
def dataset_version(
    context: dg.AssetExecutionContext,
    config: DatasetVersionConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """An immutable dataset: manifest, annotations as they are now, and how it came about.

    Refused unless every blocking check passed on that very candidate, or was waived for it by
    somebody who may; a missing verdict counts as a failure. Its digest is the same on any machine
    for the same content.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    candidate = step.inputs.read("dataset_candidate", version=config.dataset_candidate)
    verdicts = verdicts_on(context.instance, candidate, list(CHECKS))
    waivers = waivers_on(context.instance, candidate, roles=step.project.access.waiver_roles)
    require_passing(candidate, verdicts, waivers)
    name = candidate.metadata["folder"]
    candidate_folder = step.fetch("candidates", name, marker="candidate.json")
    with step.scratch() as folder:
        made = make_version(
            candidate=candidate_folder,
            verdicts=verdicts,
            code_version=CODE_VERSION,
            folder=folder,
            taken_out=Tombstones(step.store).image_ids(),
            waivers=waivers,
        )
        # before the version is there: no version's splits may be unknown to the next
        record_assignments(
            step.catalog,
            made.manifest,
            made.record.rule,
            dataset=made.digest,
            read=made.record.table_versions.get("split_assignments", 0),
        )
        step.publish("datasets", made.digest, folder, marker="dataset.json")
        picture = step.picture(made.sample)
    versions = table_versions(candidate)
    for name, version in versions.items():
        step.catalog.table(name).tag(f"dataset-{made.digest[:16]}-v{version}", version)
    needed = waivers_needed(verdicts, waivers)
    for waiver in needed:
        step.log.warning(f"{waiver.actor} waived {', '.join(waiver.checks)}: {waiver.reason}")
    warned = [v.check for v in verdicts if not v.passed]
    return step.result(
        made.digest,
        {
            "dagster/row_count": made.images,
            "objects": made.objects,
            **{f"images_{split}": count for split, count in made.splits.items()},
            "checks_passed": len(verdicts) - len(warned),
            "warnings": warned,
            "verdicts": [v.__dict__ for v in verdicts],
            "waived": sorted({name for waiver in needed for name in waiver.checks}),
            "waivers": [waiver.model_dump(mode="json") for waiver in needed],
            "table_versions": versions,
            **picture,
        },
    )
