"""Documentation is tested: generated pages are current, links work, every requirement has a row."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text((ROOT / "infra" / "dagster.yaml").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        spec = importlib.util.spec_from_file_location(
            "generate_docs", ROOT / "scripts" / "generate_docs.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("page", ["project.md", "cli.md", "pipeline.md"])
def test_generated_pages_are_what_the_code_says(generator, page):
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == generator.PAGES[page](), "run: make docs"


def markdown_files() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", markdown_files(), ids=lambda p: p.name)
def test_relative_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_environment_variable_is_documented():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("CV_HOME", "DAGSTER_HOME", "CV_REAL_DATA", "CV_PROJECTS", "CV_STORE"):
        assert f"`{name}`" in text, name


def test_every_make_target_is_documented():
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in targets.group(1).split():
        if target != "setup":
            assert f"make {target}" in readme, target


def test_every_decision_is_listed():
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert path.name in listed


def test_every_test_named_by_the_requirements_exists():
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    for path in re.findall(r"`(tests/[\w/]+\.py)`", text):
        assert (ROOT / path).is_file(), path
