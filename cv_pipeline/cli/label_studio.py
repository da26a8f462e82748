"""``cvp label-studio``: how to reach the Label Studio that ``cvp ui`` starts."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json


def label_studio(
    port: Annotated[int, typer.Option(help="Port that cvp ui starts it on.")] = 8080,
    add: Annotated[
        list[str] | None,
        typer.Option(help="E-mail address of an annotator to make an account for; any number."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print how to sign in to the Label Studio of cvp ui, and what cvp push needs in a shell."""
    from cv_pipeline.labeling.tool.connection import TOKEN_VARIABLE, URL_VARIABLE
    from cv_pipeline.labeling.tool.local_server import ADMIN, HOST, data_folder, prepare

    accounts = prepare(data_folder(), tuple(add or ()))
    url = f"http://{HOST}:{port}"
    if as_json:
        print_json({"url": url, "accounts": [vars(one) for one in accounts.values()]})
        return
    for one in accounts.values():
        console.print(f"# {one.email}  password {one.password}", markup=False, soft_wrap=True)
    for name, value in ((URL_VARIABLE, url), (TOKEN_VARIABLE, accounts[ADMIN].token)):
        console.print(f"export {name}={shlex.quote(value)}", markup=False, soft_wrap=True)
