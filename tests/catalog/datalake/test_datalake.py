from __future__ import annotations

import datetime as dt
import hashlib
import logging

import pyarrow as pa
import pytest

import cv_pipeline
from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.references import Moment
from cv_pipeline.catalog.schemas import IMAGES
from cv_pipeline.errors import (
    CatalogError,
    ObjectCorrupt,
    ObjectTakenOut,
    ProjectError,
    ProvenanceError,
    QueryError,
)
from tests.catalog.datalake_world import DatalakeWorld, write_signatures
from tests.catalog.event_lake import rows_of


class TestTheLiteralQuery:
    def test_it_works_exactly_as_written(self, world: DatalakeWorld) -> None:
        datalake = cv_pipeline.Datalake.open(project="fruit")
        result = datalake.query(tags_count=0, metadata={"scene": "outdoor"}, date_range="2025-Q4")
        assert world.numbers(result.image_ids) == [0]
        assert result.count == len(result) == 1
        assert result.digest == hashlib.sha256(f"{world.ids[0]}\n".encode()).hexdigest()
        assert "outdoor" not in result.sql
        assert "outdoor" in result.parameters.values()
        assert result.to_arrow()["path"].to_pylist() == ["0.jpg"]
        assert result.to_pandas()["image_id"].tolist() == [world.ids[0]]
        assert [image.path for image in result] == ["0.jpg"]
        assert result.save("untouched").count == 1
        assert result.table_versions["images"] == world.catalog.table("images").version

    def test_the_text_form_says_the_same(self, world: DatalakeWorld) -> None:
        lake = world.open()
        words = lake.query("tags_count = 0 and metadata.scene = 'outdoor'", date_range="2025-Q4")
        keys = lake.query(tags_count=0, metadata={"scene": "outdoor"}, date_range="2025-Q4")
        assert (words.text, words.sql, words.digest) == (keys.text, keys.sql, keys.digest)


class TestOpening:
    def test_an_unknown_project_names_the_nearest(self, world: DatalakeWorld) -> None:
        with pytest.raises(ProjectError, match=r"There is no project 'friut'.* 'fruit'"):
            Datalake.open("friut")

    def test_nothing_outside_the_catalogue_is_opened_until_it_is_referred_to(
        self, world: DatalakeWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DAGSTER_HOME", raising=False)
        lake = Datalake.open("fruit")
        assert lake.query("width > 100").count == 4


class TestResults:
    def test_rows_with_the_metadata_asked_for(self, world: DatalakeWorld) -> None:
        result = world.open().query(order_by="width desc")
        columns = ["metadata.scene", "path", "metadata.none"]
        rows = result.to_arrow(columns)
        assert rows.schema.names == columns
        assert rows["path"].to_pylist() == [f"{n}.jpg" for n in (5, 4, 3, 2, 1, 0)]
        assert rows["metadata.scene"].to_pylist() == [
            None, "outdoor", "outdoor", "indoor", "outdoor", "outdoor",
        ]  # fmt: skip
        assert rows["metadata.none"].null_count == 6
        assert "n" not in result.to_arrow().schema.names
        with pytest.raises(QueryError, match=r"There is no column 'widht'.*'width'"):
            result.to_arrow(["widht"])

    def test_an_empty_result_says_which_condition_alone_is_to_blame(
        self, world: DatalakeWorld
    ) -> None:
        result = world.open().query("width > 300 and tag = 'no such' and height > 0")
        assert result.count == 0
        assert list(result) == []
        assert len(result.to_arrow()) == len(result.taken_out) == 0
        counts = [(c.text, c.count) for c in result.conditions()]
        assert counts == [("width > 300", 2), ("tag = 'no such'", 0), ("height > 0", 6)]

    def test_it_stays_what_it_was_when_the_lake_goes_on(self, world: DatalakeWorld) -> None:
        lake = world.open()
        result = lake.query("width >= 0")
        row = {"image_id": "0" * 64, "path": "new.jpg"}
        world.catalog.table("images").merge(rows_of(IMAGES, [row]), on=["image_id"])
        assert lake.query("width >= 0").count == 7
        assert result.count == result.images_then == 6
        assert sorted(image.path for image in result) == [f"{n}.jpg" for n in range(6)]
        assert len(result.to_arrow()) == 6


class TestImages:
    def test_all_that_is_known_of_one(self, world: DatalakeWorld) -> None:
        lake = world.open()
        by_id, by_prefix, by_path, by_copy = (
            lake.image(ref) for ref in (world.ids[0], world.ids[0][:8], "0.jpg", "copy/of_0.jpg")
        )
        assert by_id == by_prefix == by_path == by_copy
        assert by_id.id == world.ids[0]
        assert by_id.path == "0.jpg"
        assert by_id.metadata == {"scene": "outdoor"}
        assert by_id.tags == ()
        assert by_id.properties["annotations_count"] == 0
        assert by_id.read() == b"image 0"
        assert lake.image("2.jpg").tags == ("hard",)
        assert lake.image("1.jpg").annotations["label"].to_pylist() == ["kiwi"]

    @pytest.mark.parametrize("ref", ["9.jpg", "0" * 64, "0123456", "", "é" * 9])
    def test_one_that_is_not_there(self, world: DatalakeWorld, ref: str) -> None:
        with pytest.raises(QueryError, match=f"Project fruit has no image {ref!r}"):
            world.open().image(ref)

    def test_a_prefix_that_fits_several(self, world: DatalakeWorld) -> None:
        rows = [{"image_id": f"{'ab' * 16}{n}", "path": f"x{n}"} for n in (1, 2)]
        world.catalog.table("images").merge(rows_of(IMAGES, rows), on=["image_id"])
        with pytest.raises(QueryError, match="'abababab' fits several images"):
            world.open().image("abababab")

    def test_the_bytes_of_one_that_was_taken_out_are_gone(self, world: DatalakeWorld) -> None:
        world.take_out(3)
        image = world.open().image("3.jpg")
        assert image.properties["taken_out"]
        with pytest.raises(ObjectTakenOut, match="taken out on 2026-02-03 by anna: asked for"):
            image.read()

    def test_bytes_that_were_altered_on_disk(self, world: DatalakeWorld) -> None:
        image_id = world.ids[1]
        blob = world.folder / "store" / "blobs" / image_id[:2] / image_id[2:4] / image_id
        blob.write_bytes(b"something else")
        with pytest.raises(ObjectCorrupt, match=f"Image {image_id} is damaged"):
            world.open().image("1.jpg").read()


class TestTakenOut:
    def test_it_is_left_out_unless_asked_for_and_as_of_before_it_is_there(
        self, world: DatalakeWorld
    ) -> None:
        lake = world.open()
        before = lake.query("width = 300")
        world.take_out(3)
        assert lake.query("width = 300").count == 0
        assert world.numbers(lake.query("taken_out").image_ids) == [3]
        then = lake.query("width = 300", as_of=before.table_versions)
        assert then.digest == before.digest
        assert world.numbers(then.taken_out) == [3]


class TestAsOf:
    def test_a_time(self, world: DatalakeWorld) -> None:
        lake = world.open()
        moment = dt.datetime.now(dt.UTC)
        lake.tag("0.jpg", "late")
        assert lake.query("tag = 'late'").count == 1
        for then in (moment, moment.isoformat(), moment.replace(tzinfo=None).isoformat()):
            assert lake.query("tag = 'late'", as_of=then).count == 0
        assert lake.query(as_of="2001-02-03").count == 0  # nothing was there yet

    def test_a_reference_that_the_record_knows(self, world: DatalakeWorld) -> None:
        lake = world.open()
        versions = {"image_tags": world.catalog.table("image_tags").version}
        world.references.moments["fruit@1a2b"] = Moment("a version", versions)
        lake.tag("0.jpg", "late")
        found = lake.query("tag = 'late'", as_of="fruit@1a2b")
        assert found.count == 0
        assert found.table_versions["image_tags"] == versions["image_tags"]
        with pytest.raises(ProvenanceError, match="no moment 'fruit@ffff'"):
            lake.query(as_of="fruit@ffff")

    def test_when_a_metric_held_among_the_images_it_was_measured_on(
        self, world: DatalakeWorld
    ) -> None:
        lake = world.open()
        world.write_dataset("d1", {0: "train", 2: "test"})
        versions = {"image_tags": world.catalog.table("image_tags").version}
        moment = Moment("AP50 0.92", versions, dataset="d1")
        world.references.moments["AP50 >= 0.91"] = moment
        lake.tag(lake.query("tag = 'hard'"), "hard", remove=True)
        found = lake.query("tag = 'hard'", when="AP50 >= 0.91")
        assert world.numbers(found.image_ids) == [2]
        assert found.text == "tag = 'hard' and dataset('d1')"
        assert lake.query(when="AP50 >= 0.91").count == 2
        assert lake.rerun(found.query_id).digest == found.digest

    @pytest.mark.parametrize(
        ("as_of", "message"),
        [
            ({"image_tag": 1}, "as_of names a table 'image_tag'.*'image_tags'"),
            ({"images": -1}, "version -1 of images"),
            ({"images": True}, "version True of images"),
            ("2025-13-01", "'2025-13-01' is no time"),
        ],
    )
    def test_what_makes_no_sense(self, world: DatalakeWorld, as_of: object, message: str) -> None:
        with pytest.raises(QueryError, match=message):
            world.open().query(as_of=as_of)  # type: ignore[arg-type]

    def test_both_ways_at_once(self, world: DatalakeWorld) -> None:
        with pytest.raises(QueryError, match="Give one"):
            world.open().query(as_of="2025-01-01", when="AP50 > 0")

    def test_a_version_that_does_not_exist(self, world: DatalakeWorld) -> None:
        with pytest.raises(CatalogError, match="Version 99 of table images"):
            world.open().query(as_of={"images": 99})

    def test_a_time_whose_version_was_cleaned_up(self, world: DatalakeWorld) -> None:
        lake = world.open()
        lake.tag("0.jpg", "x")
        moment = dt.datetime.now(dt.UTC)
        lake.tag("0.jpg", "y")
        lake.tag("0.jpg", "z")
        world.catalog.table("image_tags").cleanup(older_than=dt.timedelta(0))
        with pytest.raises(
            CatalogError, match=r"The version of .* of table image_tags .*cleaned up"
        ):
            lake.query(as_of=moment)


class TestReferences:
    def test_dataset_versions(self, world: DatalakeWorld) -> None:
        world.write_dataset("fruit@latest", {1: "train", 4: "test"})
        lake = world.open()
        assert sorted(world.numbers(lake.query(dataset="fruit@latest").image_ids)) == [1, 4]
        found = lake.query("dataset('fruit@latest', split = 'test')")
        assert world.numbers(found.image_ids) == [4]

    def test_what_a_model_predicted_and_got_wrong(self, world: DatalakeWorld) -> None:
        wrong = {"correct": False, "false_negatives": 2}
        world.write_model("fruit@latest", results={0: {}, 3: wrong}, labels={0: "kiwi"})
        lake = world.open()
        missed = lake.query("errors('fruit@latest', kind = 'false_negative') >= 2")
        assert world.numbers(missed.image_ids) == [3]
        found = lake.query("predictions('fruit@latest', label = 'kiwi' and score > 0.5)")
        assert world.numbers(found.image_ids) == [0]  # the image that is not in the lake is not

    def test_likeness(self, world: DatalakeWorld) -> None:
        write_signatures(world, {0: [1, 0], 1: [3, 4], 2: [0, 1], 5: [-1, 0]})
        lake = world.open()
        for ref in ("0.jpg", world.ids[0], world.ids[0][:12]):
            text = f"similarity('{ref}') > 0.1 order by similarity('{ref}') desc"
            assert world.numbers(lake.query(text).image_ids) == [0, 1]
        assert lake.query("similarity('0.jpg') >= 1").count == 1
        with pytest.raises(QueryError, match=r"Image '3.jpg' has no descriptor"):
            lake.query("similarity('3.jpg') > 0")
        with pytest.raises(QueryError, match=r"no image 'unknown.jpg'"):
            lake.query("similarity('unknown.jpg') > 0")

    def test_a_file_that_cannot_be_read(self, world: DatalakeWorld) -> None:
        world.write_dataset("d", {1: "train"})
        (world.references.datasets["d"] / "manifest.parquet").write_bytes(b"no parquet")
        with pytest.raises(CatalogError, match=r"manifest.parquet cannot be read"):
            world.open().query(dataset="d")


class TestReadOnly:
    def test_an_answer_is_not_lost_because_the_log_cannot_be_written(
        self, world: DatalakeWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        lake = world.open()
        lake.query()
        # root may write everywhere, but not below a file
        table = world.folder / "store" / "projects" / "fruit" / "catalog" / "query_log.lance"
        (table / "data").rename(table / "aside")
        (table / "data").write_text("in the way")
        with caplog.at_level(logging.WARNING):
            assert lake.query("width > 100").count == 4
        assert "answered, but not written to the log of fruit" in caplog.text


def test_everything_is_asked_for_in_words_too(world: DatalakeWorld) -> None:
    lake = world.open()
    for result in (lake.query(), lake.query("all images")):
        assert result.text == "all images"
        assert result.count == 6


def test_ids_are_whole_and_of_one_array(world: DatalakeWorld) -> None:
    ids = world.open().query().image_ids
    assert isinstance(ids, pa.Array)
    assert ids.type == pa.string()
    assert ids.to_pylist() == sorted(world.ids)
