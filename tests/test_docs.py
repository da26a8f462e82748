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
    code = [p for f in ("cv_pipeline", "assets", "resources") for p in (ROOT / f).rglob("*.py")]
    named = {
        name
        for path in code
        for name in re.findall(r"\bCV_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) >= 8
    for name in {"DAGSTER_HOME", *named}:
        assert f"`{name}`" in text, name


def test_every_address_of_the_api_is_in_its_guides():
    """Each part of an address below a project, and each page outside one, has a guide."""
    from cv_pipeline.inspector.pages import parts

    guides = "".join(p.read_text("utf-8") for p in (ROOT / "docs" / "inspector").glob("*.md"))
    paths = {route.path for part in parts() for route in part.router.routes}
    words = {re.sub(r"^(/api/v1)?(/p/\{project\})?/?", "", path).split("/")[0] for path in paths}
    missing = sorted(w for w in words if w and f"/{w}" not in guides)
    assert not missing


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
