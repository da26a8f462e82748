"""``cvp push``: a batch of images to the annotation tool."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.cli.labeling_progress import shown_progress
from cv_pipeline.cli.prelabels import why_no_prelabels


def push(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    batch: Annotated[str, typer.Option(help="Name of the batch, as images were set aside under.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Digest of the model whose pre-labels annotators begin with; empty for none."
            " By default the champion, or what labeling.prelabels.model names, or while there is no"
            " champion the one that pre-labelled last."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also images whose tasks were deleted in the tool.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Push a batch to Label Studio with pre-labels; doing it again goes on where it was."""
    from cv_pipeline.labeling.exchange.one_call import push as push_batch

    with shown_progress("pushing") as progress:
        report = push_batch(project, batch, prelabel_model=model, again=again, progress=progress)
    # --model "" asks for none
    why = "" if report.model or model == "" else why_no_prelabels(project)
    if as_json:
        print_json({**asdict(report), "no_prelabels": why})
        return
    console.print(
        f"[bold]{escape(report.batch)}[/]: {report.pushed:,} tasks pushed,"
        f" {report.waiting:,} of {report.images:,} images are in Label Studio"
    )
    console.print(f"  {report.url}", soft_wrap=True)
    console.print(f"  browsers fetch its images from {report.images_at}", soft_wrap=True)
    begun = report.prelabels or ({report.model: 0} if report.model else {})
    for digest, count in begun.items():
        console.print(f"  {count:,} begin with pre-labels of {digest[:12]}")
    if why:
        none = "none of the new ones begins" if begun else "none begins"
        console.print(f"  {none} with pre-labels: {why}", markup=False, soft_wrap=True)
    for count, what in (
        (report.found, "were there already, from a push that was broken off"),
        (report.deleted, "were deleted in the tool, and left so; --again pushes them"),
        (report.taken_out, "images were taken out, and are shown to nobody"),
        (report.doubled, "that a broken off push had doubled were removed"),
        (report.kept, "are there twice, and were left as somebody worked on them; see the pull"),
        (report.renewed, "have a new address of their image"),
        (report.not_renewed, "still have an old address; push again"),
    ):
        if count:
            console.print(f"  {count:,} {what}")
    if report.stopped:
        console.print(f"  [bold yellow]the batch is {report.stopped}[/]: the rest was not made")
    if report.unsure:
        console.print("The model is least sure of:")
        for one in report.unsure[:5]:
            console.print(f"  [yellow]{one.image_id[:12]}[/]  {one.uncertainty:.3f}")
