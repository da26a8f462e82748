"""``cvp review``: people judge a sample of what a model said."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from cv_pipeline.actor import current_actor
from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.cli.verdict import EvaluationRef
from cv_pipeline.errors import EvaluationError
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.evaluation.error_analysis.reviews import Tally
    from cv_pipeline.provenance.evaluated import Evaluated


def review(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    image: Annotated[
        str | None, typer.Argument(help="Image to judge: SHA-256, a prefix or a path.")
    ] = None,
    verdict: Annotated[str | None, typer.Argument(help="right or wrong.")] = None,
    issue: Annotated[str, typer.Option(help="What is wrong, in a word or two; counted.")] = "",
    note: Annotated[str, typer.Option(help="Anything else.")] = "",
    sample: Annotated[
        int | None, typer.Option(min=1, help="List so many images to judge, drawn by chance.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="Draw among the images of a query.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    evaluation: EvaluationRef = "latest",
    as_json: Json = False,
) -> None:
    """Draw a sample to judge, record a judgement, or (without either) tally all of them."""
    if sample is not None and image is not None:
        raise EvaluationError(
            "A sample is listed, or an image is judged, not both at once.",
            do="Leave out --sample to keep the judgement.",
        )
    dagster_home()
    from dagster import DagsterInstance

    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.evaluation.error_analysis.reviews import record_review, reviews_of, tally
    from cv_pipeline.provenance import EventLog
    from cv_pipeline.provenance.evaluated import find_evaluated

    with DagsterInstance.get() as instance:
        evaluated = find_evaluated(EventLog(instance), project=project, ref=evaluation)
        lake = Datalake.open(project, origin="cli")
        if sample is not None:
            _draw(evaluated, lake, n=sample, query=query, seed=seed, as_json=as_json)
            return
        made = evaluated.evaluation
        if image is not None:
            if verdict is None:
                raise EvaluationError(
                    "A judgement needs a verdict.", do=f"Say: cvp review {project} IMAGE right"
                )
            record_review(
                lake.catalog,
                made,
                image_id=lake.image(image).id,
                verdict=verdict,
                issue=issue,
                note=note,
                actor=current_actor(),
            )
        found = tally(reviews_of(lake.catalog, made.digest), made)
    if as_json:
        print_json(asdict(found))
    else:
        _show(found, project)


def _draw(
    evaluated: Evaluated, lake: Datalake, *, n: int, query: str | None, seed: int, as_json: bool
) -> None:
    from cv_pipeline.evaluation.error_analysis.reviews import review_sample
    from cv_pipeline.provenance.found_errors import answers_on

    among = lake.query(query).image_ids if query else None
    ids = review_sample(evaluated.evaluation, n=n, seed=seed, among=among)
    rows = answers_on(evaluated, ids)
    if as_json:
        print_json({"evaluation": evaluated.evaluation.digest, "seed": seed, "images": rows})
        return
    table = Table(
        "image", Column("path", overflow="fold"), "by the labels", "the model says", box=None
    )
    for row in rows:
        table.add_row(
            f"[yellow]{row['image_id'][:12]}[/]",
            escape(row["path"]),
            "right" if row["correct"] else "wrong",
            escape(row["says"]),
        )
    console.print(table)
    console.print(
        f"Judge each: cvp review {evaluated.project} IMAGE right|wrong --issue … --note …",
        markup=False,
        soft_wrap=True,
    )


def _show(found: Tally, project: str) -> None:
    from cv_pipeline.datasets.checks.finding import counted

    if found.right is None:
        console.print(f"Nothing was reviewed yet: cvp review {project} --sample 50", markup=False)
        return
    console.print(
        f"{found.right.value:.0%} right ({found.right.low:.0%} to {found.right.high:.0%}) of"
        f" {counted(found.images, 'image')} reviewed by"
        f" {counted(found.reviewers, 'person', 'people')}; the labels say the same of"
        f" {found.agree}.",
        markup=False,
        soft_wrap=True,
    )
    for what, ids in (
        ("right, though the labels say wrong", found.better),
        ("wrong, though the labels say right", found.worse),
        ("disputed", found.disputed),
    ):
        if ids:
            named = ", ".join(i[:12] for i in ids[:20])
            console.print(f"  {len(ids)} {what}: {named}", markup=False, soft_wrap=True)
    for issue, images in found.issues.items():
        console.print(f"  {images} × {issue}", markup=False)
