"""The code location: what it holds, and how it refuses to load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.vocabulary import CHECK_NAMES

ROOT = Path(__file__).resolve().parents[1]
ASSETS = [
    "annotation_batches",
    "annotation_exports",
    "champion",
    "dataset_candidate",
    "dataset_version",
    "error_analysis",
    "eval_slices",
    "image_features",
    "predictions",
    "prelabels",
    "raw_images",
    "trained_model",
]
CHECKS = [
    ("annotation_batches", "hand_off"),
    *[("dataset_candidate", name) for name in sorted(CHECK_NAMES)],
    ("eval_slices", "corrective"),
    ("eval_slices", "requirements"),
    ("eval_slices", "too_good_to_be_true"),
    ("trained_model", "preprocessing"),
    ("trained_model", "validation_drop"),
]
# parts of cron fields, most of which some field takes
VALUE = st.one_of(st.integers(0, 13).map(str), st.sampled_from(["30", "31", "59", "feb", "sun"]))
PART = st.one_of(
    st.just("*"),
    VALUE,
    st.tuples(VALUE, VALUE).map("-".join),
    st.tuples(st.sampled_from(["*", "1", "0-3", "5-2"]), VALUE).map("/".join),
)
FIELD = st.one_of(st.just("*"), PART, st.tuples(PART, PART).map(",".join))
PROJECTS = ["blood_cells", "cifar10n", "fruit"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> dg.RepositoryDefinition:
    from cv_pipeline import definitions

    return definitions.build_definitions(ROOT / "projects").get_repository_def()


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """Importing the definitions needs a lasting instance."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text((ROOT / "infra" / "dagster.yaml").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder))
        yield folder


def test_every_project_has_every_asset_in_its_own_group(repository):
    graph = repository.asset_graph
    keys = sorted(k.to_user_string() for k in graph.materializable_asset_keys)
    assert keys == sorted(f"{p}/{a}" for p in PROJECTS for a in ASSETS)
    assert {graph.get(k).group_name for k in graph.materializable_asset_keys} == set(PROJECTS)


def test_what_needs_a_machine_or_moves_the_champion_does_so_alone(repository):
    pools = {key.path[1]: made.op.pool for key, made in repository.assets_defs_by_key.items()}
    assert {name: pool for name, pool in pools.items() if pool} == {
        "trained_model": "training",
        "predictions": "training",
        "prelabels": "training",
        "error_analysis": "training",
        "champion": "champion",
    }
    checks = repository.asset_checks_defs_by_key
    assert {made.op.pool for key, made in checks.items() if key.name == "corrective"} == {
        "training"
    }


def test_no_asset_is_partitioned_and_each_has_a_code_version(repository):
    graph = repository.asset_graph
    for key in graph.materializable_asset_keys:
        assert not graph.get(key).is_partitioned
        assert graph.get(key).code_version, key


def test_every_check_is_blocking_but_the_verdict_on_a_model(repository):
    graph = repository.asset_graph
    fruit = [k for k in graph.asset_check_keys if k.asset_key.path[0] == "fruit"]
    assert sorted((k.asset_key.path[1], k.name) for k in fruit) == CHECKS
    # what a model fails is to be looked at, so its error analysis is still made
    free = {k.name for k in graph.asset_check_keys if not graph.get(k).blocking}
    assert free == {
        "corrective",
        "hand_off",
        "requirements",
        "too_good_to_be_true",
        "validation_drop",
    }


def test_jobs_sensors_and_schedules(repository):
    jobs = sorted(j.name for j in repository.get_all_jobs() if not j.name.startswith("__"))
    suffixes = ("annotations", "corrective", "ingest", "pipeline", "retraining")
    assert jobs == sorted(f"{p}_{s}" for p in PROJECTS for s in suffixes)
    sensors = {s.name: s for s in repository.sensor_defs}
    assert sorted(sensors) == sorted(
        f"{p}_{s}" for p in PROJECTS for s in ("annotations", "metric_drift", "new_images")
    )
    assert {s.default_status for s in sensors.values()} == {dg.DefaultSensorStatus.RUNNING}
    schedules = {s.name: s for s in repository.schedule_defs}
    assert sorted(schedules) == [f"{p}_nightly" for p in PROJECTS]
    assert {s.default_status for s in schedules.values()} == {dg.DefaultScheduleStatus.RUNNING}


def test_the_graph_is_the_one_of_the_architecture(repository):
    graph = repository.asset_graph
    parents = {
        a: sorted(k.path[-1] for k in graph.get(dg.AssetKey(["fruit", a])).parent_keys)
        for a in ASSETS
    }
    assert parents == {
        "raw_images": [],
        "image_features": ["raw_images"],
        "prelabels": ["image_features"],
        "annotation_batches": ["prelabels"],
        "annotation_exports": ["raw_images"],
        "dataset_candidate": ["annotation_exports", "image_features"],
        "dataset_version": ["dataset_candidate"],
        "trained_model": ["dataset_version"],
        "predictions": ["dataset_version", "trained_model"],
        "eval_slices": ["dataset_version", "predictions"],
        "champion": ["eval_slices"],
        "error_analysis": ["dataset_version", "eval_slices", "predictions"],
    }


def test_a_broken_project_says_why_and_the_others_load(tmp_path):
    from cv_pipeline import definitions

    for name in ("fruit", "broken"):
        (tmp_path / name).mkdir()
        text = (ROOT / "projects" / "fruit" / "project.yaml").read_text()
        (tmp_path / name / "project.yaml").write_text(
            text.replace("task:", "tsak:", name != "fruit")
        )
    graph = definitions.build_definitions(tmp_path).get_repository_def().asset_graph
    assert graph.has(dg.AssetKey(["fruit", "raw_images"]))
    error = graph.get(dg.AssetKey(["broken", "project_error"]))
    assert "tsak: unknown key. Did you mean 'task'" in (error.description or "")


MISTAKES = {
    "cron": ('cron: "0 2 * * *"', 'cron: "99 2 * * *"', "expected 0-59 for the minute, not '99'"),
    "timezone": ("timezone: UTC", "timezone: Europe/Pariss", "Did you mean 'Europe/Paris'"),
    "control": ("task: detection", "task: \x07detection", "the control character U+0007"),
    "nul": ("task: detection", "task: \0detection", "the control character U+0000"),
    "a-folder.of any näme": ("version:", "version:", "differs from its folder"),
}


def test_no_mistake_of_one_project_takes_down_another(tmp_path):
    from cv_pipeline import definitions

    text = (ROOT / "projects" / "fruit" / "project.yaml").read_text()
    for name, (old, new, _) in {"fruit": ("", "", ""), **MISTAKES}.items():
        assert old in text
        (tmp_path / name).mkdir()
        (tmp_path / name / "project.yaml").write_text(text.replace(old, new) if old else text)
    graph = definitions.build_definitions(tmp_path).get_repository_def().asset_graph
    assert graph.has(dg.AssetKey(["fruit", "raw_images"]))
    for name, (_, _, message) in MISTAKES.items():
        error = graph.get(dg.AssetKey([name, "project_error"]))
        assert message in (error.description or "")


def test_what_only_dagster_refuses_is_a_broken_project(tmp_path, monkeypatch):
    from cv_pipeline import definitions

    text = (ROOT / "projects" / "fruit" / "project.yaml").read_text()
    for name in ("fruit", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "project.yaml").write_text(text.replace("name: fruit", f"name: {name}"))
    nightly = definitions.nightly_schedule

    def refuse_other(project, schedule):
        return nightly(
            project, schedule.model_copy(update={"cron": "x"} if project == "other" else {})
        )

    monkeypatch.setattr(definitions, "nightly_schedule", refuse_other)
    graph = definitions.build_definitions(tmp_path).get_repository_def().asset_graph
    assert graph.has(dg.AssetKey(["fruit", "raw_images"]))
    error = graph.get(dg.AssetKey(["other", "project_error"]))
    assert "Found invalid cron schedule 'x'" in (error.description or "")


@settings(deadline=None)
@given(cron=st.lists(FIELD, min_size=5, max_size=5).map(" ".join))
def test_dagster_takes_every_cron_that_a_project_may_have(cron):
    from dagster._utils.schedules import is_valid_cron_schedule

    from cv_pipeline.cron import require_cron

    try:
        require_cron(cron)
    except ValueError:
        return
    assert is_valid_cron_schedule(cron)


def test_loading_is_refused_without_dagster_home():
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", "import cv_pipeline.definitions"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DAGSTER_HOME is not set" in done.stderr
    assert "Run: cvp init && export DAGSTER_HOME=" in done.stderr


def test_loading_imports_no_heavy_library(home):
    heavy = ["torch", "mlflow", "great_expectations", "lightning", "nvidia.dali", "sklearn"]
    code = f"import sys, cv_pipeline.definitions;print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
