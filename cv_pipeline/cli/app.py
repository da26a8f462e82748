"""The application object, and how commands speak: text for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from cv_pipeline.errors import CVPipelineError, EvaluationError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class App(typer.Typer):
    """A Typer application that prints this project's errors as a sentence, not a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; exit status 1 on an error."""
        try:
            return super().__call__(*args, **kwargs)
        except CVPipelineError as error:
            fail(error, status=1)


def fail(error: CVPipelineError, *, status: int) -> NoReturn:
    """Say what happened and what to do next, and end the process."""
    if "--json" in sys.argv:
        print_json({"error": error.what, "do": error.do})
    errors.print(f"error: {error.what}", style="bold red", markup=False, soft_wrap=True)
    if error.do:
        errors.print(f"  → {error.do}", markup=False, soft_wrap=True)
    raise SystemExit(status) from None


def write_file(path: Path, data: bytes) -> None:
    """Write a file that a user named.

    Raises:
        EvaluationError: it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be written: {error.strerror}.",
            do="Name a file in a folder that exists.",
        ) from error


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
