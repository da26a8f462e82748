"""docs/query.md is about the language that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.catalog.query import compile_query, from_keywords, parse
from cv_pipeline.catalog.query.checks import MAX_DEPTH, MAX_TESTS, MAX_TEXT
from cv_pipeline.catalog.query.fields import BLOCKS, FIELDS, FieldSpec
from cv_pipeline.catalog.query.keywords import KEYWORDS
from cv_pipeline.dataset_query import Query
from cv_pipeline.errors import QueryError
from cv_pipeline.yaml_file import parse_yaml

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "query.md").read_text(encoding="utf-8")
ALL_FIELDS = [
    pytest.param(spec, id=f"{scope}.{spec.name}")
    for scope, specs in FIELDS.items()
    for spec in specs.values()
]


def fenced(language: str) -> list[str]:
    """Blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("spec", ALL_FIELDS)
def test_every_field_has_its_row(spec: FieldSpec) -> None:
    names = ", ".join(f"`{name}`" for name in (spec.name, *spec.aliases))
    assert f"| {names} | {spec.kind.value} | {spec.description} |" in PAGE


@pytest.mark.parametrize("name", BLOCKS)
def test_every_kind_of_brackets_has_its_row(name: str) -> None:
    assert f"| `{name}(…)` | {BLOCKS[name]} |" in PAGE


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_every_keyword_is_named(keyword: str) -> None:
    assert f"`{keyword}`" in PAGE


@pytest.mark.parametrize("text", [line for block in fenced("query") for line in block.splitlines()])
def test_every_example_is_a_query(text: str) -> None:
    compile_query(parse(text))


@pytest.mark.parametrize("call", re.findall(r"datalake\.query\(.*\)$", PAGE, re.MULTILINE))
def test_every_call_is_a_query(call: str) -> None:
    class Lake:
        def query(self, where: str | None = None, **keywords: Any) -> None:
            compile_query(from_keywords(where, **keywords))

    eval(call, {"datalake": Lake()})


@pytest.mark.parametrize("block", fenced("yaml"))
def test_every_section_is_a_query(block: str) -> None:
    values = parse_yaml(block, Path("project.yaml")).values
    compile_query(Query.model_validate(values["dataset"]["query"]).to_ast())


def test_the_mistake_is_told_as_it_is_shown() -> None:
    with pytest.raises(QueryError) as caught:
        parse("label = 'lemon' and brigthness < 0.3")
    assert f"```\n{caught.value}\n```" in PAGE


def test_limits_are_those_of_the_code() -> None:
    told = f"{MAX_TEXT:,} bytes as text, {MAX_TESTS} comparisons and {MAX_DEPTH} levels"
    assert told in PAGE
