"""``cvp label-studio``: how to reach the Label Studio that ``cvp ui`` starts."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json


def label_studio(
    port: Annotated[
        int | None,
        typer.Option(help="Port that cvp ui will start it on; by default the one that it runs on."),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(help="E-mail address of an annotator to make an account for; any number."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print how to sign in to the Label Studio of cvp ui, and what other programs need for it."""
    from cv_pipeline.labeling.tool.connection import TOKEN_VARIABLE, URL_VARIABLE
    from cv_pipeline.labeling.tool.local_server import (
        ADMIN,
        HOST,
        PORT,
        data_folder,
        prepare,
        running_url,
    )
    from cv_pipeline.pseudonyms import account_name

    accounts = prepare(data_folder(), tuple(add or ()))
    running = running_url()
    url = f"http://{HOST}:{port}" if port else running or f"http://{HOST}:{PORT}"
    if as_json:
        told = [{**vars(one), "name": account_name(one.id)} for one in accounts.values()]
        print_json({"url": url, "running": running is not None, "accounts": told})
        return
    if running is None:
        console.print("# it does not run: cvp ui starts it", markup=False)
    for one in accounts.values():
        console.print(
            f"# {one.email}  password {one.password}  in projects {account_name(one.id)}",
            markup=False,
            soft_wrap=True,
        )
    for name, value in ((URL_VARIABLE, url), (TOKEN_VARIABLE, accounts[ADMIN].token)):
        console.print(f"export {name}={shlex.quote(value)}", markup=False, soft_wrap=True)
