from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from cv_pipeline.catalog.snapshot.part_files import (
    KEPT,
    ROWS_IN_BATCH,
    Build,
    PartFiles,
    PartTables,
)
from cv_pipeline.errors import CatalogError

ROWS = pa.table({"n": [1, 2, 3], "word": ["a", "b", "a"]})


@pytest.fixture
def files(tmp_path: Path) -> PartFiles:
    return PartFiles(tmp_path / "parts", project="fruit")


class Builder:
    """Builds the rows, and counts how often."""

    def __init__(self, rows: pa.Table = ROWS) -> None:
        self.rows = rows
        self.built = 0

    def __call__(self, scratch: Path) -> PartTables:
        assert scratch.is_dir()
        self.built += 1
        return PartTables({"main": self.rows}, {"note": "kept"})


def never(scratch: Path) -> PartTables:
    raise AssertionError("it is there already")


def part_folder(tmp_path: Path) -> Path:
    return next(p for p in (tmp_path / "parts").iterdir() if p.name.startswith("tags-"))


def test_a_part_is_made_once_and_opened_after_that(files: PartFiles) -> None:
    build = Builder()
    for _ in range(2):
        found = files.get("tags", key="k", build=build)
        assert found.tables["main"].to_pylist() == ROWS.to_pylist()
        assert found.notes == {"note": "kept"}
    assert build.built == 1
    files.get("tags", key="other", build=build)
    assert build.built == 2


@pytest.mark.parametrize("count", [0, 1, ROWS_IN_BATCH, ROWS_IN_BATCH + 1])
def test_batches_are_of_one_size_whatever_the_chunks_were(files: PartFiles, count: int) -> None:
    numbers = pa.array(range(count), pa.int32())
    cut = count // 3
    rows = pa.table({"n": pa.chunked_array([numbers[:cut], numbers[cut:]], pa.int32())})
    table = files.get("tags", key="k", build=Builder(rows)).tables["main"]
    sizes = [len(chunk) for chunk in table["n"].chunks]
    assert sum(sizes) == count
    assert all(size == ROWS_IN_BATCH for size in sizes[:-1])
    assert table["n"].to_pylist() == list(range(count))


def test_text_of_few_values_becomes_a_dictionary(files: PartFiles) -> None:
    few = pa.chunked_array([["x", None] * 40, ["y", "x"] * 40], pa.string())
    many = pa.chunked_array([[f"{n}" for n in range(160)]], pa.string())
    table = files.get("tags", key="k", build=Builder(pa.table({"few": few, "many": many})))
    found = table.tables["main"]
    assert pa.types.is_dictionary(found.schema.field("few").type)
    assert found.schema.field("many").type == pa.string()
    assert found["few"].cast(pa.string()).to_pylist() == few.to_pylist()


@pytest.mark.parametrize("damage", ["cut", "grown", "zeros", "gone", "no marker", "bad marker"])
def test_a_damaged_part_is_made_again(files: PartFiles, tmp_path: Path, damage: str) -> None:
    build = Builder()
    before = files.get("tags", key="k", build=build)
    folder = part_folder(tmp_path)
    file = folder / "main.arrow"
    data = file.read_bytes()
    file.unlink()  # so that who has it mapped is not disturbed
    match damage:
        case "cut":
            file.write_bytes(data[: len(data) // 2])
        case "grown":
            file.write_bytes(data + b"x")
        case "zeros":  # what a crash of the machine can leave
            file.write_bytes(bytes(len(data)))
        case "no marker":
            file.write_bytes(data)
            (folder / "part.json").unlink()
        case "bad marker":
            file.write_bytes(data)
            (folder / "part.json").write_text('{"files": 3}')
    found = files.get("tags", key="k", build=build)
    assert build.built == 2
    assert found.tables["main"].to_pylist() == before.tables["main"].to_pylist() == ROWS.to_pylist()
    files.get("tags", key="k", build=never)


def test_of_several_that_want_it_at_once_one_makes_it(files: PartFiles) -> None:
    build = Builder()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: files.get("tags", key="k", build=build), range(4)))
    assert build.built == 1
    assert all(f.tables["main"].equals(found[0].tables["main"]) for f in found)


def test_the_parts_that_were_opened_last_stay(files: PartFiles, tmp_path: Path) -> None:
    build = Builder()
    for n in range(KEPT):
        files.get("tags", key=f"{n}", build=build)
        marker = tmp_path / "parts" / f"tags-{n}" / "part.json"
        os.utime(marker, (n, n))
    files.get("annotations", key="0", build=build)
    files.get("tags", key="0", build=never)  # opened again
    files.get("tags", key="new", build=build)
    names = {p.name for p in (tmp_path / "parts").iterdir() if (p / "part.json").exists()}
    assert names == {"annotations-0", "tags-0", "tags-2", "tags-3", "tags-new"}


KILLED = """
import sys
from pathlib import Path
from cv_pipeline.catalog.snapshot.part_files import PartFiles

def build(scratch):
    (scratch / "part" / "main.arrow").write_bytes(b"half of it")
    print("building", flush=True)
    sys.stdin.read()

PartFiles(Path(sys.argv[1]), project="fruit").get("tags", key="k", build=build)
"""


def test_a_builder_that_is_killed_leaves_nothing_that_counts(
    files: PartFiles, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "parts")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"building\n"
        process.kill()
    assert list(tmp_path.rglob("main.arrow"))
    build = Builder()
    found = files.get("tags", key="k", build=build)
    assert found.tables["main"].num_rows == 3
    assert build.built == 1
    assert len(list(tmp_path.rglob("main.arrow"))) == 1  # what the other left is swept


def test_a_builder_that_fails_leaves_nothing(files: PartFiles, tmp_path: Path) -> None:
    def fail(scratch: Path) -> PartTables:
        raise RuntimeError("no")

    build: Build = fail
    with pytest.raises(RuntimeError, match="no"):
        files.get("tags", key="k", build=build)
    assert not [p for p in (tmp_path / "parts").iterdir() if p.name.startswith("tags-")]
    files.get("tags", key="k", build=Builder())


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    files = PartFiles(tmp_path / "file" / "parts", project="fruit")
    with pytest.raises(CatalogError, match=r"cannot be written below .* set CV_HOME"):
        files.get("tags", key="k", build=Builder())
