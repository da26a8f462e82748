"""A dataset version: promoted only through its gate, and whatever happens to it shows."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cv_pipeline.datasets.candidate import Candidate, build_candidate
from cv_pipeline.datasets.membership import IDS_FILE, Membership
from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.datasets.version import (
    DatasetVersion,
    load_version,
    make_version,
    verify_version,
)
from cv_pipeline.datasets.waiver import Waiver
from cv_pipeline.errors import DatasetError, GateRefused
from tests.datasets.world import fruit_world, make_project

PASSED = Verdict(check="integrity", passed=True, severity="error", summary="all fit")
WARNED = Verdict(check="giveaway", passed=False, severity="warn", summary="camera tells")
FAILED = Verdict(check="leakage", passed=False, severity="error", summary="3 pairs cross")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    folder = tmp_path_factory.mktemp("candidate")
    catalog = fruit_world(30).catalog(tmp_path_factory.mktemp("store"))
    return build_candidate(project=make_project(), catalog=catalog, folder=folder)


def make(candidate: Candidate, folder: Path, *verdicts: Verdict) -> DatasetVersion:
    return make_version(
        candidate=candidate.folder, verdicts=verdicts, code_version="1", folder=folder
    )


def test_a_version_is_its_candidate_promoted(candidate: Candidate, tmp_path: Path) -> None:
    made = make(candidate, tmp_path, PASSED, WARNED)
    assert made.digest == candidate.digest
    assert (made.images, made.objects, made.splits) == (
        candidate.images,
        candidate.objects,
        candidate.splits,
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "annotations.parquet",
        "dataset.json",
        "image_ids.bin",
        "manifest.parquet",
    ]
    assert len(Membership(tmp_path / IDS_FILE)) == made.images
    assert made.record.verdicts == (WARNED, PASSED)
    assert load_version(tmp_path) == made
    assert verify_version(tmp_path) == []
    assert made.manifest == candidate.manifest


def test_a_few_images_to_look_at(candidate: Candidate, tmp_path: Path) -> None:
    sample = make(candidate, tmp_path, PASSED).sample
    assert len(set(sample)) == 8
    assert set(sample) <= set(candidate.manifest["image_id"].to_pylist())


@pytest.mark.parametrize(
    ("verdicts", "reason"),
    [((PASSED, FAILED), "it failed leakage"), ((), "no check was run on it")],
)
def test_the_gate(
    verdicts: tuple[Verdict, ...], reason: str, candidate: Candidate, tmp_path: Path
) -> None:
    with pytest.raises(GateRefused, match=reason):
        make(candidate, tmp_path, *verdicts)
    assert list(tmp_path.iterdir()) == []


def test_a_version_says_what_was_waived_and_why(candidate: Candidate, tmp_path: Path) -> None:
    waiver = Waiver(
        project="demo",
        candidate=candidate.digest,
        storage_id=7,
        checks=("leakage",),
        summaries={"leakage": FAILED.summary},
        actor="ada",
        role="admin",
        reason="The copies show the belt alone.",
        at=datetime(2026, 1, 2, tzinfo=UTC),
    ).signed()
    unused = waiver.model_copy(update={"checks": ("integrity",)}).signed()
    made = make_version(
        candidate=candidate.folder,
        verdicts=[PASSED, FAILED],
        code_version="1",
        folder=tmp_path,
        waivers=[unused, waiver],
    )
    assert load_version(tmp_path).record.waivers == (waiver,)
    assert FAILED in made.record.verdicts  # the failure stays one
    assert made.digest == candidate.digest


def test_an_image_that_was_taken_out_since_keeps_a_candidate_from_it(
    candidate: Candidate, tmp_path: Path
) -> None:
    ids = candidate.manifest["image_id"].to_pylist()
    with pytest.raises(GateRefused, match=rf"2 of its images were taken out, the first {ids[3]}"):
        make_version(
            candidate=candidate.folder,
            verdicts=[PASSED],
            code_version="1",
            folder=tmp_path,
            taken_out=[ids[5], "0" * 64, ids[3]],
        )


def edit(path: Path, column: str, value: str) -> None:
    table = pq.read_table(path)
    changed = pa.array([value, *table[column].to_pylist()[1:]], table.schema.field(column).type)
    at = table.schema.names.index(column)
    pq.write_table(table.set_column(at, table.schema.field(column), changed), path)


@pytest.mark.parametrize(
    ("file", "column", "value", "problem"),
    [
        ("annotations.parquet", "label", "kiwi", "content hashes to"),
        ("annotations.parquet", "image_id", "0" * 64, "images that its manifest does not name"),
        ("manifest.parquet", "split", "nowhere", "content hashes to"),
        ("manifest.parquet", "image_id", "f" * 64, "not sorted by image_id"),
        ("manifest.parquet", "path", "elsewhere.jpg", "manifest.parquet is not the file that was"),
        ("annotations.parquet", "annotation_id", "0" * 32, "annotations.parquet is not the file"),
    ],
)
def test_a_change_shows(
    file: str, column: str, value: str, problem: str, candidate: Candidate, tmp_path: Path
) -> None:
    make(candidate, tmp_path, PASSED)
    edit(tmp_path / file, column, value)
    assert any(problem in found for found in verify_version(tmp_path))


@pytest.mark.parametrize("file", ["annotations.parquet", "manifest.parquet"])
def test_no_damage_to_a_file_goes_unseen(file: str, candidate: Candidate, tmp_path: Path) -> None:
    make(candidate, tmp_path, PASSED)
    good = (tmp_path / file).read_bytes()
    for start in range(0, len(good), max(len(good) // 60, 1)):
        bad = bytearray(good)
        bad[start] ^= 0x10
        (tmp_path / file).write_bytes(bad)
        try:
            found = verify_version(tmp_path)
        except DatasetError as error:
            found = [error.what]
        assert found, start


def test_an_index_of_other_images_shows(candidate: Candidate, tmp_path: Path) -> None:
    make(candidate, tmp_path, PASSED)
    index = tmp_path / IDS_FILE
    index.write_bytes(index.read_bytes()[:-32])
    assert verify_version(tmp_path) == [
        "Its image_ids.bin does not list the images of its manifest."
    ]
    index.unlink()  # a version of an earlier release
    assert verify_version(tmp_path) == []


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("label", "kiwi", "Its content hashes to"),
        ("annotation_id", "0" * 32, "Its annotations.parquet is not the file"),
    ],
)
def test_a_damaged_candidate_is_not_promoted(
    column: str, value: str, problem: str, candidate: Candidate, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(candidate.folder, damaged)
    edit(damaged / "annotations.parquet", column, value)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DatasetError, match=f"is damaged: {problem}"):
        make_version(candidate=damaged, verdicts=[PASSED], code_version="1", folder=out)


@pytest.mark.parametrize(
    ("file", "message"),
    [("dataset.json", r"There is no dataset\.json"), ("manifest.parquet", "cannot be read")],
)
def test_a_file_is_missing(file: str, message: str, candidate: Candidate, tmp_path: Path) -> None:
    make(candidate, tmp_path, PASSED)
    (tmp_path / file).unlink()
    with pytest.raises(DatasetError, match=message):
        verify_version(tmp_path)


def test_a_file_is_half_written(candidate: Candidate, tmp_path: Path) -> None:
    make(candidate, tmp_path, PASSED)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match="is not what this version of the code writes"):
        load_version(tmp_path)
