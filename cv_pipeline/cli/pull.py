"""``cvp pull``: what annotators did since the last time."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.cli.labeling_progress import shown_progress
from cv_pipeline.errors import LabelingError

if TYPE_CHECKING:
    from cv_pipeline.labeling.exchange.pull import PullReport

_NAMED = 5


def pull(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    whole: Annotated[
        bool, typer.Option("--whole", help="Read everything anew, and not only what changed.")
    ] = False,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost", help="It is true that every project of ours was deleted in the tool."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Pull annotations, edits and deletions from Label Studio into the history."""
    from cv_pipeline.labeling.exchange.one_call import pull as pull_batches

    with shown_progress("pulling") as progress:
        report = pull_batches(project, whole=whole, lost=lost, progress=progress)
    if as_json:
        print_json(asdict(report))
    else:
        console.print(
            f"{report.states:,} new states of annotations on {report.tasks:,} tasks,"
            f" {report.deleted_annotations:,} of them deletions, and {report.deleted_tasks:,}"
            f" deleted tasks, in {report.seconds:.1f} s"
        )
        for batch, state in report.advanced.items():
            console.print(f"  {batch} is {state} now", markup=False)
        if report.moved:
            console.print(_moved(report), markup=False, soft_wrap=True)
        if report.states:
            console.print(
                f"They become labels with: cvp run {project} --select annotation_exports",
                markup=False,
            )
        if report.quarantined:
            table = Table("no labels, because", "how many", box=None)
            for reason, count in report.quarantined.items():
                table.add_row(reason, f"{count:,}")
            console.print(table)
    if report.failed:
        told = "; ".join(f"{batch}: {why}" for batch, why in report.failed.items())
        raise LabelingError(
            f"{len(report.failed)} batches could not be pulled, the others were: {told}",
            do="Mend that, and run it again.",
        )


def _moved(report: PullReport) -> str:
    """That images of batches are looked for where the inspector is not, and what mends it."""
    many = len(report.moved)
    names = f"{', '.join(report.moved[:_NAMED])}{', …' if many > _NAMED else ''}"
    return (
        f"{many:,} {'batch shows' if many == 1 else 'batches show'} images at another address"
        f" than the inspector's ({report.images_at}): cvp push {report.project} --batch NAME"
        f" renews them: {names}"
    )
