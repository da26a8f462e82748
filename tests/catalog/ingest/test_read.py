from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cv_pipeline.catalog.ingest import plan as ingest_plan
from cv_pipeline.catalog.ingest import read as ingest_read
from cv_pipeline.catalog.ingest.image_check import ImageCheck, Verdict
from cv_pipeline.catalog.ingest.plan import list_images, plan_ingest
from cv_pipeline.catalog.ingest.read import AcceptedFile, check_files, complete_batches
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import Blobs, SourceEntry, open_source
from tests.catalog.lake_world import make_source


@dataclass(frozen=True)
class DeadlyCheck(ImageCheck):
    """A check whose decoder does not survive one file."""

    def __call__(self, files: Sequence[tuple[str, bytes]]) -> list[Verdict]:
        if any(path == "good/02.jpg" for path, _ in files):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(files)


def test_a_file_that_breaks_the_decoder_is_refused(tmp_path: Path, catalog: Catalog) -> None:
    source = open_source(str(make_source(tmp_path / "source")))
    plan = plan_ingest(catalog, list_images(source.list()))
    outcomes = list(
        check_files(
            plan,
            source=source,
            check=DeadlyCheck(max_pixels=10**6, max_bytes=10**6),
            blobs=Blobs(catalog.store),
            progress=lambda done, total, what: None,
        )
    )
    refused = {r.file: r.reason for r in outcomes if isinstance(r, Refusal)}
    assert refused["good/02.jpg"] == "decoder_crash"
    assert len(outcomes) == 14
    assert sum(isinstance(o, AcceptedFile) for o in outcomes) == 9


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 2]),  # three files at most
        ([40, 40, 40, 40], [0, 0, 1, 1]),  # a hundred bytes at most
        ([60, 40, 1], [0, 0, 1]),
        ([500, 1, 500, 500], [0, 1, 2, 3]),  # a file that is too large for any is one alone
        ([0, 0, 0, 0], [0, 0, 0, 1]),
    ],
)
def test_batches(sizes: list[int], expected: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_plan, "BATCH_FILES", 3)
    monkeypatch.setattr(ingest_plan, "BATCH_BYTES", 100)
    found = ingest_plan._batch_numbers(np.array(sizes, dtype=np.int64))
    assert found.tolist() == expected


def test_batches_are_complete_in_any_order_of_files(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_plan, "BATCH_FILES", 2)
    entries = [SourceEntry(path, 1, "f") for path in "abcde"]
    plan = plan_ingest(catalog, entries)
    outcomes = [Refusal(path, "", "corrupt_image", "") for path in "dbeca"]
    batches = complete_batches(outcomes, plan=plan)
    assert [[r.file for r in batch.refused] for batch in batches] == [["e"], ["c", "d"], ["a", "b"]]


def test_files_travel_in_bounded_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_read, "_CALL_FILES", 3)
    monkeypatch.setattr(ingest_read, "_CALL_BYTES", 10)
    files = [(str(n), b"x" * size) for n, size in enumerate([1, 1, 1, 20, 5, 5, 1])]
    portions = list(ingest_read._calls(files))
    assert [[path for path, _ in p] for p in portions] == [
        ["0", "1", "2"],
        ["3"],
        ["4", "5"],
        ["6"],
    ]
    assert list(ingest_read._calls([])) == []


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("a.jpg", True),
        ("a.JPEG", True),
        ("scan", True),  # no suffix
        ("a.odd", True),  # an unknown one: tried, and refused with a reason
        ("labels.xml", False),
        ("deep/classes.TXT", False),
        ("_annotations.coco.json", False),
        ("more.tar.gz", False),
    ],
)
def test_what_lies_beside_images_is_left_out(path: str, kept: bool) -> None:
    assert bool(list_images([SourceEntry(path, 1, "f")])) == kept
