"""``cvp assign``: the open tasks, spread over annotators by skill and load."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json

if TYPE_CHECKING:
    from cv_pipeline.labeling.workload.plan import WorkPlan

_SHOWN = 8


def assign(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Give out again what is assigned already, as to more people."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Spread the open tasks of all batches over annotators; doing it again changes nothing."""
    from cv_pipeline.actor import current_actor
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.cli.user import write_down
    from cv_pipeline.inspector.access.assignments import share_batches
    from cv_pipeline.inspector.database import open_database
    from cv_pipeline.labeling.exchange.one_call import ask_for_people
    from cv_pipeline.labeling.workload.assignment import accounts_by_batch, apply_plan, plan_work
    from cv_pipeline.project import find_project
    from cv_pipeline.settings import cv_home, projects_dir, store_url
    from cv_pipeline.storage import open_store

    declared = find_project(project, projects_dir())
    catalog = Catalog(open_store(store_url()), project)
    ask_for_people(declared, catalog)
    plan = plan_work(catalog, declared.labeling, anew=anew)
    changed = 0
    if not dry_run:
        changed = apply_plan(catalog, plan)
        shared = share_batches(
            open_database(cv_home()),
            project=project,
            shared=accounts_by_batch(plan),
            known={one.account for one in declared.labeling.annotators.values()},
            actor=current_actor(),
        )
        if changed or shared:
            told = {"labels": plan.labels, "changed": changed, "batches": shared, "anew": anew}
            write_down("labeling.assign", project, **told)
    if as_json:
        print_json(_as_json(plan, changed))
        return
    _show(project, plan, changed, dry_run=dry_run)


def _as_json(plan: WorkPlan, changed: int) -> dict[str, object]:
    return {
        "labels": plan.labels,
        "tasks_changed": changed,
        "examined_on_gold": plan.examined,
        "annotators": [
            {**asdict(load.worker), "labels": load.labels, "hours": load.hours, "weeks": load.weeks}
            for load in plan.loads
        ],
        "unassigned": [asdict(one) for one in plan.unassigned],
        "without_account": list(plan.without_account),
    }


def _show(project: str, plan: WorkPlan, changed: int, *, dry_run: bool) -> None:
    told = "would be assigned" if dry_run else f"are assigned; {changed:,} tasks changed"
    console.print(f"{plan.labels:,} labels {told}")
    if plan.loads:
        columns = ("annotator", "account", "on gold", "gets", "labels", "hours", "weeks")
        table = Table(*columns, box=None)
        for load in plan.loads:
            worker = load.worker
            skill = "–" if worker.skill is None else f"{worker.skill:.2f} of {worker.gold_images}"
            gets = ("easy", "medium", "hard")[worker.level]
            table.add_row(
                escape(worker.name),
                escape(worker.account) or "–",
                skill,
                f"up to {gets}",
                f"{load.labels:,}",
                f"{load.hours:,.1f}",
                f"{load.weeks:.2f}",
            )
        console.print(table)
    for one in plan.unassigned:
        where = f"[bold yellow]{one.labels:,} labels of {escape(one.batch)}[/]"
        console.print(f"{where}: {escape(one.why)}", soft_wrap=True)
    if plan.without_account:
        shown = ", ".join(plan.without_account[:_SHOWN])
        more = len(plan.without_account) - _SHOWN
        console.print(
            f"{escape(shown)}{f' and {more:,} more' if more > 0 else ''} get nothing, for they have"
            " no account in Label Studio. If somebody has: labeling.people of project.yaml, as in"
            f" {{studio-7: {escape(plan.without_account[0])}}}.",
            soft_wrap=True,
        )
    if not plan.examined:
        console.print("The project has no gold images: everybody counts as qualified.", style="dim")
    if not plan.labels and not plan.unassigned:
        console.print(f"No task waits. Push a batch with: cvp push {project} --batch NAME")
