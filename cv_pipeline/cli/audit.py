"""``cvp audit``: the inspector's audit log, listed, exported and checked."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json, write_file
from cv_pipeline.errors import SettingsError
from cv_pipeline.settings import cv_home

if TYPE_CHECKING:
    from cv_pipeline.inspector.audit import Head, Wanted

audit = typer.Typer(
    help="The inspector's audit log: who did what, when, from where and why.",
    no_args_is_help=True,
)

User = Annotated[str, typer.Option(help="Only what this account did.")]
Action = Annotated[
    str, typer.Option(help="Only this, or what begins with it: user, user.add, image.seen.")
]
OfProject = Annotated[str, typer.Option(help="Only what was done in this project.")]
Since = Annotated[datetime | None, typer.Option(help="Not earlier, UTC.")]
Until = Annotated[datetime | None, typer.Option(help="Earlier than this, UTC.")]


@audit.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(help="A head that was noted elsewhere, as this command prints it: N:SEAL."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every line: exit status 1 when one was altered, removed or inserted."""
    from cv_pipeline.inspector.audit import AuditLog
    from cv_pipeline.inspector.audit import verify as check

    found = check(AuditLog(cv_home()), noted=_head(head) if head else None)
    noted = f"{found.head.n}:{found.head.seal}"
    if as_json:
        print_json(
            {
                "whole": found.whole,
                "lines": found.lines,
                "head": noted,
                "faults": [vars(fault) for fault in found.faults],
                "remarks": found.remarks,
            }
        )
    else:
        if found.whole:
            console.print(f"All {found.lines:,} lines are genuine and none is missing.")
        for fault in found.faults:
            console.print(f"[bold red]{fault.kind}[/]  {escape(fault.told)}", soft_wrap=True)
        for remark in found.remarks:
            console.print(remark, style="dim", markup=False, soft_wrap=True)
        console.print(f"head {noted}", style="dim", soft_wrap=True)
    if not found.whole:
        raise typer.Exit(1)


@audit.command("list")
def list_(
    user: User = "",
    action: Action = "",
    project: OfProject = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Most lines to list.")] = 50,
    as_json: Json = False,
) -> None:
    """List lines, the newest first."""
    from cv_pipeline.inspector.audit import AuditLog
    from cv_pipeline.inspector.audit.export import as_json as plain

    wanted = _wanted(user, action, project, since, until)
    lines = AuditLog(cv_home()).read(wanted, limit=limit)
    if as_json:
        print_json([plain(line) for line in lines])
        return
    if not lines:
        console.print("Nothing was written down for this.")
        return
    table = Table("line", "when, UTC", "who", "from", "what", "to what", "in", "why", box=None)
    for line in lines:
        entry = line.entry
        table.add_row(
            f"{line.n:,}",
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            escape(entry.user),
            escape(entry.address or entry.means),
            escape(entry.action),
            escape(entry.target[:40]),
            escape(entry.project),
            escape(entry.why),
        )
    console.print(table)


@audit.command()
def export(
    to: Annotated[
        Path | None, typer.Argument(help="File to write; standard output if none.")
    ] = None,
    form: Annotated[
        Literal["json", "csv"], typer.Option("--format", help="JSON, a line each, or CSV.")
    ] = "json",
    user: User = "",
    action: Action = "",
    project: OfProject = "",
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Write lines to a file, the oldest first, with their seals."""
    from cv_pipeline.inspector.audit import AuditLog
    from cv_pipeline.inspector.audit.export import csv_rows, json_text

    lines = list(AuditLog(cv_home()).export(_wanted(user, action, project, since, until)))
    if form == "csv":
        table = io.StringIO()
        csv.writer(table).writerows(csv_rows(lines))
        text = table.getvalue()
    else:
        text = "".join(f"{json_text(line)}\n" for line in lines)
    if to is None:
        sys.stdout.write(text)
        return
    write_file(to, text.encode())
    if as_json:
        print_json({"file": str(to), "lines": len(lines)})
    else:
        console.print(f"{len(lines):,} lines in {to}", markup=False)


def _head(text: str) -> Head:
    from cv_pipeline.inspector.audit import Head

    n, _, seal = text.partition(":")
    if not n.isdecimal() or not seal:
        raise SettingsError(
            f"{text!r} is not a head.", do="Give it as cvp audit verify printed it: N:SEAL."
        )
    return Head(int(n), seal)


def _wanted(
    user: str, action: str, project: str, since: datetime | None, until: datetime | None
) -> Wanted:
    from cv_pipeline.inspector.audit import Wanted

    return Wanted(
        user=user,
        action=action,
        project=project,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
    )
