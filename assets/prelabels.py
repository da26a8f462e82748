"""prelabels: what the champion suggests on images that nobody labelled, and how unsure it is."""

from typing import Any

import dagster as dg

from assets.step import Step, metadata_table, reporting
from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.errors import LabelingError
from cv_pipeline.labeling.prelabels.asked_model import asked_model
from cv_pipeline.labeling.prelabels.doubts import doubts
from cv_pipeline.labeling.prelabels.model_predictions import AskModel
from cv_pipeline.labeling.prelabels.prelabelling import PrelabelReport, make_prelabels
from cv_pipeline.plugins.label.interface import labeller
from cv_pipeline.provenance import Materialization
from cv_pipeline.provenance.event_log import ASKED
from resources import ObjectStoreResource, Projects, Tracking

CODE_VERSION = "1"
PICTURED = 24


class PrelabelsConfig(dg.Config):
    """Which model is asked: champion, latest for the newest trained one, its digest or a prefix.

    Without it, what ``labeling.prelabels.model`` of the project says.
    """

    model: str | None = None


@dg.asset(
    deps=["image_features"],
    code_version=CODE_VERSION,
    kinds={"pytorch", "lance"},
    pool="training",
)
@reporting
def prelabels(
    context: dg.AssetExecutionContext,
    config: PrelabelsConfig,
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
    declared = labeling.url is not None or "prelabels" in labeling.model_fields_set
    if not declared and config.model is None:
        return _nothing(step, "The project has no annotation tool and declares no pre-labels.")
    needs = labeller(labeling.prelabels.algorithm).needs
    if "found" not in needs:
        if config.model is not None:
            raise LabelingError(
                f"labeling.prelabels.algorithm is {labeling.prelabels.algorithm}, which asks no"
                " model.",
                do="Leave the model out, or set the algorithm to model.",
            )
        report = make_prelabels(step.project, catalog=step.catalog, model=None, predict=None)
        return _result(step, report, model=None)
    try:
        model = asked_model(
            step.inputs.log, step.project, tracking_uri=tracking.uri, named=config.model
        )
    except LabelingError as error:
        if config.model is not None:
            raise
        return _nothing(step, str(error))
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
