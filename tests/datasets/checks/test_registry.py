"""The registry: every check by name, and how a project's settings apply."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.datasets.checks import CHECKS, CheckContext, run_check
from cv_pipeline.vocabulary import CHECK_NAMES
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import fruit_world, make_project

WARN = {
    "attribute_coverage",
    "contradictions",
    "giveaway",
    "representation",
    "split_drift",
    "time_leakage",
}


def context_of(tmp_path: Path, **checks: Any) -> CheckContext:
    world = fruit_world()
    world.image("copy", ["lemon"], shows="image 1")  # which shows an apple
    return make_context(world, tmp_path, make_project(checks=checks))


def test_the_checks_that_every_project_has() -> None:
    assert tuple(CHECKS) == CHECK_NAMES
    assert {name for name, check in CHECKS.items() if check.severity == "warn"} == WARN
    assert all(check.description.endswith(".") for check in CHECKS.values())


@pytest.mark.parametrize(
    ("setting", "passed", "severity"),
    [
        (None, False, "warn"),  # the check's own
        ({"severity": "error"}, False, "error"),
        ({"threshold": 0.01}, False, "warn"),  # a threshold alone leaves the severity
        ({"threshold": 0.5}, True, "warn"),
        ({"severity": "error", "threshold": 0.5}, True, "error"),
    ],
)
def test_a_project_sets_severity_and_threshold(
    setting: dict[str, Any] | None, passed: bool, severity: str, tmp_path: Path
) -> None:
    context = context_of(tmp_path, **({"contradictions": setting} if setting else {}))
    verdict, finding = run_check("contradictions", context)
    assert (verdict.passed, verdict.severity) == (passed, severity)
    assert verdict.blocks is (severity == "error" and not passed)
    assert verdict.summary == finding.summary


@pytest.mark.parametrize("emptied", [("manifest", "annotations"), ("manifest",), ("annotations",)])
def test_every_check_says_something_of_a_candidate_without_rows(
    emptied: tuple[str, ...], tmp_path: Path
) -> None:
    context = context_of(tmp_path)
    for table in emptied:
        context = with_rows(context, table, list.clear)
    for name in CHECKS:
        verdict, _ = run_check(name, context)
        assert verdict.summary


def test_importing_the_checks_is_light() -> None:
    import subprocess

    code = (
        "import sys, cv_pipeline.datasets.checks, cv_pipeline.datasets.version;"
        "print([m for m in ('great_expectations', 'sklearn', 'scipy', 'torch', 'pandas', 'lance')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
