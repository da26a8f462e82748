"""``cvp token``: tokens by which programs use the inspector's API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.cli.user import open_door, write_down
from cv_pipeline.errors import SettingsError, nearest

if TYPE_CHECKING:
    from cv_pipeline.inspector.access.tokens import Token

token = typer.Typer(
    help="Tokens by which programs use the inspector's API; each change stands in its audit log.",
    no_args_is_help=True,
)


@token.command()
def create(
    user: Annotated[str, typer.Argument(help="Name of the account that it acts for.")],
    name: Annotated[str, typer.Option(help="What it is for, in words.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: assigned, view, comment, review, launch, waive or administer;"
            " repeat it for several. view by default."
        ),
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(help="Where; repeat it for several. Wherever the account has a role."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="For how many days it is good.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a token. It is shown this once: only a hash of it is kept."""
    from cv_pipeline.inspector.access.roles import SCOPES

    known = {str(each): each for each in SCOPES}
    for wanted in scope or ():
        if wanted not in known:
            raise SettingsError(f"There is no permission {wanted!r}.", do=nearest(wanted, known))
    secret, made = open_door().tokens.create(
        user,
        name=name,
        scopes=[known[each] for each in scope or ["view"]],
        projects=project or ["*"],
        lasts=timedelta(days=days),
    )
    write_down(
        "token.create",
        made.id,
        user=made.user,
        name=made.name,
        scopes=made.scopes,
        projects=made.projects,
    )
    if as_json:
        print_json({**_json(made), "token": secret})
        return
    console.print(secret, markup=False, soft_wrap=True)
    console.print(
        f"Keep it: it cannot be shown again. It is good until {made.expires_at:%Y-%m-%d}.",
        style="dim",
    )


@token.command("list")
def list_(
    user: Annotated[
        str | None, typer.Option(help="Only those of one account; all by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List tokens, those of the past too."""
    found = open_door().tokens.list(user)
    if as_json:
        print_json([_json(each) for each in found])
        return
    if not found:
        console.print("There is no token yet. Make one: cvp token create USER --name TEXT")
        return
    table = Table("token", "of", "for", "may", "in", "used", "until", "", box=None)
    for each in found:
        table.add_row(
            each.id,
            escape(each.user),
            escape(each.name),
            " ".join(each.scopes),
            " ".join(each.projects),
            f"{each.used_at:%Y-%m-%d %H:%M}" if each.used_at else "never",
            f"{each.expires_at:%Y-%m-%d}",
            "" if each.state == "good" else each.state,
        )
    console.print(table)


@token.command()
def revoke(
    token: Annotated[str, typer.Argument(help="What cvp token list calls it.")],
    as_json: Json = False,
) -> None:
    """Revoke a token: the next request that is made with it is refused."""
    revoked = open_door().tokens.revoke(token)
    write_down("token.revoke", revoked.id, user=revoked.user, name=revoked.name)
    if as_json:
        print_json(_json(revoked))
        return
    console.print(f"{revoked.id} is revoked: {revoked.name}", markup=False)


def _json(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": token.user,
        "name": token.name,
        "state": token.state,
        "scopes": list(token.scopes),
        "projects": list(token.projects),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "used_at": token.used_at.isoformat() if token.used_at else None,
    }
