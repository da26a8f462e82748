"""Writes the reference pages that are made from the code: docs/{project,cli,pipeline}.md.

Run `make docs` after changing a setting, a command, an asset, a check or a sensor; a test fails
when a page is not what this makes.
"""

from __future__ import annotations

import inspect
import types
import typing
from pathlib import Path
from typing import Any, Literal

import typer
from pydantic import BaseModel

from cv_pipeline.cli import app
from cv_pipeline.project import Check, Project

DOCS = Path(__file__).resolve().parents[1] / "docs"
MADE = "<!-- made by scripts/generate_docs.py: change the code, then run `make docs` -->"


def project_page() -> str:
    """Every key of project.yaml."""
    lines = [
        "# project.yaml",
        MADE,
        "",
        "One file a project, in a folder of the project's name below `projects/` (`CV_PROJECTS`).",
        "A mistake is reported with its line, what was expected and the nearest known name.",
        "Paths may contain `${NAME}` of the environment; `CV_HOME` always has a value.",
        "",
        "| Key | Type | Default | Meaning |",
        "|---|---|---|---|",
    ]
    lines += _rows(Project, "")
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        nested = field.annotation
        if typing.get_args(nested)[1:] == (Check,):
            rows.append(f"| `{key}` | mapping | | {field.description} |")
            rows += _rows(Check, f"{key}.NAME.")
            continue
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            rows.append(f"| `{key}` | section | | {field.description} |")
            rows += _rows(nested, f"{key}.")
            continue
        default = (
            "required"
            if field.is_required()
            else _default(field.get_default(call_default_factory=True))
        )
        rows.append(f"| `{key}` | {_type(nested)} | {default} | {field.description} |")
    return rows


def _default(value: object) -> str:
    if value is None:
        return "null"
    if value in ((), {}):
        return "empty"
    return f"`{value}`"


def _type(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{a}`" for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(a) for a in arguments if a is not type(None)) + " or null"
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is tuple:
        inner = [a for a in arguments if a is not Ellipsis]
        return f"list of {_type(inner[0])}" + ("" if Ellipsis in arguments else f" ({len(inner)})")
    if origin is dict:
        return f"mapping of {_type(arguments[0])} to {_type(arguments[1])}"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "value"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


def cli_page() -> str:
    """Every command with its options."""
    lines = [
        "# The command line",
        MADE,
        "",
        "Every command takes `--json`. An error is one sentence and what to do next, with exit",
        "status 1.",
    ]
    lines += _command_lines("cvp", typer.main.get_command(app))
    return "\n".join(lines) + "\n"


def _command_lines(prefix: str, group: Any) -> list[str]:
    """The commands of a group, and those of the groups in it."""
    lines = []
    for name, command in sorted(group.commands.items()):
        lines += ["", f"## {prefix} {name}", "", inspect.cleandoc(command.help or "")]
        if hasattr(command, "commands"):
            lines += _command_lines(f"{prefix} {name}", command)
            continue
        lines += ["", "| Argument or option | Default | Meaning |", "|---|---|---|"]
        for parameter in command.params:
            if parameter.name == "help":
                continue
            flags = ", ".join(f"`{o}`" for o in parameter.opts)
            if parameter.param_type_name == "argument":
                flags = f"`{(parameter.name or '').upper()}`"
            default = "required" if parameter.required else f"`{parameter.default}`"
            lines.append(f"| {flags} | {default} | {parameter.help or ''} |")
    return lines


def pipeline_page() -> str:
    """Assets, checks, jobs, sensors and schedules, as the code describes them."""
    from cv_pipeline.definitions import build_definitions

    definitions = build_definitions(DOCS.parent / "projects")
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    lines = [
        "# The pipeline",
        MADE,
        "",
        "Each project has these, under its own name: asset keys are `PROJECT/ASSET`, job, sensor",
        "and schedule names begin with `PROJECT_`. `fruit` stands for any project here.",
        "",
        "## Assets",
    ]
    keys = [k for k in graph.toposorted_asset_keys if k.path[0] == "fruit"]
    for key in keys:
        node = graph.get(key)
        parents = ", ".join(f"`{p.path[-1]}`" for p in sorted(node.parent_keys)) or "the source"
        description = inspect.cleandoc(node.description or "")
        lines += ["", f"### {key.path[-1]}", "", description, "", f"Made from {parents}."]
    lines += ["", "## Checks", "", "On `dataset_candidate`; `checks:` sets severity and limits."]
    lines += ["", "| Check | What it looks at |", "|---|---|"]
    for check in sorted(k for k in graph.asset_check_keys if k.asset_key.path[0] == "fruit"):
        lines.append(f"| `{check.name}` | {graph.get(check).description} |")
    for title, found in (
        ("Jobs", repository.get_all_jobs()),
        ("Sensors", repository.sensor_defs),
        ("Schedules", repository.schedule_defs),
    ):
        lines += ["", f"## {title}", "", "| Name | What it does |", "|---|---|"]
        named = sorted((d for d in found if d.name.startswith("fruit_")), key=lambda d: d.name)
        lines += [f"| `{d.name}` | {d.description} |" for d in named]
    return "\n".join(lines) + "\n"


PAGES = {"project.md": project_page, "cli.md": cli_page, "pipeline.md": pipeline_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
