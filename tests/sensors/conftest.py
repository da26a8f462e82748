"""A real instance, a project on disk, and evaluations recorded as the pipeline records them."""

from __future__ import annotations

import itertools
from pathlib import Path

import dagster as dg
import pytest

from resources import Projects

PROJECT = """\
name: demo
task: detection
charter: {problem: find fruit}
source: {images: IMAGES}
annotations: {source: labels.json}
ontology: {labels: [apple]}
training: {model: fcos_resnet18, input_size: [96, 128], seed: 7}
monitoring: {metric_drift: {relative_drop: 0.08}}
retraining: {cooldown_minutes: 60, daily_limit: 2}
"""


@pytest.fixture
def instance(tmp_path: Path):
    (tmp_path / "dagster").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=quiet) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def projects(tmp_path: Path, source: Path) -> Projects:
    folder = tmp_path / "projects" / "demo"
    folder.mkdir(parents=True)
    (folder / "project.yaml").write_text(PROJECT.replace("IMAGES", str(source)))
    return Projects(folder=str(folder.parent))


@pytest.fixture
def record(instance):
    """Record an evaluation, and return its storage id."""

    versions = itertools.count()

    def record(value: float, version: str | None = None) -> int:
        event = dg.AssetMaterialization(
            ["demo", "eval_slices"],
            metadata={"AP50": value},
            tags={"dagster/data_version": version or f"v{next(versions)}"},
        )
        instance.report_runless_asset_event(event)
        key = dg.AssetRecordsFilter(asset_key=event.asset_key)
        return instance.fetch_materializations(key, limit=1).records[0].storage_id

    return record


@pytest.fixture
def launch(instance):
    """Record what the daemon would: a run for a run request, in some state."""

    def launch(job: str, request: dg.RunRequest, status: dg.DagsterRunStatus) -> str:
        @dg.job(name=job)
        def stand_in() -> None: ...

        run = instance.create_run_for_job(stand_in, tags=dict(request.tags), status=status)
        return run.run_id

    return launch


@pytest.fixture
def edit(projects: Projects):
    """Edit the project as a user would, while the sensor runs."""

    def edit(old: str, new: str) -> None:
        path = Path(projects.folder) / "demo" / "project.yaml"
        path.write_text(path.read_text().replace(old, new))

    return edit
