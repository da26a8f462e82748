"""``cvp user``: accounts of the inspector and their roles."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import SettingsError
from cv_pipeline.settings import cv_home

if TYPE_CHECKING:
    from cv_pipeline.inspector.access.accounts import Account
    from cv_pipeline.inspector.access.front_door import FrontDoor

user = typer.Typer(
    help="Accounts of the inspector and their roles; each change stands in its audit log.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the account.")]
RoleName = Literal["viewer", "annotator", "reviewer", "engineer", "admin"]
PasswordFromInput = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from standard input instead of asking for it."
    ),
]


def open_door() -> FrontDoor:
    """Accounts, sessions and tokens of ``CV_HOME``."""
    from cv_pipeline.inspector.access.front_door import FrontDoor
    from cv_pipeline.inspector.access.settings import load_settings
    from cv_pipeline.inspector.database import open_database

    return FrontDoor(open_database(cv_home()), load_settings(cv_home()))


def write_down(action: str, target: str, **details: Any) -> None:
    """Add a line to the audit log for what the command line did."""
    from cv_pipeline.actor import current_actor
    from cv_pipeline.inspector.audit import AuditLog, Entry

    log = AuditLog(cv_home())
    log.append(Entry(action, target, user=current_actor(), means="cli", details=details))
    log.close()


@user.command()
def add(
    name: Name,
    role: Annotated[
        RoleName | None, typer.Option(help="A role to begin with; none by default.")
    ] = None,
    project: Annotated[
        str, typer.Option(help="Where the role holds: a project, or * for every one.")
    ] = "*",
    password_stdin: PasswordFromInput = False,
    as_json: Json = False,
) -> None:
    """Make an account; its password is asked for."""
    from cv_pipeline.inspector.access.roles import Role

    door = open_door()
    roles = {project: Role(role)} if role else {}
    made = door.accounts.add(name, password=_password(from_input=password_stdin), roles=roles)
    write_down("user.add", made.name, roles=dict(made.roles))
    _show(made, "made", as_json=as_json)


@user.command("list")
def list_(as_json: Json = False) -> None:
    """List the accounts."""
    accounts = open_door().accounts.list()
    if as_json:
        print_json([_json(account) for account in accounts])
        return
    if not accounts:
        console.print("There is no account yet. Make one: cvp user add NAME --role admin")
        return
    table = Table("account", "roles", "signs in by", "last signed in", "", box=None)
    for account in accounts:
        ways = ["password"] * account.has_password + ["single sign-on"] * bool(account.subject)
        at = account.signed_in_at
        table.add_row(
            escape(account.name),
            escape(_roles(account)),
            ", ".join(ways),
            f"{at:%Y-%m-%d %H:%M}" if at else "never",
            "disabled" if account.disabled else "",
        )
    console.print(table)


@user.command()
def role(
    name: Name,
    role: Annotated[
        Literal["viewer", "annotator", "reviewer", "engineer", "admin", "none"],
        typer.Argument(help="The role; none takes it away."),
    ],
    project: Annotated[
        str, typer.Option(help="Where the role holds: a project, or * for every one.")
    ] = "*",
    as_json: Json = False,
) -> None:
    """Give an account a role in a project or in every one, or take it away."""
    from cv_pipeline.inspector.access.roles import Role

    door = open_door()
    given = None if role == "none" else Role(role)
    door.accounts.give_role(name, project, given)
    write_down("user.role", name, where=project, role=given)
    _show(door.accounts.get(name), "changed", as_json=as_json)


@user.command()
def password(name: Name, password_stdin: PasswordFromInput = False, as_json: Json = False) -> None:
    """Give an account another password; its sessions and tokens are revoked."""
    door = open_door()
    door.accounts.get(name)
    door.accounts.set_password(name, _password(from_input=password_stdin))
    write_down("user.password", name, revoked=door.revoke_all(name))
    _show(door.accounts.get(name), "changed", as_json=as_json)


@user.command("second-factor")
def second_factor(
    name: Name,
    off: Annotated[
        bool, typer.Option("--off", help="Take it away, for who lost device and recovery codes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether an account has a second factor, or take it away; its sessions end then."""
    door = open_door()
    account = door.accounts.get(name)
    if off and door.second_factors.take_away(account.name):
        ended = door.sessions.end_all(account.name)
        write_down("user.second_factor.off", account.name, sessions=ended)
    on = door.second_factors.on(account.name)
    if as_json:
        print_json({"name": account.name, "second_factor": on})
    else:
        console.print(f"{escape(account.name)} has {'a' if on else 'no'} second factor.")


@user.command()
def disable(
    name: Name,
    again: Annotated[
        bool, typer.Option("--undo", help="Let the account be used again instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Disable an account: its sessions and tokens are revoked, and its name stays taken."""
    door = open_door()
    door.accounts.set_disabled(name, disabled=not again)
    if again:
        write_down("user.enable", name)
    else:
        write_down("user.disable", name, revoked=door.revoke_all(name))
    _show(door.accounts.get(name), "enabled" if again else "disabled", as_json=as_json)


def _password(*, from_input: bool) -> str:
    """The password that is typed in twice, or the first line of standard input."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise SettingsError(
            "There is no terminal to ask for the password on.", do="Add --password-stdin."
        )
    typed = getpass.getpass("Password: ")
    if typed != getpass.getpass("The same again: "):
        raise SettingsError("The two passwords differ.", do="Type it twice.")
    return typed


def _show(account: Account, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_json(account))
        return
    console.print(f"{account.name} {done}: {_roles(account) or 'no role yet'}", markup=False)


def _roles(account: Account) -> str:
    return ", ".join(f"{role} in {project}" for project, role in account.roles.items())


def _json(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "roles": dict(account.roles),
        "disabled": account.disabled,
        "has_password": account.has_password,
        "single_sign_on": bool(account.subject),
        "signed_in_at": account.signed_in_at.isoformat() if account.signed_in_at else None,
    }
