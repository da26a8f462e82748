"""``cvp slices``: where a model is worst, and the images behind any slice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.slicing.facts import CHOSEN, PROPERTIES, REST
from cv_pipeline.evaluation.slicing.words import short_query
from cv_pipeline.project import find_project
from cv_pipeline.settings import dagster_home, projects_dir

if TYPE_CHECKING:
    import pyarrow as pa

    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.catalog.query import QueryNode
    from cv_pipeline.evaluation import Evaluation
    from cv_pipeline.provenance.slice_images import SliceImages


def slices(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    evaluation: Annotated[
        str, typer.Option(help="The evaluation: a digest or prefix, or latest.")
    ] = "latest",
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many of each.")] = 10,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="KEY=VALUE|NAME|RANK",
            help="One slice: metadata keys or image properties with their values, declared queries"
            " by name (NAME=no: all others), several for a pair; or the number of a found one.",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Only objects of this class.")
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="List the images, worst first.")] = False,
    as_json: Json = False,
) -> None:
    """Show the worst slices of an evaluation, or one slice, with the query that selects its images.

    A slice's own probability is not corrected: it was asked about, not searched for.
    """
    dagster_home()
    found = find_project(project, projects_dir())
    from dagster import DagsterInstance

    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.catalog.query.text import condition_text
    from cv_pipeline.provenance import EventLog
    from cv_pipeline.provenance.evaluated import find_evaluated
    from cv_pipeline.provenance.slice_images import slice_images, slice_query, within_split

    with DagsterInstance.get() as instance:
        made = find_evaluated(EventLog(instance), project=project, ref=evaluation).evaluation
        worst = _of_class(made, label)
        lake = Datalake.open(project, origin="cli")
        values: dict[str, str | None] = {}
        declared: dict[str, str] = {}
        wanted: list[tuple[str, list[str], str | None]] = []
        if chosen and not chosen[0].isdecimal():
            nodes = {n: q.to_ast() for n, q in found.evaluation.slice_queries.items()}
            declared = {n: condition_text(q.where) for n, q in nodes.items() if q.where}
            values = dict(_pair(text, declared) for text in chosen)
            for name in values:
                _refuse_drawn(name, nodes.get(name))
            query = slice_query(made, values, declared=declared)
            words = [f"{k} not set" if v is None else f"{k} = {v}" for k, v in values.items()]
            wanted.append((query, words, label))
        else:
            ranks = _ranks(worst, chosen, count if images else 0)
            rows = [row for row in worst.to_pylist() if row["rank"] in ranks]
            if chosen:
                _refuse_without_query(rows)
            wanted += [
                (within_split(made, row["query"]), _words(row), row["label"])
                for row in rows
                if row["query"]
            ]
        measured = [
            slice_images(made, lake, query=query, words=words, label=of_class)
            for query, words, of_class in wanted
        ]
        if values and not measured[0].images:
            _refuse_unknown(lake, values, declared)
    show_all = not chosen
    if as_json:
        print_json(_json(made, worst if show_all else None, measured, count, images=images))
        return
    if show_all:
        _show_worst(made, worst, project, count)
    for one in measured:
        _show(one, project, made, count, images=images)


def _pair(text: str, declared: Mapping[str, str]) -> tuple[str, str | None]:
    """The key and the value that a slice is written as; the name of a query stands for its yes."""
    if text in declared:
        return text, CHOSEN
    key, sign, value = text.rpartition("=")
    if sign and key in declared:
        if value not in (CHOSEN, REST):
            raise EvaluationError(
                f"{key!r} is a query that evaluation.slice_queries declares, not a key: {value!r}"
                " is none of its values.",
                do=f"Write {key}, or {key}={REST} for all other images.",
            )
        return key, value
    key, sign, value = text.partition("=")
    if not sign or not key:
        named = f" {nearest(text, declared)}" if declared and not sign else ""
        raise EvaluationError(
            f"{text!r} is no slice.",
            do=f"Write KEY=VALUE, a declared query or the number of a found slice.{named}",
        )
    return key, value or None


def _refuse_drawn(name: str, query: QueryNode | None) -> None:
    if query is not None and (query.sample is not None or query.limit is not None):
        raise EvaluationError(
            f"The query of {name!r} draws some of its images, so no condition selects them.",
            do=f"Leave sample and limit out of evaluation.slice_queries.{name} in project.yaml.",
        )


def _of_class(made: Evaluation, label: str | None) -> pa.Table:
    """The worst slices, or those of one class."""
    if label is None:
        return made.worst_slices
    if label not in made.record.labels:
        raise EvaluationError(
            f"There is no class {label!r}.", do=nearest(label, made.record.labels)
        )
    return made.worst_slices.filter(pc.equal(made.worst_slices["label"], label))


def _refuse_unknown(
    lake: Datalake, values: dict[str, str | None], declared: dict[str, str]
) -> None:
    """Refuse a slice without images if its key, or its value, is one that no image has."""
    metadata = lake.snapshot().metadata
    keys = pc.unique(metadata["key"]).to_pylist()
    for name, text in values.items():
        if name in PROPERTIES or name in declared:
            continue
        if name not in keys:
            raise EvaluationError(
                f"{name!r} is no metadata key, image property or declared query.",
                do=nearest(name, [*keys, *PROPERTIES, *declared]),
            )
        known = metadata.filter(pc.equal(metadata["key"], name))["value"]
        known = pc.unique(known.cast("string")).to_pylist()
        if text is not None and text not in known:
            raise EvaluationError(f"No image has {name} = {text!r}.", do=nearest(text, known))


def _ranks(worst: pa.Table, chosen: list[str] | None, count: int) -> set[int]:
    known = worst["rank"].to_pylist()
    if not chosen:
        return set(known[:count])
    others = [text for text in chosen if not text.isdecimal()]
    if others:
        raise EvaluationError(
            f"{others[0]!r} stands beside the number of a found slice.",
            do="Ask for KEY=VALUE, or for numbers of found slices.",
        )
    ranks = set(map(int, chosen))
    if not ranks <= set(known):
        raise EvaluationError(
            f"There is no slice {min(ranks - set(known))}: {len(known)} were found.",
            do="Leave --slice out to see them.",
        )
    return ranks


def _refuse_without_query(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if not row["query"]:
            raise EvaluationError(
                f"Slice {row['rank']} has no query: only the ids of its {row['images']:,} images"
                " select it, and they are too many.",
                do="See what else its images have in common: leave --slice out.",
            )


def _words(row: dict[str, Any]) -> list[str]:
    pairs = ((row["slice_key"], row["slice_value"]), (row["second_key"], row["second_value"]))
    return [f"{k} not set" if v is None else f"{k} = {v}" for k, v in pairs if k is not None]


def _json(
    made: Evaluation,
    worst: pa.Table | None,
    measured: list[SliceImages],
    count: int,
    *,
    images: bool,
) -> dict[str, Any]:
    answer: dict[str, Any] = {"evaluation": made.digest, "split": made.record.split}
    if worst is not None:
        answer["worst_slices"] = worst.slice(0, count).to_pylist()
    listed = []
    for one in measured:
        value = one.to_json()
        value["images_count"] = len(one.images)
        value["images"] = value["images"][:count] if images else []
        listed.append(value)
    return {**answer, "slices": listed}


def _show_worst(made: Evaluation, worst: pa.Table, project: str, count: int) -> None:
    rows = worst.slice(0, count).to_pylist()
    console.print(f"[bold]worst slices[/] of {made.record.split}, evaluation {made.digest[:16]}\n")
    for row in rows:
        console.print(f"  {row['rank']:>2}  {row['sentence']}", markup=False, soft_wrap=True)
        console.print(f"      {short_query(row['query'])}", style="dim", markup=False)
    if not rows:
        console.print("  none is worse than the rest by more than chance")
    if rows:
        console.print(f"\n  cvp slices {project} --slice RANK --images   its images", style="dim")


def _show(one: SliceImages, project: str, made: Evaluation, count: int, *, images: bool) -> None:
    console.print(f"\n[bold]{escape(one.what)}[/]", soft_wrap=True)
    if one.value is None:
        console.print("  no object on these images")
    else:
        rest = "–" if one.rest is None else f"{one.rest:.3f}"
        chance = "" if one.p_value is None else f", p = {one.p_value:.1g}"
        console.print(
            f"  {one.metric} {one.value:.3f} ({one.low:.3f} to {one.high:.3f}), {rest} elsewhere"
            f"{chance}; {one.objects:,} objects on {len(one.images):,} images",
            markup=False,
            soft_wrap=True,
        )
    dataset = made.record.dataset[:16]
    console.print(
        f"  cvp query {project} {_quoted(one.query)} --as-of {dataset}",
        markup=False,
        soft_wrap=True,
    )
    if not images:
        return
    table = Table("image", "path", "objects", "missed", "score", box=None)
    for row in one.images[:count]:
        table.add_row(
            f"[yellow]{row['image_id'][:12]}[/]",
            escape(row["path"]),
            str(row["objects"]),
            str(row["missed"]),
            f"{row['score']:.3f}",
        )
    console.print(table)
    if len(one.images) > count:
        console.print(f"  … and {len(one.images) - count:,} more: -n shows more")


def _quoted(text: str) -> str:
    """A text in double quotes that a shell takes as it is: values of metadata may hold anything."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'
