"""A batch, pushed: one project of the tool for each, with a task for every image.

Nothing is doubled and nothing left out, however often and wherever a push is broken off: what is
there already is looked for by the image, and only the rest is made. A batch has a project of its
own, so that one that is stuck holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.ontology import lock
from cv_pipeline.catalog.datalake.image_batches import batch_images
from cv_pipeline.catalog.schemas import LABELING_TASKS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import LabelingError, PushRefused, ToolUnavailable
from cv_pipeline.labeling.batches.declared import change_state, declared_batches
from cv_pipeline.labeling.batches.hand_off import missing
from cv_pipeline.labeling.batches.states import Declared
from cv_pipeline.labeling.exchange.task_drafts import Drafts
from cv_pipeline.labeling.exchange.turns import its_turn
from cv_pipeline.labeling.prelabels.prelabel_model import model_to_push
from cv_pipeline.labeling.tool.configuration import labelling_configuration
from cv_pipeline.labeling.tool.guidance import instructions_for
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.installation import installation
from cv_pipeline.labeling.tool.label_studio import Tool, ToolProject
from cv_pipeline.project import Project
from cv_pipeline.settings import cv_home
from cv_pipeline.storage import ObjectStore, Tombstones

UNSURE = 12
"""Images that a report names of those that the model is least sure of."""
PUSHABLE = ("open", "pushed", "in_progress")
_TRIES = 3

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Unsure:
    """An image that the model is unsure of.

    Attributes:
        image_id: the image.
        uncertainty: how unsure, from the pre-labels.
    """

    image_id: str
    uncertainty: float


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Attributes:
        project: name of our project.
        batch: name of the batch.
        tool_project: id of the tool's project.
        url: address of it.
        images: images of the batch.
        pushed: tasks that this push made.
        found: tasks that an earlier push made, broken off before it could write them down.
        waiting: tasks that are in the tool now.
        deleted: images whose tasks were deleted in the tool, and that were left so.
        taken_out: images of the batch that were taken out, and so are shown to nobody.
        doubled: tasks of an image that has one already, removed again.
        model: digest of the model that pre-labels; empty for none.
        prelabelled: of the tasks that this push made, those that begin with something.
        unsure: images that the model is least sure of, the most unsure first.
    """

    project: str
    batch: str
    tool_project: int
    url: str
    images: int
    pushed: int
    found: int
    waiting: int
    deleted: int
    taken_out: int
    doubled: int
    model: str
    prelabelled: int
    unsure: tuple[Unsure, ...]


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

    Raises:
        QueryError: there is no such batch; the message names the nearest.
        CatalogError: the model made no pre-labels; the message names the nearest.
        PushRefused: volume work may not start yet; everything that is missing is named.
        OntologyError: classes or the guideline changed under a version that there are labels of.
        LabelingError: its state does not allow it, or the tool refuses it.
        ToolUnavailable: the tool does not answer; the same push again goes on where it was.
    """
    image_ids = batch_images(catalog, batch)
    declared = declared_batches(catalog).get(batch) or Declared(batch)
    _require_pushable(project, batch, declared, catalog)
    with its_turn(project.name):
        tool.version()
        run = _Push(project, batch, declared, catalog=catalog, store=store, tool=tool)
        report = run.run(image_ids, model=prelabel_model, again=again, progress=progress)
        if declared.state == "open":
            change_state(catalog, batch, "pushed")
    return report


def _require_pushable(project: Project, batch: str, declared: Declared, catalog: Catalog) -> None:
    if declared.state not in PUSHABLE:
        raise LabelingError(
            f"Batch {batch!r} is {declared.state}, so it cannot be pushed.",
            do=f"Resume it, or set other images aside: cvp batch {project.name} {batch}",
        )
    lacking = missing(project, catalog=catalog, batch=batch)
    if lacking:
        listed = "".join(f"\n  - {one}" for one in lacking)
        raise PushRefused(
            f"Batch {batch!r} may not be pushed yet; {len(lacking)} missing:{listed}\n",
            do=f"See what each takes: cvp hand-off {project.name} --batch {batch}",
        )
    lock(project, catalog)


class _Push:
    """One batch on its way to the tool."""

    def __init__(
        self,
        project: Project,
        batch: str,
        declared: Declared,
        *,
        catalog: Catalog,
        store: ObjectStore,
        tool: Tool,
    ) -> None:
        self._project = project
        self._batch = batch
        is_declared = declared.changed_at is not None
        self._overlap = declared.overlap if is_declared else project.labeling.overlap
        self._catalog = catalog
        self._store = store
        self._tool = tool
        self._table = catalog.table("labeling_tasks")
        self._mark = f"[{installation(store)} {project.name}/{batch}]"

    def run(
        self, image_ids: pa.Array, *, model: str | None, again: bool, progress: Progress | None
    ) -> PushReport:
        known = self._table.read(filter=one_of("batch", [self._batch]))
        gone = known.filter(pc.equal(known["state"], "deleted"))["image_id"]
        standing = known.filter(pc.not_equal(known["state"], "deleted"))["image_id"]
        out = set(Tombstones(self._store).image_ids()) & set(image_ids.to_pylist())
        wanted = _without(image_ids, [*standing.to_pylist(), *out])
        if not again:
            wanted = _without(wanted, gone.to_pylist())
        place, is_new = self._place(known, needed=len(wanted) > 0)
        model = model_to_push(self._project, self._catalog, asked=model)
        drafts = Drafts.of(
            self._catalog,
            self._batch,
            image_ids=wanted,
            model=model,
            base=self._project.labeling.images,
            addresses=ImageAddresses(cv_home()),
        )
        pushed, found, doubled = self._make(place.id, drafts, is_new=is_new, progress=progress)
        waiting = self._table.read(
            columns=["state", "prelabel_model"], filter=one_of("batch", [self._batch])
        )
        # the tool knows the model only once it has predictions of it
        if place.model != model and model in waiting["prelabel_model"].to_pylist() and model:
            self._tool.show_predictions(place.id, model)
        return PushReport(
            project=self._project.name,
            batch=self._batch,
            tool_project=place.id,
            url=f"{self._tool.url}/projects/{place.id}/data",
            images=len(image_ids),
            pushed=pushed,
            found=found,
            waiting=pc.sum(pc.equal(waiting["state"], "pushed")).as_py() or 0,
            deleted=0 if again else len(gone),
            taken_out=len(out),
            doubled=doubled,
            model=model,
            prelabelled=drafts.prelabelled,
            unsure=self._unsure(image_ids, model),
        )

    def _place(self, known: pa.Table, *, needed: bool) -> tuple[ToolProject, bool]:
        """The tool's project for this batch, and whether it is new."""
        numbers = sorted(set(known["tool_project"].to_pylist()), reverse=True)
        for number in numbers:
            found = self._tool.project(number)
            if found is not None and self._mark in found.description:
                return self._brought_up_to_date(found), False
        for one in self._tool.projects():
            if self._mark in one.description:
                found = self._tool.project(one.id)
                if found is not None:
                    return self._brought_up_to_date(found), False
        standing = known.filter(pc.not_equal(known["state"], "deleted"))
        if len(standing) or not needed:
            listed = ", ".join(map(str, numbers)) or "that it has"
            raise LabelingError(
                f"Batch {self._batch!r} was pushed before, and the project ({listed}) is not at"
                f" {self._tool.url}.",
                do="See that labeling.url is the same server as then. If the project was deleted,"
                f" run: cvp pull {self._project.name}, and push with --again.",
            )
        configuration = labelling_configuration(self._project.ontology, task=self._project.task)
        made = self._tool.make_project(
            self._title,
            description=self._description,
            configuration=configuration,
            overlap=self._overlap,
            instructions=instructions_for(self._project),
        )
        return made, True

    @property
    def _title(self) -> str:
        return f"{self._project.name} · {self._batch}"

    @property
    def _description(self) -> str:
        return f"Batch {self._batch} of {self._project.name}. Leave the mark: {self._mark}"

    def _brought_up_to_date(self, found: ToolProject) -> ToolProject:
        """The project with today's overlap and guideline.

        Its classes stay those that the work there was begun with.
        """
        instructions = instructions_for(self._project)
        if (found.overlap, found.instructions) == (self._overlap, instructions):
            return found
        return self._tool.change_project(
            found.id,
            found.title,
            description=found.description,
            configuration=found.configuration,
            overlap=self._overlap,
            instructions=instructions,
        )

    def _make(
        self, number: int, drafts: Drafts, *, is_new: bool, progress: Progress | None
    ) -> tuple[int, int, int]:
        """Make the tasks that there are not; returns those made, found and removed again."""
        todo = sorted(drafts.sizes)
        total = len(todo)
        pushed = found = 0
        is_certain = is_new
        for attempt in range(1, _TRIES + 1):
            if todo and not is_certain:
                there = self._there(number)
                known = {i: there[i][0] for i in todo if i in there}
                self._write_down(number, known, drafts)
                found += len(known)
                todo = [i for i in todo if i not in known]
            try:
                for chunk in drafts.chunks(todo):
                    images = [task["data"]["image_id"] for task in chunk]
                    ids = self._tool.add_tasks(number, chunk)
                    self._write_down(number, dict(zip(images, ids, strict=True)), drafts)
                    pushed += len(ids)
                    todo = todo[len(ids) :]
                    if progress is not None:
                        progress(total - len(todo), total, "tasks")
            except ToolUnavailable:
                # whether the last ones were made is not known: look, and make the rest
                is_certain = False
                if attempt == _TRIES:
                    raise
            else:
                break
        # what an earlier request makes late is made twice: nothing was labelled there yet
        doubled = 0 if is_certain or not total else self._without_doubles(number)
        return pushed, found, doubled

    def _there(self, number: int) -> dict[str, list[int]]:
        """Image to the tasks that show it in this batch, in the tool."""
        there: dict[str, list[int]] = {}
        for task, data in self._tool.task_data(number):
            image_id = data.get("image_id")
            if isinstance(image_id, str) and data.get("batch") == self._batch:
                there.setdefault(image_id, []).append(task)
        return there

    def _without_doubles(self, number: int) -> int:
        there = self._there(number)
        rows = self._table.read(
            columns=["image_id", "task"], filter=one_of("batch", [self._batch])
        ).to_pylist()
        ours = {row["image_id"]: row["task"] for row in rows}
        removed = 0
        for image_id, tasks in there.items():
            for task in tasks:
                if image_id in ours and task != ours[image_id]:
                    removed += self._tool.remove_unlabelled(task)
        return removed

    def _write_down(self, number: int, tasks: Mapping[str, int], drafts: Drafts) -> None:
        if not tasks:
            return
        count = len(tasks)
        images = pa.array(list(tasks), pa.string())
        told = {
            "batch": self._batch,
            "tool_project": number,
            "pushed_at": datetime.now(UTC),
            "ontology_version": self._project.ontology.version,
            "guideline_version": self._project.ontology.guideline_version,
            "state": "pushed",
            "assignee": "",
        }
        suggested = drafts.prelabels["image_id"].combine_chunks()
        columns = {
            field.name: pa.repeat(pa.scalar(told[field.name], field.type), count)
            for field in LABELING_TASKS
            if field.name in told
        } | {
            "image_id": images,
            "task": pa.array(list(tasks.values()), pa.int64()),
            "changed_at": pa.nulls(count, pa.timestamp("us", tz="UTC")),
            "prelabel_model": pc.if_else(pc.is_in(images, value_set=suggested), drafts.model, ""),
            "arm": self._arms(images),
        }
        rows = pa.table([columns[name] for name in LABELING_TASKS.names], schema=LABELING_TASKS)
        self._table.merge(rows, on=self._table.key)

    def _arms(self, images: pa.Array) -> pa.Array:
        """Sampling algorithm that chose each image for this batch; empty where none did."""
        chosen = self._catalog.table("sampled_images").read(
            columns=["image_id", "arm", "at"], filter=one_of("batch", [self._batch])
        )
        chosen = chosen.sort_by([("at", "descending"), ("arm", "ascending")])
        place = pc.index_in(images, value_set=chosen["image_id"].combine_chunks())
        return pc.fill_null(chosen["arm"].combine_chunks().take(place), "")

    def _unsure(self, image_ids: pa.Array, model: str) -> tuple[Unsure, ...]:
        rows = self._catalog.table("prelabels").read(
            columns=["image_id", "uncertainty"],
            filter=one_of("image_id", image_ids.to_pylist()) & (pc.field("model") == model),
        )
        of_images = rows.group_by("image_id").aggregate([("uncertainty", "max")])
        first = of_images.sort_by(
            [("uncertainty_max", "descending"), ("image_id", "ascending")]
        ).slice(0, UNSURE)
        return tuple(Unsure(r["image_id"], r["uncertainty_max"]) for r in first.to_pylist())


def _without(image_ids: pa.Array, others: Iterable[str]) -> pa.Array:
    return image_ids.filter(
        pc.invert(pc.is_in(image_ids, value_set=pa.array(list(others), pa.string())))
    )
