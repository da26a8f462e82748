"""Mistakes in a configuration file, each as one line for people.

It names the key, the line, what was expected and the nearest known name.
"""

from __future__ import annotations

import re
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
    model: Model | None = root
    for part in loc[:-1]:
        field = model.model_fields.get(str(part)) if model else None
        if field is None:
            return mapped.get(str(loc[0]))
        kind = field.annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return model


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
