"""Published folders: whatever of a candidate, and of what checks found in it, is altered shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.datasets.candidate import build_candidate
from cv_pipeline.datasets.checks import load_context, run_check
from cv_pipeline.datasets.checks.published import write_finding
from cv_pipeline.storage import open_store
from cv_pipeline.verification import verify_cache, verify_store
from cv_pipeline.verification.published import KINDS, verify_folder
from tests.datasets.world import fruit_world, make_project

KIND = KINDS["candidates"]


def ignore(done: int, total: int | None, what: str) -> None:
    """No progress is shown."""


@pytest.mark.parametrize(
    "file",
    ["annotations.parquet", "left_out.parquet", "manifest.parquet", "near_duplicates.parquet"],
)
def test_an_altered_table_of_a_candidate_is_named(file: str, tmp_path: Path) -> None:
    folder = tmp_path / "candidate"
    folder.mkdir()
    catalog = fruit_world(30).catalog(tmp_path / "store")
    build_candidate(project=make_project(), catalog=catalog, folder=folder)
    name = KIND.name_of(folder)
    assert verify_folder(folder, KIND, name=name, do="copy it again").ok

    data = bytearray((folder / file).read_bytes())
    data[-20] ^= 1  # in the footer, where no value is
    (folder / file).write_bytes(data)
    found = verify_folder(folder, KIND, name=name, do="copy it again")
    assert any(file in problem.what for problem in found.problems)

    (folder / file).unlink()
    found = verify_folder(folder, KIND, name=name, do="copy it again")
    assert any(file in problem.what for problem in found.problems)


@pytest.mark.parametrize("file", ["check.json", "rows.parquet"])
def test_altered_findings_are_named_in_a_store_and_in_a_cache(file: str, tmp_path: Path) -> None:
    candidate, found = tmp_path / "candidate", tmp_path / "found"
    for folder in (candidate, found):
        folder.mkdir()
    project, catalog = make_project(), fruit_world(30).catalog(tmp_path / "lake")
    build_candidate(project=project, catalog=catalog, folder=candidate)
    context = load_context(project=project, catalog=catalog, folder=candidate)
    name = write_finding(*run_check("class_coverage", context), found)
    kept = tmp_path / "cache" / "store"
    place = kept / "projects" / "fruit" / "checks" / "candidate" / name
    place.parent.mkdir(parents=True)
    found.rename(place)

    def verify() -> list[list[str]]:
        whole = verify_store(open_store(str(kept)), pixels=False, progress=ignore)
        cached = verify_cache(tmp_path / "cache", progress=ignore)
        assert whole.checked["check"] == cached.checked["check"] == 1
        return [[p.what for p in report.problems] for report in (whole, cached)]

    assert verify() == [[], []]
    data = (place / file).read_bytes()
    (place / file).write_bytes(data.replace(b"3 classes", b"9 classes").replace(b"PAR1", b"PAR2"))
    for problems in verify():
        assert len(problems) == 1
        assert str(place) in problems[0]
