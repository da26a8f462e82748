"""Published folders: a candidate's every table is hashed, also what its digest does not cover."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.datasets.candidate import build_candidate
from cv_pipeline.verification.published import KINDS, verify_folder
from tests.datasets.world import fruit_world, make_project

KIND = KINDS["candidates"]


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
