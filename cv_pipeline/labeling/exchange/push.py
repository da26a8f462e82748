"""A batch, pushed: one project of the tool for each, with a task for every image.

Nothing is doubled and nothing left out, however often and wherever a push is broken off: what is
there already is looked for by the image, and only the rest is made. A batch has a project of its
own, so that one that is stuck holds up no other.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property

from cv_pipeline.annotations.ontology import lock
from cv_pipeline.catalog.datalake.image_batches import batch_images
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError, OntologyError, PushRefused
from cv_pipeline.labeling.batches.declared import change_state, declared_batch
from cv_pipeline.labeling.batches.gate_facts import Known
from cv_pipeline.labeling.batches.hand_off import missing
from cv_pipeline.labeling.batches.states import Declared
from cv_pipeline.labeling.exchange.batch_tasks import BatchTasks, Progress
from cv_pipeline.labeling.exchange.people import record_people
from cv_pipeline.labeling.exchange.push_report import PushReport
from cv_pipeline.labeling.exchange.renewal import renew
from cv_pipeline.labeling.exchange.turns import its_turn
from cv_pipeline.labeling.prelabels.prelabel_model import model_to_push
from cv_pipeline.labeling.tool.label_studio import Tool, ToolProject
from cv_pipeline.project import Project
from cv_pipeline.storage import ObjectStore

PUSHABLE = ("open", "pushed", "in_progress")
"""States in which a batch can be pushed, or pushed on."""


class Common:
    """What the pushes of several batches have in common, found out once for all of them.

    Args:
        project: whose batches they are.
        catalog: its tables.
        tool: Label Studio.
    """

    def __init__(self, project: Project, catalog: Catalog, tool: Tool) -> None:
        self._project = project
        self._catalog = catalog
        self._tool = tool
        self._is_met = False
        self.known = Known(project, catalog)

    def meet_tool(self) -> None:
        """See that the tool is there and can be used, and write down who has an account in it."""
        if not self._is_met:
            self._tool.version()
            record_people(self._catalog, self._project.labeling, self._tool.members())
            self._is_met = True

    @cached_property
    def model(self) -> str:
        """The model whose pre-labels tasks begin with where nobody says which."""
        return model_to_push(self._project, self._catalog)

    @cached_property
    def places(self) -> list[ToolProject]:
        """The tool's projects, by name; whoever makes one adds it."""
        return list(self._tool.projects())


def push(
    project: Project,
    batch: str,
    *,
    catalog: Catalog,
    store: ObjectStore,
    tool: Tool,
    prelabel_model: str | None = None,
    again: bool = False,
    progress: Progress | None = None,
    common: Common | None = None,
) -> PushReport:
    """Push a batch of images that were set aside.

    Args:
        project: whose batch it is.
        batch: name of the batch.
        catalog: the project's tables.
        store: where the images lie.
        tool: Label Studio.
        prelabel_model: digest of the model whose pre-labels annotators begin with, or a prefix of
            it; empty for none, and by default the champion's, or what the project names.
        again: whether images whose tasks were deleted in the tool are pushed once more.
        progress: is told how many of how many tasks are made.
        common: what was found out for other batches, of the same project and tool.

    Raises:
        QueryError: there is no such batch; the message names the nearest.
        CatalogError: the model made no pre-labels; the message names the nearest.
        PushRefused: volume work may not start yet; everything that is missing is named.
        OntologyError: classes or the guideline changed under a version that there are labels of.
        LabelingError: its state does not allow it, or the tool refuses it.
        ToolUnavailable: the tool does not answer; the same push again goes on where it was.
    """
    image_ids = batch_images(catalog, batch)
    common = common or Common(project, catalog, tool)
    with its_turn(project.name):
        # only now is it what no other push or pull changes
        declared = declared_batch(catalog, batch)
        _require_state(project, declared)
        try:
            _require_gate(project, batch, catalog=catalog, known=common.known)
        except (PushRefused, OntologyError) as refused:
            # what is there is worked on all the same, and must go on showing images
            told = renew(project, batch, catalog=catalog, tool=tool).told
            if not told:
                raise
            end = "\n" if refused.what.endswith("\n") else ""
            what = f"{refused.what.rstrip()}{end or ' '}{told}{end}"
            raise type(refused)(what, do=refused.do) from refused
        common.meet_tool()
        tasks = BatchTasks(
            project,
            declared,
            catalog=catalog,
            store=store,
            tool=tool,
            places=lambda: common.places,
        )
        if prelabel_model is None:
            model = common.model
        else:
            model = model_to_push(project, catalog, asked=prelabel_model)
        report = tasks.bring(image_ids, model=model, again=again, progress=progress)
        if declared.state == "open" and not report.stopped:
            # somebody may have paused or cancelled it at this very moment
            with contextlib.suppress(LabelingError):
                change_state(catalog, batch, "pushed")
            common.known.pushed(batch)
    left = declared_batch(catalog, batch).state
    return replace(report, stopped="" if left in (*PUSHABLE, "done") else left)


def _require_state(project: Project, declared: Declared) -> None:
    if declared.state not in PUSHABLE:
        raise LabelingError(
            f"Batch {declared.batch!r} is {declared.state}, so it cannot be pushed.",
            do=f"Resume it, or set other images aside: cvp batch {project.name} {declared.batch}",
        )


def _require_gate(project: Project, batch: str, *, catalog: Catalog, known: Known) -> None:
    lacking = missing(project, catalog=catalog, batch=batch, known=known)
    if lacking:
        listed = "".join(f"\n  - {one}" for one in lacking)
        raise PushRefused(
            f"Batch {batch!r} may not be pushed yet; {len(lacking)} missing:{listed}\n",
            do=f"See what each takes: cvp hand-off {project.name} --batch {batch}",
        )
    lock(project, catalog)
