"""prelabels: what the champion suggests on images that nobody labelled, and how unsure it is."""

from typing import Any

import dagster as dg

from assets.step import Step, metadata_table, reporting
from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.labeling.prelabels.doubts import doubts
from cv_pipeline.labeling.prelabels.model_predictions import AskModel
from cv_pipeline.labeling.prelabels.prelabelling import PrelabelReport, make_prelabels
from cv_pipeline.plugins.label.interface import labeller
from cv_pipeline.provenance import Materialization
from cv_pipeline.provenance.event_log import ASKED
from cv_pipeline.training.registry import ModelRegistry
from resources import ObjectStoreResource, Projects, Tracking

CODE_VERSION = "1"
CHAMPION = "champion"
PICTURED = 24


@dg.asset(
    deps=["image_features"],
    code_version=CODE_VERSION,
    kinds={"pytorch", "lance"},
    pool="training",
)
@reporting
def prelabels(
    context: dg.AssetExecutionContext,
    projects: Projects,
    object_store: ObjectStoreResource,
    tracking: Tracking,
) -> dg.MaterializeResult[Any]:
    """Suggestions for annotators with confidences, on images without labels, by the champion.

    Only images that this model has not looked at are, a bounded number a run. The metadata show
    where it is unsure before anybody is paid. The model is read through the registry, for an edge
    of the graph would be a cycle; the metadata name it exactly.
    """
    step = Step.of_asset(context, projects=projects, object_store=object_store)
    step.inputs.read("image_features")
    labeling = step.project.labeling
    if labeling.url is None and "prelabels" not in labeling.model_fields_set:
        return _nothing(step, "The project has no annotation tool and declares no pre-labels.")
    needs = labeller(labeling.prelabels.algorithm).needs
    if "found" not in needs:
        report = make_prelabels(step.project, catalog=step.catalog, model=None, predict=None)
        return _result(step, report, model=None)
    model = _model(step, tracking)
    if model is None:
        return _nothing(step, "There is no champion yet, so nothing can be suggested.")
    with step.scratch() as work:
        ask = AskModel(
            task=step.project.task,
            model=step.fetch("models", model.version, marker="model.json"),
            digest=model.version,
            store_url=object_store.url,
            work=work,
            log=step.log.info,
        )
        report = make_prelabels(
            step.project, catalog=step.catalog, model=model.version, predict=ask
        )
    return _result(step, report, model=model)


def _model(step: Step, tracking: Tracking) -> Materialization | None:
    """The model that is asked; None where there is no champion."""
    named = step.project.labeling.prelabels.model
    if named == CHAMPION:
        present = ModelRegistry(tracking.uri, step.project.name).champion()
        if present is None:
            return None
        named = present.model
    return step.inputs.log.of_version(f"{step.project.name}/trained_model", named)


def _nothing(step: Step, why: str) -> dg.MaterializeResult[Any]:
    step.log.info(why)
    return step.result(combined_digest("prelabels/1"), {"images": 0, "note": why})


def _result(
    step: Step, report: PrelabelReport, *, model: Materialization | None
) -> dg.MaterializeResult[Any]:
    found = doubts(step.catalog, model=report.model, keys=step.project.evaluation.slices)
    asked = (
        {"key": model.key, "storage_id": model.storage_id, "version": model.version}
        if model
        else report.model
    )
    worst = found.images["image_id"].slice(0, PICTURED).to_pylist()
    return step.result(
        report.digest,
        {
            ASKED: asked,
            "dagster/row_count": report.objects,
            "images": report.images,
            "new_images": report.new,
            "waiting_images": report.waiting,
            **({} if found.mean is None else {"mean_uncertainty": found.mean}),
            "unsure_classes": metadata_table(found.classes),
            "unsure_slices": metadata_table(found.slices),
            "uncertainty": metadata_table(found.histogram),
            **step.picture(worst),
            "table_versions": {"prelabels": report.version},
        },
    )
