"""corrective: whether a corrective run bettered its parent, as a check on its evaluation."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from assets.predictions import predicted
from assets.step import Step, reporting, table_versions
from cv_pipeline.correction import read_corrective, selected_images
from cv_pipeline.correction.judgement import judge, summarize, write_judgement
from cv_pipeline.datasets.version import load_version
from cv_pipeline.provenance import pinned
from resources import ObjectStoreResource, Projects


@dg.asset_check(
    asset="eval_slices",
    name="corrective",
    description="A corrective run is no worse than its parent, above all on its own images.",
    pool="training",  # it predicts with the parent
)
@reporting
def corrective(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.AssetCheckResult:
    """Both models on the new dataset version's test split: the whole, and the run's own images."""
    key = next(iter(context.selected_asset_check_keys)).asset_key
    step = Step(context, projects=projects, object_store=object_store, project=key.path[0])
    evaluation = step.inputs.read("eval_slices")
    predictions = step.inputs.follow(evaluation, "predictions")
    model = step.inputs.follow(predictions, "trained_model")
    dataset = step.inputs.follow(predictions, "dataset_version")
    digest = model.metadata.get("corrective")
    if digest is None:
        nothing = "This is the evaluation of no corrective run."
        return pinned(dg.AssetCheckResult(passed=True, description=nothing), evaluation)
    project = step.project
    record = read_corrective(step.store, project.name, digest)
    parent = step.inputs.log.of_version(f"{project.name}/trained_model", record.parent)
    made = predicted(step, model=parent, dataset=dataset, store_url=object_store.url)
    before, after = (
        step.fetch("predictions", d, marker="predictions.json")
        for d in (made["digest"], predictions.version)
    )
    found = judge(
        record,
        task=project.task,
        labels=project.ontology.labels,
        dataset=step.fetch("datasets", dataset.version, marker="dataset.json"),
        before=before,
        after=after,
        split=str(evaluation.metadata["split"]),
        selected=selected_images(step.catalog, record, table_versions=table_versions(dataset)),
        seen=_seen(step.fetch("datasets", record.parent_dataset, marker="dataset.json")),
    )
    write_judgement(step.store, project.name, found)
    summary = summarize(found, metric=project.metric)
    step.log.info(summary)
    parts = [part for part in (found.whole, found.selection) if part is not None]
    result = dg.AssetCheckResult(
        passed=not any(part.worsened for part in parts),
        severity=dg.AssetCheckSeverity.WARN,
        description=summary,
        metadata={"comparison": found.to_json(), "reason": record.reason, "actor": record.actor},
    )
    return pinned(result, evaluation)


def _seen(dataset: Path) -> pa.Array:
    """Images of a dataset version that are not for testing."""
    manifest = load_version(dataset).manifest
    images = manifest.filter(pc.not_equal(manifest["split"], "test"))["image_id"]
    return images.combine_chunks()
