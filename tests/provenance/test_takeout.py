"""What had used an image is listed, and the models that were trained on it are marked."""

from __future__ import annotations

from functools import partial

import dagster as dg
import pytest

from cv_pipeline.catalog.schemas import IMAGES
from cv_pipeline.catalog.schemas.files import FILES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance import EventLog, trace
from cv_pipeline.provenance.takeout import plan_takeout, take_out_images
from cv_pipeline.provenance.takeout_marks import mark_models, marks_of
from cv_pipeline.storage import Blobs, Tombstone, Tombstones, Use, open_store
from tests.provenance.recorded_world import RecordedWorld, path_of, sha, write_table

PIXELS = b"pixels"


@pytest.fixture
def world(instance, tmp_path):
    return RecordedWorld(instance, open_store(str(tmp_path / "store")))


@pytest.fixture
def image(world) -> str:
    """An image whose bytes the store has and two projects' catalogues know."""
    image_id = Blobs(world.store).put(PIXELS)
    for project in ("p", "q"):
        row = {"image_id": image_id, "path": path_of(image_id), "bytes": len(PIXELS)}
        catalogue(world.store, project, "images", [row], IMAGES)
        files = [{"path": path, "image_id": image_id} for path in (path_of(image_id), "copy.jpg")]
        catalogue(world.store, project, "files", files, FILES)
    return image_id


def catalogue(store, project: str, name: str, rows, schema) -> None:
    """Rows of a catalogue table, of which some columns may be left out."""
    import pyarrow.parquet as pq
    from pyarrow import BufferReader

    write_table(store, "rows.parquet", rows, schema)
    table = Catalog(store, project).table(name)
    table.merge(pq.read_table(BufferReader(store.read("rows.parquet"))), on=table.key)


@pytest.fixture
def history(world, image):
    """The image in the train split of one version, the test split of another; a third without."""
    other = sha("another")
    told = []
    for number, splits in enumerate(({image: "train"}, {image: "test"}, {other: "train"})):
        dataset = world.dataset({**splits, sha("rest"): "test"}, world.raw(number))
        model = world.model(dataset, f"m{number}")
        row = {"image_id": sha("rest"), "split": "test", "score": 0.5}
        told.append((dataset, model, world.evaluation(model, dataset, [row], AP50=0.5)))
    return told


@pytest.fixture
def plan(world, tmp_path):
    return partial(
        plan_takeout,
        instance=world.instance,
        store=world.store,
        projects=["q"],
        cache=tmp_path / "home" / "cache",
    )


@pytest.fixture
def go(world, plan, tmp_path):
    """Take images out, as the command does."""

    def take_out(*refs: str, reason: str = "consent withdrawn"):
        return take_out_images(
            plan(refs),
            reason=reason,
            instance=world.instance,
            store=world.store,
            home=tmp_path / "home",
        )

    return take_out


def test_everything_that_used_it_is_listed_with_its_split(plan, image, history):
    (usage,) = plan([image])
    used = {(u.kind, u.version): u.split for u in usage.used_by}
    expected = {}
    for (dataset, model, evaluation), split in zip(history[:2], ("train", "test"), strict=True):
        expected["dataset", dataset.version] = split
        expected["model", model.version] = split
        expected["predictions", evaluation.input("p/predictions").version] = split
        expected["evaluation", evaluation.version] = split
    assert used == expected
    measured = {u.version: u.metrics for u in usage.used_by if u.metrics}
    assert measured == {e.version: {"AP50": e.metadata["AP50"]} for _, _, e in history[:2]}
    assert usage.paths == {"p": path_of(image), "q": path_of(image)}
    assert usage.files["q"] == (path_of(image), "copy.jpg")
    assert (usage.bytes, usage.tombstone, usage.pictures_in_log) == (len(PIXELS), None, ())


def test_a_lost_version_is_told_and_does_not_hold_it_up(world, plan, go, image, history):
    (lost, _, _), (kept, _, _), _ = history
    for name in ("dataset.json", "manifest.parquet", "annotations.parquet"):
        world.store.delete(f"projects/p/datasets/{lost.version}/{name}")
    (usage,) = plan([image])
    assert usage.lost == (lost.version,)
    assert {u.version for u in usage.used_by if u.kind == "dataset"} == {kept.version}
    assert len(go(image).tombstones) == 1


def test_any_reference_will_do_and_names_one_image(plan, image, history, tmp_path):
    (tmp_path / "local.jpg").write_bytes(PIXELS)
    refs = [image, image[:8], path_of(image), "copy.jpg", str(tmp_path / "local.jpg")]
    assert [u.image_id for u in plan(refs)] == [image]
    for unknown in ("nowhere.jpg", "0" * 64, "ffffffff"):
        with pytest.raises(ProvenanceError, match="No catalogue and no dataset version holds"):
            plan([unknown])


def test_an_image_of_a_catalogue_that_nothing_used(plan, image):
    (usage,) = plan([image[:10]])
    assert usage.used_by == ()


def test_models_that_were_trained_on_it_are_marked_and_no_others(
    world, go, image, history, instance
):
    report = go(image)
    assert report.models_marked == 1
    trained, tested, without = (model for _, model, _ in history)
    assert marks_of(instance, "p/trained_model") == {trained.version: [image]}
    node = trace("model", trained.version, instance=instance).node
    assert node.metadata["taken_out"] == [image]
    for model in (tested, without):
        assert "taken_out" not in trace("model", model.version, instance=instance).node.metadata
    assert go(image).models_marked == 0
    tombstone = Tombstones(world.store).get(image)
    assert tombstone is not None
    assert {u.kind for u in tombstone.used_by} == {"dataset", "model", "predictions", "evaluation"}
    assert Catalog(world.store, "q").table("takeouts").read()["image_id"].to_pylist() == [image]


def test_the_image_says_so_itself(go, image, history, instance, world):
    before = trace("image", image, instance=instance, store=world.store)
    assert "taken_out" not in before.node.metadata
    go(image)
    found = trace("image", image, instance=instance, store=world.store)
    assert found.node.metadata["taken_out"]["reason"] == "consent withdrawn"
    assert len(found.down) == 2  # the rows of earlier versions stay


def test_what_left_it_out_did_not_use_it(world, go, plan, image, history):
    go(image)
    dataset = history[0][0]
    skipped = {"taken_out": 1, "left_out": [image]}
    later = world.report("trained_model", sha("later"), dataset, **skipped)
    row = {"image_id": sha("rest"), "split": "test", "score": 0.5}
    world.evaluation(later, dataset, [row], AP50=0.9)
    (usage,) = plan([image])
    assert later.version not in {use.version for use in usage.used_by}
    assert go(image).models_marked == 0


def test_what_turns_out_to_have_used_it_is_marked_when_asked_again(world, go, image, history):
    """A training that had the image staged when it was taken out."""
    go(image)
    late = world.report("trained_model", sha("late"), history[0][0])
    assert go(image).models_marked == 1
    assert set(marks_of(world.instance, "p/trained_model")) == {late.version, history[0][1].version}


def test_several_images_are_one_mark_of_a_model(world, go, instance):
    ids = [Blobs(world.store).put(str(n).encode()) for n in range(3)]
    dataset = world.dataset(dict.fromkeys(ids, "train"), world.raw(1))
    model = world.model(dataset, "m")
    assert go(ids[0], ids[1]).models_marked == 1
    assert go(*ids).models_marked == 1
    assert marks_of(instance, "p/trained_model") == {model.version: sorted(ids)}
    observed = instance.fetch_observations(dg.AssetKey(["p", "trained_model"]), limit=10).records
    assert len(observed) == 2


def test_a_reason_is_needed_once(world, go, image, history):
    with pytest.raises(ProvenanceError, match="cannot be taken out without a reason"):
        go(image, reason=" ")
    assert Blobs(world.store).exists(image)
    go(image)
    go(image, reason="")
    tombstone = Tombstones(world.store).get(image)
    assert tombstone is not None
    assert tombstone.reason == "consent withdrawn"


def test_pictures_inside_the_log_are_told(world, plan, image):
    picture = dg.MetadataValue.md("![sample](data:image/jpeg;base64,AAAA)")
    raw = world.report("raw_images", sha("raw"), picture=picture, table_versions={})
    dataset = world.dataset({image: "train"}, raw)
    again = world.report("dataset_version", dataset.version, picture=picture)
    world.report("dataset_version", sha("another"), picture=picture)
    world.dataset({sha("x"): "train"}, raw)
    world.store.write(f"projects/p/datasets/{sha('another')}/dataset.json", b"{}")
    world.store.write(f"projects/p/datasets/{sha('another')}/image_ids.bin", b"")
    (usage,) = plan([image])
    assert usage.pictures_in_log == (raw.storage_id, again.storage_id)


def test_a_mark_disturbs_no_data_version_and_no_step(instance):
    """Dagster goes on to see the materialization, although a mark of an old model is newer."""

    @dg.asset(key_prefix="p")
    def trained_model() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("new"))

    @dg.asset(key_prefix="p", deps=[trained_model])
    def child() -> None: ...

    both = [trained_model, child]
    dg.materialize(both, instance=instance, selection=[trained_model])
    log, key = EventLog(instance), dg.AssetKey(["p", "trained_model"])
    before = log.latest("p/trained_model")
    use = Use(kind="model", key="p/trained_model", version="old", storage_id=1, split="train")
    marked = mark_models(instance, [grave(use)])
    assert marked == 1
    assert log.latest("p/trained_model") == before
    record = instance.get_latest_data_version_record(key)
    assert record is not None
    assert record.storage_id == before.storage_id
    dg.materialize(both, instance=instance, selection=[child])
    made = log.latest("p/child")
    assert made is not None
    assert (made.input("p/trained_model").version, made.input("p/trained_model").storage_id) == (
        "new",
        before.storage_id,
    )


def grave(*uses: Use) -> Tombstone:
    return Tombstone(
        image_id=sha("image"),
        reason="r",
        actor="a",
        at="2026-01-01T00:00:00Z",
        paths={},
        bytes=None,
        used_by=uses,
    )
