"""hand_off, a check of annotation_batches: what must stand before volume work starts."""

import dagster as dg
import pyarrow as pa

from assets.step import Step, metadata_table, reporting
from cv_pipeline.labeling.batches.hand_off import state
from cv_pipeline.labeling.tool.connection import tool_url
from cv_pipeline.provenance import pinned
from resources import ObjectStoreResource, Projects


@dg.asset_check(
    asset="annotation_batches",
    name="hand_off",
    description="Volume work may start: the schema is locked, a gold set covers every class and"
    " edge case, the QA loop is defined and a pilot round showed agreement. What is missing is"
    " named with what to do; without an annotation tool nothing is asked for.",
)
@reporting
def hand_off(
    context: dg.AssetCheckExecutionContext, projects: Projects, object_store: ObjectStoreResource
) -> dg.AssetCheckResult:
    """The hand-off gate of the project, as ``cvp hand-off`` shows it."""
    key = next(iter(context.selected_asset_check_keys)).asset_key
    step = Step(context, projects=projects, object_store=object_store, project=key.path[0])
    batches = step.inputs.read("annotation_batches")
    if tool_url(step.project) is None:
        why = "The project has no annotation tool, or none is running: nothing is handed off."
        return pinned(dg.AssetCheckResult(passed=True, description=why), batches)
    found = state(step.project, catalog=step.catalog)
    told = "Volume work may start."
    if found.missing:
        told = f"{len(found.missing)} missing: {' '.join(one.what for one in found.missing)}"
    step.log.info(told)
    rows = [{"part": one.part, "missing": one.what, "do": one.do} for one in found.missing]
    gold = [{"of": g.name, "images": g.images, "needed": g.needed} for g in found.gold]
    tables = {"missing": rows, "gold": gold}
    alpha = found.pilots[0].agreement.alpha if found.pilots else None
    result = dg.AssetCheckResult(
        passed=not found.missing,
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={
            "enforced": found.enforced,
            **({"pilot_alpha": alpha.value} if alpha and alpha.value is not None else {}),
            **{name: metadata_table(pa.Table.from_pylist(t)) for name, t in tables.items() if t},
        },
    )
    return pinned(result, batches)
