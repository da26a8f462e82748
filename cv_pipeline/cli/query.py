"""``cvp query``: find images, as of now or of any earlier moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import QueryError

if TYPE_CHECKING:
    from cv_pipeline.catalog.datalake.datalake import Datalake, Difference
    from cv_pipeline.catalog.datalake.query_result import QueryResult

_SHOWN = ("image_id", "path", "width", "height", "captured_at")


def query(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    text: Annotated[
        str | None,
        typer.Argument(
            help="What to ask, such as \"tags_count = 0 and metadata.scene = 'outdoor'\"; every"
            " image by default. docs/query.md has the language."
        ),
    ] = None,
    saved: Annotated[
        str | None, typer.Option(metavar="NAME", help="Ask a saved query, on today's data.")
    ] = None,
    rerun: Annotated[
        str | None,
        typer.Option(metavar="ID|NAME", help="Ask a query of the log, or a saved one, as of then."),
    ] = None,
    today: Annotated[
        bool, typer.Option("--today", help="With --rerun: list what differs on today's data.")
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Answer as of a time (UTC), a dataset version or a metric"
            " (project/metric@evaluation).",
        ),
    ] = None,
    when: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION",
            help="Answer as of the first evaluation at which it held, such as 'precision >= 0.91'.",
        ),
    ] = None,
    save: Annotated[str | None, typer.Option(metavar="NAME", help="Give the query a name.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Images to print.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Print every image.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL and its parameters.")] = False,
    as_json: Json = False,
) -> None:
    """Find images by tags, metadata, dates, labels, predictions, errors, similarity and more."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    if sum(x is not None for x in (text, saved, rerun)) > 1:
        raise QueryError("A text, --saved and --rerun each say what to ask.", do="Give one.")
    if today and rerun is None:
        raise QueryError("--today compares a query with an earlier answer.", do="Add --rerun.")
    if today and (save or sql):
        raise QueryError("--today lists a difference, not an answer.", do="Leave --save and --sql.")
    if rerun is not None and (as_of or when):
        raise QueryError("--rerun answers as of then.", do="Leave out --as-of and --when.")
    lake = Datalake.open(project, origin="cli")
    if rerun is not None and today:
        differs = lake.rerun(rerun, today=True)
        _print_difference(differs, as_json=as_json, limit=None if everything else limit)
        return
    if rerun is not None:
        found = lake.rerun(rerun)
    else:
        wanted = lake.saved(saved).text if saved is not None else text
        found = lake.query(wanted, as_of=as_of, when=when)
    if save is not None:
        found.save(save)
    shown = found.count if everything else limit
    if as_json:
        print_json(_to_json(found, shown))
    else:
        _print(lake, found, shown=shown, name=save, sql=sql)


def _to_json(found: QueryResult, shown: int) -> dict[str, Any]:
    answer = {
        "query_id": found.query_id,
        "count": found.count,
        "digest": found.digest,
        "text": found.text,
        "sql": found.sql,
        "parameters": found.parameters,
        "table_versions": found.table_versions,
        "seconds": found.seconds,
        "taken_out": len(found.taken_out),
        "images": found.to_arrow(("image_id", "path")).slice(0, shown).to_pylist(),
    }
    if not found.count:
        answer["conditions"] = [vars(condition) for condition in found.conditions()]
    return answer


def _print(lake: Datalake, found: QueryResult, *, shown: int, name: str | None, sql: bool) -> None:
    _say(found.text)
    if sql:
        _say(found.sql)
        _say(", ".join(f"${key} = {value!r}" for key, value in found.parameters.items()))
    console.print(f"\n[bold]{_headline(found)}[/]  [dim]{found.seconds:.2f} s[/]")
    _say(f"digest {found.digest}")
    if len(found.taken_out):
        _say(f"{len(found.taken_out):,} of them were taken out since: their pixels are gone.")
    if not found.count:
        _explain(found)
    elif shown:
        _rows(found, shown)
    if name is not None:
        _say(f"\nSaved. Ask it again: cvp query {lake.project} --saved {name}")
    else:
        _say(f"\nThe same answer again: cvp query {lake.project} --rerun {found.query_id}")


def _headline(found: QueryResult) -> str:
    if not found.count:
        return "No image."
    if found.count == found.images_then:
        return f"All {found.count:,} images"
    return f"{found.count:,} of {found.images_then:,} images"


def _explain(found: QueryResult) -> None:
    """Which condition alone leaves nothing, or how many each leaves."""
    conditions = found.conditions()
    if not found.images_then:
        _say("There are no images yet.")
    for condition in conditions:
        why = "  ← no image meets this one, whatever the others say" if not condition.count else ""
        _say(f"  {condition.count:>12,}  {condition.text}{why}")
        if condition.hint:
            _say(f"  {'':>12}  {condition.hint}")
    if len(conditions) > 1 and all(condition.count for condition in conditions):
        _say("Each condition is met by some images, but no image meets all of them.")


def _rows(found: QueryResult, shown: int) -> None:
    for row in found.to_arrow(_SHOWN).slice(0, shown).to_pylist():
        captured = f"  {row['captured_at']:%Y-%m-%d %H:%M}" if row["captured_at"] else ""
        _say(f"{row['image_id']}  {row['width']}×{row['height']}{captured}  {row['path']}")
    if found.count > shown:
        _say(f"… and {found.count - shown:,} more; --all prints them, --limit N more of them.")


def _print_difference(found: Difference, *, as_json: bool, limit: int | None) -> None:
    added, removed = found.added.to_pylist(), found.removed.to_pylist()
    if as_json:
        then, today = (_to_json(r, 0) for r in (found.then, found.today))
        for result in (then, today):
            del result["images"]
        print_json({"then": then, "today": today, "added": added, "removed": removed})
        return
    _say(found.then.text)
    _say(f"then   {found.then.count:>12,}  {found.then.digest}")
    _say(f"today  {found.today.count:>12,}  {found.today.digest}")
    for sign, name, ids in (("+", "added", added), ("-", "removed", removed)):
        console.print(f"\n[bold]{len(ids):,} {name}[/]")
        for image_id in ids[:limit]:
            _say(f"{sign} {image_id}")
        if limit is not None and len(ids) > limit:
            _say(f"… and {len(ids) - limit:,} more")


def _say(text: str) -> None:
    """A line that is neither wrapped nor read as markup."""
    console.print(text, markup=False, soft_wrap=True)
