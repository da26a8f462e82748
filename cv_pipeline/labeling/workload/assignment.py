"""Spreads the open tasks of all batches over annotators, by skill and by load.

A plan is a pure function of the tables and of who is there: the same gives the same. Nobody gets an
image that they labelled or skipped already, nobody gets one twice, and nobody gets what they are
not qualified for. Everybody finishes as evenly as that allows (:mod:`spreading` has the bound).
What is assigned already stays, unless whoever has it is gone, or the plan is made anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.declared import declared_batches, list_labeling_batches
from cv_pipeline.labeling.batches.progress import LabelingBatch
from cv_pipeline.labeling.exchange.counted import LOOKED_AT, counted_annotations
from cv_pipeline.labeling.settings.section import Labeling
from cv_pipeline.labeling.settings.work_section import WorkRules
from cv_pipeline.labeling.workload.examination import unqualified
from cv_pipeline.labeling.workload.pace import levels
from cv_pipeline.labeling.workload.plan import PLAN, Load, Unassigned, WorkPlan
from cv_pipeline.labeling.workload.spreading import Groups, laid_out, spread
from cv_pipeline.labeling.workload.workforce import Workforce, workforce_of

_BETWEEN = "\x1f"
"""Between names, here alone: no name holds it."""

_NOBODY = "nobody is there to label: name annotators under labeling.annotators"
_NO_ACCOUNT = (
    "nobody of those who are known has an account in the annotation tool: name accounts under"
    " labeling.annotators, as studio-7 for account 7, or say under labeling.people whose they are"
)

_TASKS_SQL = """
WITH tasks AS (
    SELECT batch, image_id, overlap, difficulty, assignee,
        CASE WHEN pilot OR difficulty = 'easy' OR image_id IN (SELECT image_id FROM gold) THEN 0
            WHEN difficulty = 'hard' THEN 2 ELSE 1 END AS level
    FROM labeling_tasks JOIN open_batches USING (batch)
    WHERE state = 'pushed'
),
seen AS (
    SELECT batch, image_id, list(DISTINCT annotator) AS people,
        count(DISTINCT annotator) FILTER (NOT cancelled) AS labels
    FROM current
    GROUP BY batch, image_id
),
given AS (
    SELECT batch, image_id, list(name) AS people
    FROM (
        SELECT batch, image_id, level AS needed, unnest(string_split(assignee, ',')) AS name
        FROM tasks WHERE assignee <> '' AND NOT $anew
    ) JOIN may USING (name)
        ANTI JOIN (SELECT batch, image_id, annotator AS name FROM current)
            USING (batch, image_id, name)
    WHERE may.level >= needed
    GROUP BY batch, image_id
),
planned AS (
    SELECT batch, image_id, level, difficulty, assignee,
        list_slice(list_sort(coalesce(given.people, [])), 1, greatest(
            overlap - coalesce(labels, 0), 0)) AS kept,
        coalesce(seen.people, []) AS before, overlap - coalesce(labels, 0) AS missing
    FROM tasks LEFT JOIN seen USING (batch, image_id) LEFT JOIN given USING (batch, image_id)
)
SELECT batch, image_id, assignee, level, difficulty, array_to_string(kept, chr(31)) AS kept,
    greatest(missing - len(kept), 0)::BIGINT AS wanted,
    array_to_string(list_sort(list_distinct(list_concat(before, kept))), chr(31)) AS without
FROM planned
WHERE missing > 0 OR assignee <> ''
ORDER BY image_id, batch
"""

_JOINED_SQL = """
SELECT place, string_agg(name, ',' ORDER BY name) AS assignee FROM slots GROUP BY place
"""


def plan_work(
    catalog: Catalog,
    labeling: Labeling,
    *,
    anew: bool = False,
    workforce: Workforce | None = None,
) -> WorkPlan:
    """Plan who labels what.

    Args:
        catalog: the project's tables.
        labeling: what the project declares of labelling.
        anew: whether what is assigned already is given out again, as when many people joined.
        workforce: who is there; by default whoever labelled before or is declared.
    """
    people = workforce or workforce_of(catalog, labeling, declared_batches(catalog))
    batches = [
        b for b in list_labeling_batches(catalog) if b.state in ("open", "pushed", "in_progress")
    ]
    tasks = _open_tasks(catalog, people, batches, anew=anew)
    present = people.present
    if not len(tasks) or not present:
        return _nobody(tasks, people)
    group, groups = _grouped(tasks, people)
    busy = _kept_seconds(tasks, people)
    shares = spread(groups, capacity=people.capacity, busy=busy)
    rows, persons = _slots(group, shares)
    return _as_plan(
        tasks,
        people,
        batches,
        labeling.work,
        rows=rows,
        persons=persons,
        groups=groups,
        group=group,
    )


def apply_plan(catalog: Catalog, plan: WorkPlan) -> int:
    """Write the assignees of a plan into ``labeling_tasks``; doing it again changes nothing.

    Returns:
        How many tasks changed.
    """
    if not len(plan.tasks):
        return 0
    table = catalog.table("labeling_tasks")
    rows = run_sql(
        "SELECT t.* REPLACE (p.assignee AS assignee) FROM labeling_tasks AS t"
        " JOIN plan AS p ON t.batch = p.batch AND t.image_id = p.image_id"
        " WHERE t.assignee <> p.assignee",
        relations={"labeling_tasks": table.relation(), "plan": plan.tasks},
    )
    if len(rows):
        table.merge(rows, on=["batch", "image_id"])
    return len(rows)


def accounts_by_batch(plan: WorkPlan) -> dict[str, tuple[str, ...]]:
    """Name of a batch to the accounts of the inspector that have work in it, sorted."""
    found: dict[str, set[str]] = {}
    for load in plan.loads:
        for batch in load.batches:
            if load.worker.account:
                found.setdefault(batch, set()).add(load.worker.account)
    return {batch: tuple(sorted(accounts)) for batch, accounts in sorted(found.items())}


def _open_tasks(
    catalog: Catalog, people: Workforce, batches: Sequence[LabelingBatch], *, anew: bool
) -> pa.Table:
    """Tasks of batches that are worked on, with what is kept of them, by image."""
    known = pa.table(
        {
            "batch": pa.array([b.name for b in batches], pa.string()),
            "overlap": pa.array([b.overlap for b in batches], pa.int32()),
            "difficulty": pa.array([b.difficulty for b in batches], pa.string()),
            "pilot": pa.array([b.pilot for b in batches], pa.bool_()),
        }
    )
    may = pa.table(
        {
            "name": pa.array([w.name for w in people.present], pa.string()),
            "level": pa.array([w.level for w in people.present], pa.int64()),
        }
    )
    return run_sql(
        _TASKS_SQL,
        relations={
            "labeling_tasks": catalog.table("labeling_tasks").relation(),
            "open_batches": known,
            "current": counted_annotations(catalog, columns=LOOKED_AT, skipped=True),
            "gold": pa.table({"image_id": people.gold}),
            "may": may,
        },
        parameters={"anew": anew},
    )


def _grouped(tasks: pa.Table, people: Workforce) -> tuple[NDArray[np.int64], Groups]:
    """(tasks,) group of each task, and the groups: same level, difficulty, and same people out."""
    keys = tasks.select(["level", "difficulty", "wanted", "without"]).append_column(
        "row", pa.array(np.arange(len(tasks)))
    )
    numbered = run_sql(
        "SELECT row, dense_rank() OVER (ORDER BY level, difficulty, wanted, without) - 1 AS g"
        " FROM keys ORDER BY row",
        relations={"keys": keys},
    )
    group: NDArray[np.int64] = numbered["g"].to_numpy().astype(np.int64)
    first = np.unique(group, return_index=True)[1]
    told = keys.take(pa.array(first))
    names = {worker.name: place for place, worker in enumerate(people.present)}
    able = np.array([worker.level for worker in people.present])
    level = told["level"].to_numpy()
    may = level[:, None] <= able[None, :]
    for place, without in enumerate(told["without"].to_pylist()):
        out = [names[name] for name in without.split(_BETWEEN) if name in names]
        may[place, out] = False
    seconds = people.seconds.T[levels(told["difficulty"])]
    wanted = told["wanted"].to_numpy().astype(np.int64)
    return group, Groups(np.bincount(group), wanted, may, seconds)


def _kept_seconds(tasks: pa.Table, people: Workforce) -> NDArray[np.float64]:
    """(present,) seconds of work that stays with whom it is assigned to."""
    busy = np.zeros(len(people.present))
    names = {worker.name: place for place, worker in enumerate(people.present)}
    counted = tasks.group_by(["kept", "difficulty"]).aggregate([([], "count_all")])
    for row, level in zip(counted.to_pylist(), levels(counted["difficulty"]), strict=True):
        for name in filter(None, row["kept"].split(_BETWEEN)):
            busy[names[name]] += row["count_all"] * people.seconds[names[name], level]
    return busy


def _slots(
    group: NDArray[np.int64], shares: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(labels,) task of each label that is given, and (labels,) who gets it."""
    order = np.argsort(group, kind="stable")
    bounds = np.append(0, np.cumsum(np.bincount(group, minlength=len(shares))))
    rows, persons = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, own in enumerate(shares):
        places, annotators = laid_out(own, int(bounds[number + 1] - bounds[number]))
        rows.append(order[bounds[number] + places])
        persons.append(annotators)
    return np.concatenate(rows), np.concatenate(persons)


def _as_plan(
    tasks: pa.Table,
    people: Workforce,
    batches: Sequence[LabelingBatch],
    rules: WorkRules,
    *,
    rows: NDArray[np.int64],
    persons: NDArray[np.int64],
    groups: Groups,
    group: NDArray[np.int64],
) -> WorkPlan:
    names = pa.array([worker.name for worker in people.present], pa.string())
    kept = run_sql(
        "SELECT place, unnest(string_split(kept, chr(31))) AS name FROM tasks WHERE kept <> ''",
        relations={
            "tasks": tasks.select(["kept"]).append_column("place", pa.array(np.arange(len(tasks))))
        },
    )
    slots = pa.concat_tables(
        [
            kept.cast(pa.schema([("place", pa.int64()), ("name", pa.string())])),
            pa.table({"place": pa.array(rows), "name": names.take(pa.array(persons))}),
        ]
    )
    joined = run_sql(_JOINED_SQL, relations={"slots": slots})
    assignee = np.full(len(tasks), "", object)
    assignee[joined["place"].to_numpy()] = joined["assignee"].to_numpy(zero_copy_only=False)
    plan = pa.table(
        {
            "batch": tasks["batch"],
            "image_id": tasks["image_id"],
            "assignee": pa.array(assignee, pa.string()),
        },
        schema=PLAN,
    )
    changed = np.asarray(assignee != tasks["assignee"].to_numpy(zero_copy_only=False), bool)
    return WorkPlan(
        tasks=plan.filter(pa.array(changed)),
        loads=_loads(tasks, slots, people, [b.name for b in batches]),
        unassigned=_left(tasks, people, rules, wanted=groups.wanted - groups.given, group=group),
        labels=len(slots),
        examined=len(people.gold) > 0,
        without_account=people.without_account,
    )


def _loads(
    tasks: pa.Table, slots: pa.Table, people: Workforce, urgency: Sequence[str]
) -> tuple[Load, ...]:
    where = tasks.select(["batch", "difficulty"]).take(slots["place"])
    counted = (
        where.append_column("name", slots["name"])
        .group_by(["name", "batch", "difficulty"])
        .aggregate([([], "count_all")])
    )
    work: dict[str, list[tuple[str, int, int]]] = {}
    for row, level in zip(counted.to_pylist(), levels(counted["difficulty"]), strict=True):
        work.setdefault(row["name"], []).append((row["batch"], int(level), row["count_all"]))
    loads = []
    for worker in people.present:
        own = work.get(worker.name, [])
        hours = sum(count * worker.seconds[level] for _, level, count in own) / 3600
        batches = {batch for batch, _, _ in own}
        loads.append(
            Load(
                worker=worker,
                labels=sum(count for _, _, count in own),
                hours=hours,
                weeks=hours / worker.hours_per_week,
                batches=tuple(name for name in urgency if name in batches),
            )
        )
    return tuple(loads)


def _left(
    tasks: pa.Table,
    people: Workforce,
    rules: WorkRules,
    *,
    wanted: NDArray[np.int64],
    group: NDArray[np.int64],
) -> tuple[Unassigned, ...]:
    """Labels that nobody could be given, by batch, and why."""
    short = tasks.select(["batch", "level"]).append_column("labels", pa.array(wanted[group]))
    counted = short.group_by(["batch", "level"]).aggregate([("labels", "sum")])
    rows = counted.sort_by([("batch", "ascending"), ("level", "ascending")]).to_pylist()
    able = [sum(worker.level >= level for worker in people.present) for level in range(3)]
    return tuple(
        Unassigned(
            row["batch"], row["labels_sum"], _why(row["level"], able[row["level"]], people, rules)
        )
        for row in rows
        if row["labels_sum"]
    )


def _why(level: int, able: int, people: Workforce, rules: WorkRules) -> str:
    if level and not able:
        what = "hard images" if level == 2 else "medium images"
        return f"nobody is qualified for {what}: {unqualified(people, rules, level=level)}"
    return (
        f"its overlap asks for more annotators than the {able} that may label its images: add"
        " annotators, or lower the overlap"
    )


def _nobody(tasks: pa.Table, people: Workforce) -> WorkPlan:
    """The plan where there is nothing to do, or nobody to do it."""
    counted = tasks.group_by("batch").aggregate([("wanted", "sum")]).sort_by("batch")
    unassigned = tuple(
        Unassigned(
            row["batch"],
            row["wanted_sum"],
            _NO_ACCOUNT if people.without_account else _NOBODY,
        )
        for row in counted.to_pylist()
        if row["wanted_sum"]
    )
    return WorkPlan(
        tasks=PLAN.empty_table(),
        loads=tuple(Load(worker, 0, 0.0, 0.0, ()) for worker in people.present),
        unassigned=unassigned,
        labels=0,
        examined=len(people.gold) > 0,
        without_account=people.without_account,
    )
