from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.catalog.query import to_text
from cv_pipeline.errors import ProjectError
from cv_pipeline.project import load_project

HEAD = """\
name: fruit
task: classification
charter: {problem: a test}
source: {images: images}
annotations: {source: labels.csv}
ontology: {labels: [apple]}
training: {model: resnet18_small, input_size: [32, 32]}
dataset:
"""


def written(folder: Path, query: str) -> Path:
    path = folder / "fruit" / "project.yaml"
    path.parent.mkdir()
    path.write_text(HEAD + query, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("  split: {seed: 1}\n", "labelled"),
        ("  query: {labelled: null}\n", "all images"),
        ("  query: {labelled: false}\n", "labelled = false"),
        # what projects wrote before there was a language
        (
            "  query: {metadata: {scene: yard}, tags_any: [x, y], date_range: 2025-Q4}\n",
            "labelled and metadata.scene = 'yard' and tag in ('x', 'y') and date_range = '2025-Q4'",
        ),
        ("  query: {date_range: 2025}\n", "labelled and date_range = '2025'"),
        ("  query: {metadata: {}, tags_any: []}\n", "labelled"),
        # keywords of the language
        (
            "  query:\n    width: {'>=': 640}\n    tags_none: [blurred]\n    limit: 5\n",
            "labelled and width >= 640 and tag not in ('blurred') limit 5",
        ),
        (
            "  query:\n    sample: 9\n    sample_by: metadata.scene\n    seed: 1\n",
            "labelled sample 9 by metadata.scene seed 1",
        ),
        ("  query: {metadata: {age: {'>': 3}}}\n", "labelled and metadata.age > 3"),
        # a text beside keywords, and alone
        (
            "  query:\n    where: width > 5 or bands = 4\n",
            "(width > 5 or bands = 4) and labelled",
        ),
        ("  query: width > 5 and tag = 'x'\n", "width > 5 and tag = 'x'"),
        ("  query: |\n    width > 5\n    and tag = 'x'\n", "width > 5 and tag = 'x'"),
        ("  query: all images\n", "all images"),
    ],
)
def test_the_query_of_a_dataset(tmp_path: Path, query: str, text: str) -> None:
    project = load_project(written(tmp_path, query))
    assert to_text(project.dataset.query.to_ast()) == text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "  query:\n    widht: 5\n",
            r"line 10: dataset\.query\.widht: unknown key\. Did you mean 'width'",
        ),
        (
            "  query:\n    width: wide\n",
            r"line 10: dataset\.query\.width: width is a number, and cannot be compared with",
        ),
        (
            "  query:\n    labelled: true\n    where: widht > 5\n",
            r"line 11: dataset\.query\.where: there is no field 'widht'\.\n    widht > 5\n    \^\n",
        ),
        (
            "  query: widht > 5\n",
            r"line 9: dataset\.query: there is no field 'widht'\.\n    widht > 5\n    \^\n",
        ),
        (
            "  query:\n    metadata: {scene: true}\n",
            r"line 10: dataset\.query\.metadata: metadata\.scene is text, or a number",
        ),
        ("  query:\n    seed: 3\n", r"line 9: dataset\.query: seed is about a sample"),
        ("  query:\n    order_by: tag\n", r"line 10: dataset\.query\.order_by: an image can have"),
        ("  query:\n    tags_any: x\n", r"line 10: dataset\.query\.tags_any: .*found 'x'"),
        ("  query: 5\n", r"line 9: dataset\.query: input should be a valid dictionary .*found 5"),
    ],
)
def test_a_mistake_names_line_key_and_nearest(tmp_path: Path, query: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        load_project(written(tmp_path, query))


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    query = "  query: {widht: 5, limit: 0, date_range: soon, seed: 3}\n"
    with pytest.raises(ProjectError, match="has 3 mistakes") as caught:
        load_project(written(tmp_path, query))
    for key in ("widht", "limit", "date_range"):
        assert f"dataset.query.{key}:" in str(caught.value)
