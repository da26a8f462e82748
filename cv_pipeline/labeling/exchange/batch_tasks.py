"""The tasks of one batch in the tool: what lacks is made, and what is there twice removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import LABELING_TASKS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import LabelingError, ToolUnavailable
from cv_pipeline.labeling.batches.declared import declared_batch
from cv_pipeline.labeling.batches.states import Declared
from cv_pipeline.labeling.exchange.push_report import PushReport, Unsure
from cv_pipeline.labeling.exchange.renewal import renew, start_for
from cv_pipeline.labeling.exchange.task_drafts import Drafts
from cv_pipeline.labeling.tool.configuration import labelling_configuration
from cv_pipeline.labeling.tool.guidance import instructions_for
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.inspector_address import images_base
from cv_pipeline.labeling.tool.installation import installation
from cv_pipeline.labeling.tool.label_studio import Tool, ToolProject
from cv_pipeline.project import Project
from cv_pipeline.settings import cv_home
from cv_pipeline.storage import ObjectStore, Tombstones

UNSURE = 12
"""Images that a report names of those that the model is least sure of."""
_TRIES = 3

Progress = Callable[[int, int, str], None]


class _There(NamedTuple):
    """A task as the tool has it."""

    task: int
    address: str | None


class _Made(NamedTuple):
    """What became of the tasks that lacked."""

    pushed: int
    found: int
    is_certain: bool


class BatchTasks:
    """One batch on its way to the tool.

    Args:
        project: whose batch it is.
        declared: what was declared of it.
        catalog: the project's tables.
        store: where the images lie.
        tool: Label Studio.
        places: the tool's projects, by name; one that is made is added.
    """

    def __init__(
        self,
        project: Project,
        declared: Declared,
        *,
        catalog: Catalog,
        store: ObjectStore,
        tool: Tool,
        places: Callable[[], list[ToolProject]],
    ) -> None:
        self._project = project
        self._batch = declared.batch
        is_declared = declared.changed_at is not None
        self._overlap = declared.overlap if is_declared else project.labeling.overlap
        self._catalog = catalog
        self._store = store
        self._tool = tool
        self._places = places
        self._addresses = ImageAddresses(cv_home())
        self._table = catalog.table("labeling_tasks")
        self._mark = f"[{installation(store)} {project.name}/{declared.batch}]"

    def bring(
        self, image_ids: pa.Array, *, model: str, again: bool, progress: Progress | None
    ) -> PushReport:
        """Bring the tool to have one task for each image.

        Args:
            image_ids: the images of the batch.
            model: whose pre-labels new tasks begin with; empty for none.
            again: whether images whose tasks were deleted in the tool get one once more.
            progress: is told how many of how many tasks are made.
        """
        known = self._table.read(filter=one_of("batch", [self._batch]))
        gone = known.filter(pc.equal(known["state"], "deleted"))["image_id"]
        standing = known.filter(pc.not_equal(known["state"], "deleted"))["image_id"]
        out = set(Tombstones(self._store).image_ids()) & set(image_ids.to_pylist())
        wanted = _without(image_ids, [*standing.to_pylist(), *out])
        if not again:
            wanted = _without(wanted, gone.to_pylist())
        place, is_new = self._place(known, needed=len(wanted) > 0)
        drafts = Drafts.of(
            self._catalog,
            self._batch,
            image_ids=wanted,
            model=model,
            start=start_for(self._project, self._batch),
            addresses=self._addresses,
        )
        made = self._make(place.id, drafts, is_new=is_new, progress=progress)
        doubled, kept = self._look_for_doubles(place, made, is_new=is_new)
        renewed = renew(self._project, self._batch, catalog=self._catalog, tool=self._tool)
        waiting = self._table.read(
            columns=["state", "prelabel_model"], filter=one_of("batch", [self._batch])
        )
        there = waiting.filter(pc.equal(waiting["state"], "pushed"))["prelabel_model"]
        begun = Counter(digest for digest in there.to_pylist() if digest)
        # the tool knows the model only once it has predictions of it
        if place.model != model and model in waiting["prelabel_model"].to_pylist() and model:
            self._tool.show_predictions(place.id, model)
        return PushReport(
            project=self._project.name,
            batch=self._batch,
            tool_project=place.id,
            url=f"{self._tool.url}/projects/{place.id}/data",
            images=len(image_ids),
            pushed=made.pushed,
            found=made.found,
            waiting=len(there),
            deleted=0 if again else len(gone),
            taken_out=len(out),
            doubled=doubled,
            kept=kept,
            renewed=renewed.tasks,
            not_renewed=renewed.left,
            images_at=images_base(self._project),
            model=model,
            prelabelled=drafts.prelabelled,
            unsure=self._unsure(image_ids, model),
            prelabels=dict(begun.most_common()),
            stopped=self._stopped(),
        )

    def _place(self, known: pa.Table, *, needed: bool) -> tuple[ToolProject, bool]:
        """The tool's project for this batch, and whether it is new."""
        numbers = sorted(set(known["tool_project"].to_pylist()), reverse=True)
        for number in numbers:
            found = self._tool.project(number)
            if found is not None and self._mark in found.description:
                return self._brought_up_to_date(found), False
        for one in self._places():
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
        self._places().append(made)
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
    ) -> _Made:
        """Make the tasks that there are not, until somebody pauses or cancels the batch."""
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
                    if self._stopped():
                        return _Made(pushed, found, is_certain)
                    images = [task["data"]["image_id"] for task in chunk]
                    ids = self._tool.add_tasks(number, chunk)
                    made = {i: _There(n, None) for i, n in zip(images, ids, strict=True)}
                    self._write_down(number, made, drafts)
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
        return _Made(pushed, found, is_certain)

    def _stopped(self) -> str:
        """paused or cancelled, where the batch is so now; a push does not hold people up."""
        state = declared_batch(self._catalog, self._batch).state
        return state if state in ("paused", "cancelled") else ""

    def _there(self, number: int) -> dict[str, list[_There]]:
        """Image to the tasks that show it in this batch, in the tool."""
        there: dict[str, list[_There]] = {}
        for task, data in self._tool.task_data(number):
            image_id, address = data.get("image_id"), data.get("image")
            if isinstance(image_id, str) and data.get("batch") == self._batch:
                known = address if isinstance(address, str) else None
                there.setdefault(image_id, []).append(_There(task, known))
        return there

    def _look_for_doubles(
        self, place: ToolProject, made: _Made, *, is_new: bool
    ) -> tuple[int, int]:
        """Remove tasks of images that have one already, where the tool has more than there are.

        What an earlier request makes late is made twice. Returns how many were removed, and how
        many were left because somebody worked on them.
        """
        if is_new and made.is_certain:
            return 0, 0
        rows = self._table.read(
            columns=["image_id", "task", "tool_project", "state"],
            filter=one_of("batch", [self._batch]),
        )
        live = pc.and_(pc.equal(rows["tool_project"], place.id), pc.equal(rows["state"], "pushed"))
        number = place.tasks
        if made.pushed:
            now = self._tool.project(place.id)
            number = 0 if now is None else now.tasks
        if made.is_certain and number <= (pc.sum(live).as_py() or 0):
            return 0, 0
        ours = dict(zip(rows["image_id"].to_pylist(), rows["task"].to_pylist(), strict=True))
        doubles = [
            one.task
            for image_id, tasks in self._there(place.id).items()
            for one in tasks
            if image_id in ours and one.task != ours[image_id]
        ]
        removed = [self._tool.remove_unlabelled(task) for task in doubles]
        return removed.count(True), removed.count(None)

    def _write_down(self, number: int, tasks: Mapping[str, _There], drafts: Drafts) -> None:
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
            "task": pa.array([one.task for one in tasks.values()], pa.int64()),
            "changed_at": pa.nulls(count, pa.timestamp("us", tz="UTC")),
            "prelabel_model": pc.if_else(pc.is_in(images, value_set=suggested), drafts.model, ""),
            "arm": self._arms(images),
            "address": pa.array(self._given(tasks, drafts), pa.string()),
        }
        rows = pa.table([columns[name] for name in LABELING_TASKS.names], schema=LABELING_TASKS)
        self._table.merge(rows, on=self._table.key)

    def _given(self, tasks: Mapping[str, _There], drafts: Drafts) -> Sequence[str]:
        """The addresses that tasks were given: by an earlier push, if it was one of ours."""
        return [
            one.address
            if one.address is not None and self._addresses.read(one.address) is not None
            else drafts.address(image_id)
            for image_id, one in tasks.items()
        ]

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
