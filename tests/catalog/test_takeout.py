"""Taking images out, and being killed at every step of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog import takeout
from cv_pipeline.catalog.ingest.ingest import pending_files
from cv_pipeline.catalog.pictures import keep_contact_sheet
from cv_pipeline.catalog.schemas import SIGNATURES
from cv_pipeline.catalog.tables import Catalog, CatalogTable
from cv_pipeline.catalog.takeout import TakeOutReport, take_out
from cv_pipeline.errors import ObjectTakenOut
from cv_pipeline.storage import (
    Blobs,
    ObjectStore,
    Tombstone,
    Tombstones,
    Use,
    open_source,
    open_store,
)
from cv_pipeline.storage.scratch import scratch_folder
from tests.catalog.lake_world import make_project, make_source, picture, run_ingest

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
USE = Use(kind="model", key="fruit/trained_model", version="m", storage_id=7, split="train")


class World:
    """A project with a few images, of which two are to go; and everything that copies them."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.source = folder / "source"
        self.project = make_project(self.source)
        self.store: ObjectStore = open_store(str(folder / "store"))
        self.catalog = Catalog(self.store, "fruit")
        rows = self.catalog.table("images").read(columns=["image_id", "path", "bytes"])
        self.images = {row["path"]: row for row in rows.to_pylist()}
        paths = ("good/01.jpg", "copies/y.jpg")
        self.gone = [self.images[p]["image_id"] for p in paths if p in self.images]
        random = np.random.default_rng(0)
        self.thumbnails = {i: random.bytes(1024) for i in sorted(rows["image_id"].to_pylist())}
        self.marked: list[str] = []

    @classmethod
    def make(cls, folder: Path) -> World:
        """Write a world into an empty folder."""
        make_source(folder / "source")
        run_ingest(open_store(str(folder / "store")), make_project(folder / "source"))
        world = cls(folder)
        rows = [
            {"image_id": image_id, "thumbnail": thumbnail, "descriptor": [0.0] * 64}
            for image_id, thumbnail in world.thumbnails.items()
        ]
        for part in (rows[:3], rows[3:]):
            table = pa.Table.from_pylist(part, schema=SIGNATURES)
            world.catalog.table("signatures").insert(table, on=["image_id"])
        keep_contact_sheet(world.store, "fruit", world.gone, max_pixels=10_000)
        copy = world.home / "cache" / "thumbnails" / f"{world.gone[0]}.webp"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(b"small")
        return world

    def mark(self, tombstones: Sequence[Tombstone]) -> int:
        new = [t.image_id for t in tombstones if t.used_by and t.image_id not in self.marked]
        self.marked += new
        return len(new)

    def asked(self) -> list[Tombstone]:
        known = {row["image_id"]: row for row in self.images.values()}
        return [
            Tombstone(
                image_id=image_id,
                reason="consent withdrawn",
                actor="anna",
                at=AT,
                paths={"fruit": known[image_id]["path"]},
                bytes=known[image_id]["bytes"],
                used_by=(USE,),
            )
            for image_id in self.gone
        ]

    def take_out(self) -> TakeOutReport:
        return take_out(self.asked(), store=self.store, home=self.home, mark=self.mark)

    def state(self) -> dict[str, object]:
        """What is left of everything; the same for every way to the end."""
        pixels = [self.thumbnails[i] for i in self.gone]
        pixels += [path.read_bytes() for path in self.copies_in_source()]
        files = [p for f in (self.store.url, self.home) for p in Path(f).rglob("*") if p.is_file()]
        return {
            "tombstones": [
                (t.image_id, t.reason, t.actor, t.at, t.used_by, t.completed_at is not None)
                for t in Tombstones(self.store)
            ],
            "rows": sorted(self.catalog.table("takeouts").read()["image_id"].to_pylist()),
            "signatures": sorted(self.catalog.table("signatures").read()["image_id"].to_pylist()),
            "blobs": sorted(i.key[-64:] for i in self.store.list("blobs/")),
            "pictures": [i.key for i in self.store.list("projects/fruit/pictures/")],
            "with pixels": [p.name for p in files if any(x in p.read_bytes() for x in pixels)],
            "named": [p.name for p in files if p.stem in self.gone and p.suffix != ".json"],
            "marked": sorted(self.marked),
        }

    def copies_in_source(self) -> list[Path]:
        return [self.source / "good" / "01.jpg", self.source / "copies" / "y.jpg"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    World.make(folder)
    return folder


def copy_of(template: Path, folder: Path) -> World:
    shutil.copytree(template, folder)
    return World(folder)


@pytest.fixture
def world(template: Path, tmp_path: Path) -> World:
    return copy_of(template, tmp_path / "world")


def expected(world: World) -> dict[str, object]:
    kept = sorted({row["image_id"] for row in world.images.values()} - set(world.gone))
    return {
        "tombstones": [
            (i, "consent withdrawn", "anna", AT, (USE,), True) for i in sorted(world.gone)
        ],
        "rows": sorted(world.gone),
        "signatures": kept,
        "blobs": kept,
        "pictures": [],
        "with pixels": [],
        "named": [],
        "marked": sorted(world.gone),
    }


def test_nothing_of_the_pixels_is_left(world: World):
    assert world.state()["with pixels"]
    report = world.take_out()
    assert world.state() == expected(world)
    assert [t.completed_at is not None for t in report.tombstones] == [True, True]
    assert (len(report.pictures), len(report.copies.removed), report.models_marked) == (1, 1, 2)
    row = world.catalog.table("takeouts").read().to_pylist()[0]
    assert (row["reason"], row["actor"], row["at"]) == ("consent withdrawn", "anna", AT)
    with pytest.raises(ObjectTakenOut, match="2026-03-04 by anna: consent withdrawn"):
        Blobs(world.store).read(world.gone[0])


def test_again_changes_nothing(world: World):
    first = world.take_out()
    again = world.take_out()
    assert world.state() == expected(world)
    assert again.tombstones == first.tombstones
    assert (again.pictures, again.copies.removed, again.models_marked) == ((), (), 0)


def test_rows_of_the_image_stay(world: World):
    before = {name: world.catalog.table(name).read().num_rows for name in ("images", "files")}
    world.take_out()
    after = {name: world.catalog.table(name).read().num_rows for name in ("images", "files")}
    assert after == before


def test_what_the_source_still_has_is_refused_once_and_for_all(world: World):
    world.take_out()
    (world.source / "new").mkdir()
    (world.source / "new" / "again.jpg").write_bytes(picture(1))
    for _ in range(2):
        report = run_ingest(world.store, world.project)
        # its own file, the new one, and three files with the other image
        assert report.reasons["taken_out"] == 5
        assert report.new_images == 0
    refused = world.catalog.table("quarantine").read(filter="reason = 'taken_out'")
    assert "consent withdrawn" in refused["detail"][0].as_py()
    assert pending_files(world.catalog, open_source(str(world.source))) == []
    assert world.state()["blobs"] == expected(world)["blobs"]


def test_who_when_and_why_are_of_the_first_time(world: World):
    world.take_out()
    later = [t.model_copy(update={"reason": "other", "actor": "ben"}) for t in world.asked()]
    take_out(later, store=world.store, home=world.home, mark=world.mark)
    assert world.state() == expected(world)


def test_what_has_come_to_use_it_since_is_added(world: World):
    world.take_out()
    newer = Use(kind="model", key="fruit/trained_model", version="n", storage_id=9, split="train")
    later = [t.model_copy(update={"used_by": (newer,)}) for t in world.asked()]
    report = take_out(later, store=world.store, home=world.home, mark=world.mark)
    assert report.tombstones[0].used_by == (USE, newer)


def test_it_is_not_complete_while_a_process_may_hold_a_staged_copy(world: World):
    with scratch_folder(world.home / "scratch", project="fruit") as staged:
        report = world.take_out()
        assert report.copies.in_use == (staged,)
        assert [t.completed_at for t in Tombstones(world.store)] == [None, None]
    world.take_out()
    assert world.state() == expected(world)


def test_in_a_bucket(s3_store: ObjectStore, template: Path, tmp_path: Path):
    world = copy_of(template, tmp_path / "world")
    world.store, world.catalog = s3_store, Catalog(s3_store, "fruit")
    run_ingest(s3_store, world.project)
    rows = [
        {"image_id": image_id, "thumbnail": thumbnail, "descriptor": [0.0] * 64}
        for image_id, thumbnail in world.thumbnails.items()
    ]
    signatures = world.catalog.table("signatures")
    signatures.insert(pa.Table.from_pylist(rows, schema=SIGNATURES), on=["image_id"])
    keep_contact_sheet(s3_store, "fruit", world.gone, max_pixels=10_000)
    for _ in range(2):
        world.take_out()
        pixels = [world.thumbnails[i] for i in world.gone]
        pixels += [path.read_bytes() for path in world.copies_in_source()]
        objects = [info.key for info in s3_store.list("")]
        with_pixels = [k for k in objects if any(x in s3_store.read(k) for x in pixels)]
        assert with_pixels == []
        assert not any("pictures" in key for key in objects)
        assert signatures.read().num_rows == len(world.thumbnails) - 2
        assert sorted(Tombstones(s3_store).image_ids()) == sorted(world.gone)


class Killed(BaseException):
    """What stops a process at a step."""


def sabotage(monkeypatch: pytest.MonkeyPatch, world: World, *, step: int, after: bool) -> None:
    """Kill the process at its ``step``-th change of anything, before or after it is made."""
    left = [step]

    def breaking(function):
        def broken(*args, **options):
            left[0] -= 1
            if left[0] < 0 and not after:
                raise Killed
            result = function(*args, **options)
            if left[0] < 0:
                raise Killed
            return result

        return broken

    for owner, name in (
        (type(world.store), "create"),
        (type(world.store), "write"),
        (type(world.store), "purge"),
        (type(world.store), "delete"),
        (CatalogTable, "insert"),
        (CatalogTable, "delete"),
        (takeout, "purge_rows"),
        (takeout, "remove_copies"),
        (Path, "unlink"),
        (world, "mark"),
    ):
        monkeypatch.setattr(owner, name, breaking(getattr(owner, name)))


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_step_and_run_again(template: Path, monkeypatch, tmp_path, after: bool):
    """One world is killed at one more step each time, until nothing is left to stop."""
    steps = 0
    for step in range(100):
        again = copy_of(template, tmp_path / f"world-{step}")
        with monkeypatch.context() as sabotaged:
            sabotage(sabotaged, again, step=step, after=after)
            try:
                again.take_out()
            except Killed:
                steps += 1
            else:
                break
        state = again.state()
        for image_id in again.gone:  # a version made now has no image without its pixels
            assert image_id in state["blobs"] or image_id in state["rows"]
        buried = Tombstones(again.store).image_ids()
        for image_id in buried:  # from the first moment on nobody keeps it again
            path = next(p for p, row in again.images.items() if row["image_id"] == image_id)
            with pytest.raises(ObjectTakenOut):
                Blobs(again.store).put((again.source / path).read_bytes())
        if buried and not all(t.completed_at for t in Tombstones(again.store)):
            assert again.state() != expected(again)
        again.take_out()
        assert again.state() == expected(again), f"killed at step {step}"
    assert steps > 12
    assert again.state() == expected(again)
