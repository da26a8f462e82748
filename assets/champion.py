"""champion: the model of the project that is promoted, and why it is that one."""

from typing import Any

import dagster as dg

from assets.step import Step, metadata_table, reporting
from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.evaluation import load_evaluation
from cv_pipeline.evaluation.verdict.champion import Standing, decide
from cv_pipeline.evaluation.verdict.table import verdict_table
from cv_pipeline.evaluation.verdict.verdict import Verdict, judge
from cv_pipeline.provenance import Materialization, pinned
from cv_pipeline.provenance.evaluated import costs_of, parent_of, rival_of
from cv_pipeline.training.registry import ModelRegistry, Registered
from resources import ObjectStoreResource, Projects, Tracking

CODE_VERSION = "1"
NOBODY = combined_digest("champion/1")


class ChampionConfig(dg.Config):
    """Which evaluation decides: a digest or prefix."""

    eval_slices: str | None = None


# one at a time: of two that look at one champion at once, the worse could be promoted last
@dg.asset(deps=["eval_slices"], code_version=CODE_VERSION, kinds={"mlflow"}, pool="champion")
@reporting
def champion(
    context: dg.AssetExecutionContext,
    config: ChampionConfig,
    projects: Projects,
    object_store: ObjectStoreResource,
    tracking: Tracking,
) -> dg.MaterializeResult[Any]:
    """The promoted model: MLflow's registry alias ``champion`` of the project's model.

    An evaluated model takes the champion's place when it meets every requirement on the test split
    and its optimizing metric is not below the champion's on the same dataset version. The data
    version is the digest of the model that is champion afterwards; the metadata say why.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    evaluated = step.inputs.read("eval_slices", version=config.eval_slices)
    verdict, trained = _verdict(step, evaluated)
    registry = ModelRegistry(tracking.uri, step.project.name)
    present = registry.champion()
    standing = _standing(present)
    rival = None
    if standing is not None:
        rival = rival_of(
            step.inputs.log,
            standing,
            project=step.project.name,
            dataset=verdict.dataset,
            metric=verdict.metric,
        )
    decision = decide(verdict, standing, rival)
    step.log.info(f"{decision.outcome}: {decision.reason}")
    if decision.outcome == "promoted":
        present = registry.promote(
            model=verdict.model,
            run_id=str(trained.metadata["mlflow_run_id"]),
            tags={
                "dataset_digest": verdict.dataset,
                "evaluation": verdict.evaluation,
                verdict.metric: f"{verdict.value:.6g}",
            },
        )
    return step.result(
        present.model if present else NOBODY,
        {
            "outcome": decision.outcome,
            "reason": decision.reason,
            "champion": present.model if present else "none",
            "registry": f"models:/{present.name}@champion" if present else "none",
            "registry_version": present.version if present else "none",
            "candidate": verdict.model,
            "candidate_passes": verdict.passed,
            "evaluation": verdict.evaluation,
            "dataset": verdict.dataset,
            "requirements": metadata_table(verdict_table(verdict)),
            **({"value": verdict.value} if verdict.value is not None else {}),
        },
    )


@dg.asset_check(
    asset="eval_slices",
    name="requirements",
    description="The model meets every requirement of the project on unseen images; only then can"
    " it become the champion. It stops nothing else: what fails it is to be looked at.",
)
@reporting
def requirements(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.AssetCheckResult:
    """Every threshold of ``requirements`` against the evaluation and what the model costs."""
    key = next(iter(context.selected_asset_check_keys)).asset_key
    step = Step(context, projects=projects, object_store=object_store, project=key.path[0])
    evaluated = step.inputs.read("eval_slices")
    verdict, _ = _verdict(step, evaluated)
    step.log.info(verdict.summary)
    result = dg.AssetCheckResult(
        passed=verdict.passed,
        description=verdict.summary,
        metadata={"requirements": metadata_table(verdict_table(verdict))},
    )
    return pinned(result, evaluated)


def _verdict(step: Step, evaluated: Materialization) -> tuple[Verdict, Materialization]:
    """The verdict on an evaluation, and the model that it is about."""
    predictions = parent_of(step.inputs.log, evaluated, "predictions")
    model = parent_of(step.inputs.log, predictions, "trained_model")
    folder = step.fetch("evaluations", evaluated.version, marker="evaluation.json")
    costs = costs_of(step.store, model=model, predictions=predictions)
    return judge(step.project.requirements, load_evaluation(folder), costs), model


def _standing(present: Registered | None) -> Standing | None:
    if present is None:
        return None
    return Standing(
        model=present.model,
        dataset=present.tags.get("dataset_digest", ""),
        evaluation=present.tags.get("evaluation", ""),
    )
