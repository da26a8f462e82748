"""The demo world on its way to a dataset: exact counts, a gate that passes, warnings that hold."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from cv_pipeline.annotations.export import ImportReport, import_annotations
from cv_pipeline.catalog.datalake.selection import select_images
from cv_pipeline.catalog.features import compute_features
from cv_pipeline.catalog.ingest.ingest import IngestReport, ingest
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.candidate import Candidate, build_candidate
from cv_pipeline.datasets.checks import CHECKS, run_check
from cv_pipeline.datasets.checks.context import CheckContext, load_context
from cv_pipeline.datasets.duplicates.search import search_near_duplicates
from cv_pipeline.project import Project, Query, load_project, resolved_source
from cv_pipeline.samples.fruit import Truth
from cv_pipeline.settings import expand
from cv_pipeline.storage import Blobs, open_source, open_store

PROJECT = Path(__file__).parents[3] / "projects" / "fruit" / "project.yaml"
WARNINGS = {"contradictions", "giveaway", "representation", "time_leakage"}


class Lake:
    """The demo world, taken in with the project as it is shipped."""

    def __init__(self, home: Path) -> None:
        self.project: Project = load_project(PROJECT)
        store = open_store(str(home / "store"))
        self.catalog = Catalog(store, "fruit")
        blobs = Blobs(store)

        def quiet(done: int, total: int, what: str) -> None: ...

        common = {"project": self.project, "catalog": self.catalog}
        source = open_source(resolved_source(self.project))
        self.ingested: IngestReport = ingest(**common, blobs=blobs, source=source, progress=quiet)
        compute_features(**common, blobs=blobs, progress=quiet)
        distance = self.project.dataset.split.near_duplicate_distance
        search_near_duplicates(self.catalog, distance=distance, progress=quiet)
        export = open_source(expand(self.project.annotations.source))
        self.imported: ImportReport = import_annotations(**common, store=store, source=export)
        folder = home / "candidate"
        folder.mkdir()
        self.candidate: Candidate = build_candidate(**common, folder=folder)
        self.context: CheckContext = load_context(**common, folder=folder)


@pytest.fixture(scope="module")
def lake(fruit_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    home = tmp_path_factory.mktemp("home")
    (home / "samples").mkdir()
    shutil.copytree(fruit_folder, home / "samples" / "fruit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        return Lake(home)


def test_what_is_refused_is_what_was_planted(lake: Lake, truth: Truth) -> None:
    assert lake.ingested.reasons == Counter(f.reason for f in truth.broken)
    assert lake.ingested.duplicates == sum(c.kind == "exact" for c in truth.copies)
    planted = Counter(f.reason for f in truth.annotation_faults)
    assert lake.imported.quarantined == planted + Counter(cancelled_annotation=3)
    assert lake.imported.not_imported == {"cancelled annotation": 3}


def test_the_split_is_worth_training_on(lake: Lake, truth: Truth) -> None:
    contents = lake.candidate.record.contents
    assert 560 <= contents["train"].images <= 640
    assert all(contents[split].labels[truth.rare_label] >= 1 for split in contents)


@pytest.mark.parametrize("name", CHECKS)
def test_the_gate_passes_and_only_the_planted_warnings_are_given(lake: Lake, name: str) -> None:
    verdict, finding = run_check(name, lake.context)
    print(name, finding.summary)
    assert finding.passed == (name not in WARNINGS)
    assert verdict.severity == CHECKS[name].severity
    assert not verdict.blocks


def test_contradictions_are_those_planted(lake: Lake, truth: Truth) -> None:
    _, finding = run_check("contradictions", lake.context)
    planted = Counter(c.kind for c in truth.contradictions)
    assert Counter(finding.rows["kind"].to_pylist()) == {
        "near_duplicates": planted["near copy"],
        "annotators": planted["two annotators"] + planted["exact copy"],
    }


def test_the_camera_alone_gives_the_class_away(lake: Lake, truth: Truth) -> None:
    _, finding = run_check("giveaway", lake.context)
    found = [row for row in finding.rows.to_pylist() if row["found"]]
    assert [(row["property"], row["target"], row["value"]) for row in found] == [
        ("camera", truth.giveaway_label, truth.giveaway_camera)
    ]


def test_the_rare_class_and_the_unlabelled_dim_images_are_told(lake: Lake, truth: Truth) -> None:
    _, finding = run_check("representation", lake.context)
    told = [row for row in finding.rows.to_pylist() if row["status"] != "as_expected"]
    assert [(r["key"], r["value"], r["status"]) for r in told] == [
        ("lighting", "dim", "under"),
        ("", truth.rare_label, "rare"),
    ]


def test_bursts_in_two_splits_are_told(lake: Lake) -> None:
    _, finding = run_check("time_leakage", lake.context)
    rows = finding.rows.to_pylist()
    assert {row["seconds"] for row in rows} == {1}
    assert {row["folder"] for row in rows} == {"belt_1/", "belt_2/"}


def test_the_unlabelled_quarter_of_the_yard_can_be_asked_for(lake: Lake, truth: Truth) -> None:
    query = Query(labelled=False, metadata={"scene": "outdoor"}, date_range="2025-Q4")
    assert len(select_images(lake.catalog, query).image_ids) == len(truth.unlabelled_yard)
