from __future__ import annotations

import datetime as dt
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.compute as pc
import pytest

from cv_pipeline.catalog.ingest import ingest as ingest_module
from cv_pipeline.catalog.ingest import plan as ingest_plan
from cv_pipeline.catalog.ingest import read as ingest_read
from cv_pipeline.catalog.ingest.ingest import ingest, pending_files
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.tables import Catalog, CatalogTable
from cv_pipeline.errors import ObjectCorrupt, SourceError
from cv_pipeline.project import Project
from cv_pipeline.storage import Blobs, ObjectStore, image_id_of, open_source, open_store
from tests.catalog.lake_world import (
    METADATA,
    REFUSED,
    content,
    make_project,
    make_source,
    picture,
    run_ingest,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are checked in this process: for tests of many ingests that are about tables."""

    def here(check: Any, calls: Any, *, size: Any) -> Any:
        for call in calls:
            yield call, check(call)

    monkeypatch.setattr(ingest_read, "map_batches", here)


def rows_by(catalog: Catalog, name: str, key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in catalog.table(name).read().to_pylist()}


class TestFirstIngest:
    def test_images_files_and_quarantine(self, source: Path, store: ObjectStore) -> None:
        report = run_ingest(store, make_project(source))
        catalog = Catalog(store, "fruit")
        assert (report.images, report.files, report.duplicates, report.new_images) == (8, 10, 2, 8)
        assert report.quarantined == 4
        assert report.reasons == dict.fromkeys(sorted(REFUSED.values()), 1)
        assert report.table_versions == catalog.versions()
        assert report.bytes == sum(f["bytes"] for f in rows_by(catalog, "files", "path").values())
        refused = rows_by(catalog, "quarantine", "file")
        assert {path: row["reason"] for path, row in refused.items()} == REFUSED
        assert {(row["stage"], row["field"]) for row in refused.values()} == {("raw_images", "")}

    def test_rows_say_what_the_image_is(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        images = rows_by(Catalog(store, "fruit"), "images", "path")
        shown = ("format", "width", "height", "bands", "dtype")
        assert [images["zoo/deep.png"][c] for c in shown] == ["PNG", 30, 20, 1, "uint16"]
        assert [images["zoo/bands.tif"][c] for c in shown] == ["TIFF", 12, 10, 4, "uint16"]
        assert [images["good/01.jpg"][c] for c in shown] == ["JPEG", 32, 24, 3, "uint8"]
        assert images["good/01.jpg"]["image_id"] == image_id_of(picture(1))
        assert images["good/01.jpg"]["source"] == str(source)

    def test_an_image_has_the_smallest_path_of_its_copies(
        self, source: Path, store: ObjectStore
    ) -> None:
        run_ingest(store, make_project(source))
        images = rows_by(Catalog(store, "fruit"), "images", "image_id")
        assert images[image_id_of(picture(0))]["path"] == "copies/y.jpg"

    def test_every_image_is_kept_whole(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        for path, row in rows_by(Catalog(store, "fruit"), "images", "path").items():
            assert Blobs(store).read(row["image_id"]) == (source / path).read_bytes()

    def test_a_large_file_is_not_even_read(self, source: Path, store: ObjectStore) -> None:
        project = make_project(source, max_bytes=100)
        report = run_ingest(store, project)
        assert report.images == 0
        assert report.reasons["too_large"] == 11  # the empty, the text and the bomb are small

    def test_progress_says_how_far(self, source: Path, store: ObjectStore) -> None:
        seen: list[tuple[int, int, str]] = []
        ingest(
            project=make_project(source),
            catalog=Catalog(store, "fruit"),
            blobs=Blobs(store),
            source=open_source(str(source)),
            progress=lambda *call: seen.append(call),
        )
        assert seen[0] == (0, 0, f"listing {source}")
        assert (14, 14, "files checked") in seen

    def test_an_empty_source(self, tmp_path: Path, store: ObjectStore) -> None:
        (tmp_path / "nothing").mkdir()
        report = run_ingest(store, make_project(tmp_path / "nothing"))
        assert (report.images, report.files, report.bytes, report.batches) == (0, 0, 0, 0)

    def test_a_source_that_is_not_there(self, tmp_path: Path, store: ObjectStore) -> None:
        with pytest.raises(SourceError, match="There is no file or folder"):
            run_ingest(store, make_project(tmp_path / "absent"))


class TestNextIngest:
    def test_nothing_new_writes_nothing(
        self, source: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = run_ingest(store, make_project(source))
        monkeypatch.setattr(Blobs, "put", None)  # nothing is read again
        second = run_ingest(store, make_project(source))
        assert second.digest == first.digest
        assert second.table_versions == first.table_versions
        assert (second.new_images, second.images) == (0, first.images)

    def test_new_files_are_all_that_is_read(self, source: Path, store: ObjectStore) -> None:
        first = run_ingest(store, make_project(source))
        assert pending_files(Catalog(store, "fruit"), open_source(str(source))) == []
        (source / "good" / "00a.jpg").write_bytes(picture(50))
        (source / "good" / "00b.jpg").write_bytes(picture(1))
        pending = pending_files(Catalog(store, "fruit"), open_source(str(source)))
        assert [e.path for e in pending] == ["good/00a.jpg", "good/00b.jpg"]
        second = run_ingest(store, make_project(source))
        assert (second.new_images, second.images, second.files) == (1, 9, 12)
        assert second.digest != first.digest
        batches = sorted(
            rows_by(Catalog(store, "fruit"), "batches", "batch").values(),
            key=lambda b: b["ingested_at"],
        )
        assert [(b["files"], b["images"], b["duplicates"], b["quarantined"]) for b in batches] == [
            (14, 8, 2, 4),
            (3, 1, 1, 1),  # the bomb was tried once more: limits may have changed
        ]

    def test_a_repaired_file_leaves_the_quarantine(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        (source / "bad" / "cut.jpg").write_bytes(picture(7))
        report = run_ingest(store, make_project(source))
        refused = rows_by(Catalog(store, "fruit"), "quarantine", "file")
        assert sorted(refused) == ["bad/bomb.png", "bad/empty.jpg", "bad/text.jpg"]
        assert report.new_images == 1

    def test_a_file_that_broke_keeps_its_old_image(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        (source / "good" / "03.jpg").write_bytes(b"")
        report = run_ingest(store, make_project(source))
        catalog = Catalog(store, "fruit")
        assert rows_by(catalog, "files", "path")["good/03.jpg"]["image_id"] == image_id_of(
            picture(3)
        )
        assert rows_by(catalog, "quarantine", "file")["good/03.jpg"]["reason"] == "empty_file"
        assert report.images == 8

    def test_a_changed_file_is_a_new_image(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        (source / "good" / "03.jpg").write_bytes(picture(99))
        report = run_ingest(store, make_project(source))
        catalog = Catalog(store, "fruit")
        assert rows_by(catalog, "files", "path")["good/03.jpg"]["image_id"] == image_id_of(
            picture(99)
        )
        assert (report.images, report.files) == (9, 10)

    def test_what_vanishes_stays_and_its_refusal_goes(
        self, source: Path, store: ObjectStore
    ) -> None:
        first = run_ingest(store, make_project(source))
        (source / "good" / "03.jpg").unlink()
        (source / "bad" / "text.jpg").unlink()
        report = run_ingest(store, make_project(source))
        assert (report.digest, report.files) == (first.digest, first.files)
        assert report.quarantined == 3

    def test_a_gold_image_that_vanishes_is_held_out_still(
        self, source: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        (tmp_path / "gold.csv").write_text("image,label\n03.jpg,a\n")
        project = make_project(source, gold=str(tmp_path / "gold.csv"))
        run_ingest(store, project)
        (source / "good" / "03.jpg").unlink()
        run_ingest(store, project)
        images = rows_by(Catalog(store, "fruit"), "images", "path")
        assert images["good/03.jpg"]["split"] == "test"

    def test_a_changed_sidecar_changes_the_lake_and_the_digest(
        self, source: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        sidecar = tmp_path / "metadata.csv"
        sidecar.write_text(METADATA)
        project = make_project(source, metadata=str(sidecar))
        first = run_ingest(store, project)
        images = rows_by(Catalog(store, "fruit"), "images", "path")
        assert images["copies/y.jpg"]["split"] == "test"
        assert images["copies/y.jpg"]["captured_at"] == dt.datetime(2025, 11, 3, tzinfo=dt.UTC)
        sidecar.write_text(
            METADATA.replace("yard,1", "belt,1").replace("test", "val") + "zzz,,,,,\n"
        )
        second = run_ingest(store, project)
        assert second.digest != first.digest
        assert second.reasons["unknown_image"] == 1
        catalog = Catalog(store, "fruit")
        assert rows_by(catalog, "images", "path")["copies/y.jpg"]["split"] == "val"
        scenes = current_metadata(catalog).filter(pc.field("key") == "scene")
        assert sorted(scenes["value"].to_pylist()) == ["belt", "belt", "yard"]
        sidecar.write_text(METADATA)
        third = run_ingest(store, project)
        assert third.digest == first.digest
        assert "unknown_image" not in third.reasons

    def test_a_limit_that_was_raised_lets_a_file_in(self, source: Path, store: ObjectStore) -> None:
        tight = make_project(source, max_pixels=24 * 32 - 1)
        assert run_ingest(store, tight).reasons["too_many_pixels"] == 10
        assert pending_files(Catalog(store, "fruit"), open_source(str(source))) == []
        assert run_ingest(store, make_project(source)).reasons["too_many_pixels"] == 1

    def test_a_file_that_is_gone_before_it_is_read(
        self, source: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = open_source(str(source))
        entries = opened.list()
        monkeypatch.setattr(opened, "list", lambda: entries)
        (source / "good" / "02.jpg").unlink()
        project, catalog = make_project(source), Catalog(store, "fruit")
        report = ingest(
            project=project,
            catalog=catalog,
            blobs=Blobs(store),
            source=opened,
            progress=lambda *call: None,
        )
        assert report.reasons["unreadable_file"] == 1
        assert "unreadable_file" not in run_ingest(store, project).reasons


class TestMending:
    """An image that the object store has lost or damaged comes back from the source."""

    def test_a_lost_image_is_put_again_and_nothing_else_changes(
        self, source: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = run_ingest(store, make_project(source))
        delete_blob(store, picture(0))  # three files hold it
        delete_blob(store, picture(3))
        assert pending_files(Catalog(store, "fruit"), open_source(str(source))) == []
        report = run_ingest(store, make_project(source))
        assert report.table_versions == first.table_versions
        assert report == first.__class__(**{**vars(first), "new_images": 0})
        for seed in (0, 3):
            assert Blobs(store).read(image_id_of(picture(seed))) == picture(seed)
        monkeypatch.setattr(Blobs, "put", None)  # all is there again
        assert run_ingest(store, make_project(source)).digest == first.digest

    def test_a_damaged_image_by_the_advice(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        image_id = image_id_of(picture(2))
        store.write(blob_key(picture(2)), b"damage")
        with pytest.raises(ObjectCorrupt, match="delete it and ingest again"):
            Blobs(store).read(image_id)
        store.delete(blob_key(picture(2)))
        run_ingest(store, make_project(source))
        assert Blobs(store).read(image_id) == picture(2)

    def test_beside_new_and_changed_files(self, source: Path, store: ObjectStore) -> None:
        run_ingest(store, make_project(source))
        before = rows_by(Catalog(store, "fruit"), "files", "path")
        delete_blob(store, picture(1))
        delete_blob(store, picture(3))
        (source / "good" / "03.jpg").write_bytes(picture(99))
        (source / "new.jpg").write_bytes(picture(50))
        report = run_ingest(store, make_project(source))
        after = rows_by(Catalog(store, "fruit"), "files", "path")
        assert {p for p in after if after[p] != before.get(p)} == {"good/03.jpg", "new.jpg"}
        assert report.new_images == 2
        assert Blobs(store).exists(image_id_of(picture(1)))
        assert not Blobs(store).exists(image_id_of(picture(3)))  # no file holds it any more

    def test_a_file_that_could_not_be_read_at_first(
        self, source: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = run_ingest(store, make_project(source))
        delete_blob(store, picture(3))
        tight = make_project(source, max_bytes=len(picture(3)) - 1)
        assert run_ingest(store, tight).reasons["too_large"] >= 1
        report = run_ingest(store, make_project(source))
        assert (report.digest, report.reasons) == (first.digest, first.reasons)
        assert Blobs(store).exists(image_id_of(picture(3)))

    def test_in_a_bucket(self, source: Path, s3_store: ObjectStore) -> None:
        first = run_ingest(s3_store, make_project(source))
        delete_blob(s3_store, picture(3))
        assert run_ingest(s3_store, make_project(source)).table_versions == first.table_versions
        assert Blobs(s3_store).read(image_id_of(picture(3))) == picture(3)


def blob_key(data: bytes) -> str:
    image_id = image_id_of(data)
    return f"blobs/{image_id[:2]}/{image_id[2:4]}/{image_id}"


def delete_blob(store: ObjectStore, data: bytes) -> None:
    store.delete(blob_key(data))


@pytest.mark.usefixtures("no_workers")
class TestDroppedDeclarations:
    """What the metadata file does not say any more is gone, as if it had never said it."""

    @pytest.mark.parametrize(
        "text",
        [
            "path,captured_at,tags,split,scene,line\ngood/01.jpg,,,,belt,2\n",  # rows
            "path,scene\ngood/00.jpg,yard\ngood/01.jpg,belt\ngood/02.jpg,yard\n",  # columns
            "path,tags,line\ngood/00.jpg,late,1\ngood/02.jpg,fresh,\n",  # both, and a change
            "path\n",
            None,
        ],
    )
    def test_an_old_store_and_a_fresh_one_agree(
        self, source: Path, tmp_path: Path, store: ObjectStore, text: str | None
    ) -> None:
        add_camera_times(source)
        sidecar = tmp_path / "metadata.csv"
        sidecar.write_text(f"{METADATA}shot.jpg,2024-01-01,fresh,,yard,3\n")
        run_ingest(store, make_project(source, metadata=str(sidecar)))
        project = make_project(source)
        if text is not None:
            sidecar.write_text(text)
            project = make_project(source, metadata=str(sidecar))
        old = run_ingest(store, project)
        other = open_store(str(tmp_path / "fresh"))
        fresh = run_ingest(other, project)
        assert old.digest == fresh.digest
        logs = {"image_metadata", "image_tags"}  # they have a history; their states are compared
        found, wanted = (content(Catalog(s, "fruit")) for s in (store, other))
        assert {k: v for k, v in found.items() if k not in logs} == {
            k: v for k, v in wanted.items() if k not in logs
        }
        shot = rows_by(Catalog(store, "fruit"), "images", "path")["shot.jpg"]
        assert shot["captured_at"] == dt.datetime(2025, 11, 3, 8, 30, tzinfo=dt.UTC)
        assert run_ingest(store, project).table_versions == old.table_versions

    def test_a_capture_time_that_no_camera_wrote_is_unknown_again(
        self, source: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        sidecar = tmp_path / "metadata.csv"
        sidecar.write_text(METADATA)
        run_ingest(store, make_project(source, metadata=str(sidecar)))
        run_ingest(store, make_project(source))
        images = Catalog(store, "fruit").table("images").read()
        assert images["captured_at"].null_count == images["split"].null_count == len(images)

    def test_an_image_whose_file_changed_keeps_what_was_said(
        self, source: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        sidecar = tmp_path / "metadata.csv"
        sidecar.write_text(METADATA)
        project = make_project(source, metadata=str(sidecar))
        run_ingest(store, project)
        (source / "good" / "01.jpg").write_bytes(picture(99))
        run_ingest(store, project)
        rows = current_metadata(Catalog(store, "fruit")).to_pylist()
        lines = {row["image_id"] for row in rows if row["key"] == "line" and row["value"] == "2"}
        assert lines == {image_id_of(picture(1)), image_id_of(picture(99))}


def add_camera_times(source: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:11:03 08:30:00"
    Image.new("RGB", (20, 20)).save(source / "shot.jpg", exif=exif)


class TestSameEverywhere:
    def test_folder_and_archive_and_bucket_agree(
        self, source: Path, tmp_path: Path, s3_store: ObjectStore
    ) -> None:
        digests = set()
        project = make_project(source)
        digests.add(run_ingest(open_store(str(tmp_path / "one")), project).digest)
        with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
            for path in sorted(source.rglob("*"), reverse=True):  # in another order than sorted
                tar.add(path, arcname=f"inner/{path.relative_to(source)}", recursive=False)
        archive = make_project(f"{tmp_path / 'all.tar.gz'}!inner")
        digests.add(run_ingest(open_store(str(tmp_path / "two")), archive).digest)
        for path in source.rglob("*.*"):
            s3_store.write(f"source/{path.relative_to(source)}", path.read_bytes())
        in_bucket = make_project(f"{s3_store.url}/source")
        report = run_ingest(s3_store, in_bucket)
        digests.add(report.digest)
        assert len(digests) == 1
        assert report.quarantined == 4

    @pytest.mark.usefixtures("no_workers")
    def test_in_one_go_or_file_by_file(self, source: Path, tmp_path: Path) -> None:
        whole = run_ingest(open_store(str(tmp_path / "one")), make_project(source))
        parts = tmp_path / "parts"
        store = open_store(str(tmp_path / "two"))
        for path in sorted(source.rglob("*.*")):
            target = parts / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
            report = run_ingest(store, make_project(parts))
        assert report.digest == whole.digest


class Killed(BaseException):
    """What stands for the end of the process."""


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ingest_plan, ingest_module):
        monkeypatch.setattr(module, "BATCH_FILES", 5)


@pytest.mark.usefixtures("small_batches", "no_workers")
def test_crashes_after_each_write_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_with_metadata(tmp_path)
    whole = open_store(str(tmp_path / "whole"))
    expected = run_ingest(whole, project)
    store = open_store(str(tmp_path / "store"))
    catalog = Catalog(store, "fruit")
    commit, left = CatalogTable._commit, 0

    def counted(table: Any, write: Any) -> Any:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return commit(table, write)

    monkeypatch.setattr(CatalogTable, "_commit", counted)
    states, allowed = [content(catalog)], 1
    while len(states) < 50:
        left = allowed
        try:
            report = run_ingest(store, project)
        except Killed:
            # one write more each time that the first ones found all there already
            state = content(catalog)
            allowed = 1 if state != states[-1] else allowed + 1
            states.append(state)
        else:
            break
    assert len({tuple(state.items()) for state in states}) > 9
    assert report.digest == expected.digest
    assert content(catalog) == content(Catalog(whole, "fruit"))


def project_with_metadata(folder: Path) -> Project:
    (folder / "metadata.csv").write_text(METADATA)
    source = make_source(folder / "small", good=2)
    return make_project(source, metadata=str(folder / "metadata.csv"))


MORTAL = """
import os, signal, sys
from pathlib import Path
import psutil
from cv_pipeline.catalog.ingest import ingest
from cv_pipeline.catalog.ingest import plan as ingest_plan
from cv_pipeline.catalog.ingest import read as ingest_read
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.tables import CatalogTable
from cv_pipeline.storage import open_store
from tests.catalog.lake_world import make_project, run_ingest

folder, left = Path(sys.argv[1]), int(sys.argv[2])
ingest.BATCH_FILES = ingest_plan.BATCH_FILES = 5
ingest_read._CALL_FILES = 2
commit = CatalogTable._commit

def counted(table, write):
    global left
    if left == 0:
        print(*(child.pid for child in psutil.Process().children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return commit(table, write)

CatalogTable._commit = counted
project = make_project(folder / "small", metadata=str(folder / "metadata.csv"))
run_ingest(open_store(str(folder / "store")), project)
"""


@pytest.mark.usefixtures("small_batches")
def test_killed_again_and_again_by_the_system(tmp_path: Path) -> None:
    project = project_with_metadata(tmp_path)
    workers: set[int] = set()
    for writes in (2, 5, 3):
        child = subprocess.run(
            [sys.executable, "-c", MORTAL, str(tmp_path), str(writes)],
            stdout=subprocess.PIPE,
            timeout=120,
            text=True,
            check=False,
        )
        assert child.returncode == -signal.SIGKILL
        workers |= {int(pid) for pid in child.stdout.split()}
    report = run_ingest(open_store(str(tmp_path / "store")), project)
    expected = run_ingest(open_store(str(tmp_path / "whole")), project)
    assert report.digest == expected.digest
    catalogs = [Catalog(open_store(str(tmp_path / s)), "fruit") for s in ("store", "whole")]
    assert content(catalogs[0]) == content(catalogs[1])
    assert workers
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "workers outlived their parent"
        time.sleep(0.05)


INGEST = """
import sys
from cv_pipeline.storage import open_store
from tests.catalog.lake_world import make_project, run_ingest

folder = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
project = make_project(f"{folder}/small", metadata=f"{folder}/metadata.csv")
run_ingest(open_store(f"{folder}/store"), project)
"""


def test_two_ingests_at_once(tmp_path: Path) -> None:
    project = project_with_metadata(tmp_path)
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", INGEST, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in pair:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in pair:
        child.communicate("go\n", timeout=120)
        assert child.returncode == 0
    report = run_ingest(open_store(str(tmp_path / "store")), project)
    expected = run_ingest(open_store(str(tmp_path / "whole")), project)
    assert report.digest == expected.digest
    found, wanted = (
        content(Catalog(open_store(str(tmp_path / s)), "fruit")) for s in ("store", "whole")
    )
    for log in ("image_metadata", "image_tags"):  # both may have written an event; its state is one
        del found[log], wanted[log]
    assert found == wanted


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_real_archives(real_data: Path, store: ObjectStore) -> None:
    project = make_project(
        f"{real_data}/bccd.tar.gz!BCCD/JPEGImages",
        splits={
            s: f"{real_data}/bccd.tar.gz!BCCD/ImageSets/Main/{s}.txt"
            for s in ("train", "val", "test")
        },
    )
    report = run_ingest(store, project)
    assert (report.images, report.files, report.quarantined) == (364, 364, 0)
    splits = Catalog(store, "fruit").table("images").read(columns=["split"])["split"]
    assert {c["values"]: c["counts"] for c in pc.value_counts(splits).to_pylist()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }


def test_capture_time_of_the_camera(tmp_path: Path, store: ObjectStore) -> None:
    from PIL import Image

    (tmp_path / "shots").mkdir()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:11:03 08:30:00"
    Image.new("RGB", (20, 20)).save(tmp_path / "shots" / "a.jpg", exif=exif)
    Image.new("RGB", (21, 20)).save(tmp_path / "shots" / "b.jpg", exif=exif)
    (tmp_path / "m.csv").write_text("path,captured_at\nb.jpg,2024-01-01\n")
    run_ingest(store, make_project(tmp_path / "shots", metadata=str(tmp_path / "m.csv")))
    images = rows_by(Catalog(store, "fruit"), "images", "path")
    assert images["a.jpg"]["captured_at"] == dt.datetime(2025, 11, 3, 8, 30, tzinfo=dt.UTC)
    assert images["b.jpg"]["captured_at"] == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
