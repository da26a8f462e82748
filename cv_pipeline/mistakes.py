"""Mistakes in a configuration file, each as one line for people.

It names the key, the line, what was expected and the nearest known name.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from cv_pipeline.errors import nearest
from cv_pipeline.vocabulary import MISTAKE
from cv_pipeline.yaml_file import YAMLFile

Model = type[BaseModel]


def describe(
    error: Any,
    file: YAMLFile,
    *,
    root: Model,
    mapped: Mapping[str, Model],
    known: Mapping[Model, Callable[[], Iterable[str]]],
) -> str:
    """One mistake in words.

    Args:
        error: as ``ValidationError.errors`` lists it.
        file: the file that was validated.
        root: the model of the whole file.
        mapped: first key of a part that is a mapping of names, to the model of its values.
        known: gives the keys of a model that takes others than its fields.
    """
    # pydantic marks a mistake in the key of a mapping by one more part
    loc: tuple[str | int, ...] = tuple(p for p in error["loc"] if p != "[key]")
    message = error["msg"].removeprefix("Value error, ")
    if not loc:  # about the whole file: the message begins with the key
        key = message.split(" ", 1)[0]
        parts = [int(part) if part.isdigit() else part for part in key.split(".")]
        end = "" if message.endswith((".", "?")) else "."
        return f"line {file.line(parts)}: {message}{end}"
    where = f"line {file.line(loc)}: {'.'.join(str(p) for p in loc)}:"
    model = _section(loc, root, mapped)
    if error["type"] == "extra_forbidden" and model is not None:
        keys = known[model]() if model in known else model.model_fields
        return f"{where} unknown key. {nearest(str(loc[-1]), keys)}"
    if error["type"] == "missing":
        field = model.model_fields.get(str(loc[-1])) if model else None
        return f"{where} is required: {field.description if field else 'a value'}."
    if error["type"] in ("literal_error", "enum"):
        expected = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        return (
            f"{where} expected {error['ctx']['expected']}, found {error['input']!r}."
            f" {nearest(str(error['input']), expected)}"
        )
    hint = f" {error['ctx']['do']}" if error["type"] == MISTAKE else ""
    if error["type"] == MISTAKE and "\n" in message:  # it shows the text that it found
        return f"{where} {message[0].lower()}{message[1:]}{hint}"
    return f"{where} {message[0].lower()}{message[1:]}, found {_short(error['input'])}.{hint}"


def _section(loc: tuple[str | int, ...], root: Model, mapped: Mapping[str, Model]) -> Model | None:
    """The model that holds the last part of ``loc``."""
    kind: Any = root
    for part in loc[:-1]:
        if kind is None:
            return mapped.get(str(loc[0]))
        kind = _inside(kind, part)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _inside(kind: Any, part: str | int) -> Any:
    """The type of one part of a value: a field, an item of a list, or a value of a mapping."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        named = next((n for n, f in fields.items() if f.alias == part), str(part))
        return _plain(fields[named].annotation) if named in fields else None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _plain(arguments[0])
    return _plain(arguments[1]) if origin is dict else None


def _plain(kind: Any) -> Any:
    """A type without ``None`` and what else is said of it."""
    if typing.get_origin(kind) is typing.Annotated:
        return _plain(typing.get_args(kind)[0])
    others = [k for k in typing.get_args(kind) if k is not type(None)]
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return _plain(others[0]) if is_union and len(others) == 1 else kind


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
