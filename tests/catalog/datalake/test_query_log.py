from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from cv_pipeline.catalog.datalake.query_log import AskedQuery, QueryLog, checked_name
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CatalogError, QueryError
from tests.catalog.datalake_world import DatalakeWorld, write_signatures

ASKED = AskedQuery(
    query_id="0123456789ab",
    text="width > 3",
    sql="SELECT 1",
    parameters={"p1": 3, "p2": "é'", "p3": 0.1, "p4": True},
    table_versions={"images": 2},
    pins={"dataset fruit@latest": "fruit/datasets/1a2b"},
    count=4,
    digest="d",
    seconds=0.25,
    origin="python",
    actor="anna",
    at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
)


class TestLog:
    def test_rows_come_back_the_newest_first(self, catalog: Catalog) -> None:
        log = QueryLog(catalog)
        assert log.recent() == []
        assert log.find("0123456789ab") is None
        later = replace(ASKED, query_id="ffffffffffff", at=ASKED.at + dt.timedelta(days=1))
        for asked in (ASKED, later):
            log.append(asked)
        assert log.recent() == [later, ASKED]
        assert log.recent(limit=1) == [later]
        assert log.find("0123456789ab") == ASKED

    def test_many_rows_are_kept_in_few_files(self, catalog: Catalog) -> None:
        log = QueryLog(catalog)
        for n in range(40):
            log.append(replace(ASKED, query_id=f"{n:012x}"))
        assert len(log.recent()) == 40
        assert log.find(f"{17:012x}") is not None

    def test_every_query_of_a_lake_is_written_down(
        self, world: DatalakeWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = world.open()
        first = lake.query("width > 100", date_range="2025")
        monkeypatch.setenv("CV_ACTOR", "ben")
        second = lake.query(as_of=first.table_versions)
        newest, oldest = lake.log()
        assert (newest.query_id, newest.actor) == (second.query_id, "ben")
        assert (oldest.actor, oldest.origin) == ("anna", "python")
        assert oldest.text == "width > 100 and date_range = '2025'"
        assert (oldest.sql, oldest.parameters) == (first.sql, first.parameters)
        assert (oldest.count, oldest.digest) == (first.count, first.digest)
        assert oldest.table_versions == first.table_versions
        assert oldest.seconds > 0
        json.dumps(oldest.parameters)


class TestNames:
    def test_saving_again_moves_the_name(self, world: DatalakeWorld) -> None:
        lake = world.open()
        lake.query("width > 100").save("wide")
        lake.query("width > 200").save("wide")
        lake.query("height > 0").save("all-of_them")
        assert [(q.name, q.text) for q in lake.queries()] == [
            ("all-of_them", "height > 0"),
            ("wide", "width > 200"),
        ]
        assert world.open().saved("wide").count == 3  # whoever has the store has the name

    def test_a_name_can_be_taken_away(self, world: DatalakeWorld) -> None:
        lake = world.open()
        lake.query("width > 100").save("wide")
        lake.forget("wide")
        assert lake.queries() == []
        for call in (lake.forget, lake.saved, lake.rerun):
            with pytest.raises(QueryError, match="no saved query 'wide'"):
                call("wide")
        lake.query("width > 200").save("wide")
        assert lake.saved("wide").text == "width > 200"

    def test_an_unknown_name_names_the_nearest(self, world: DatalakeWorld) -> None:
        lake = world.open()
        lake.query().save("everything")
        with pytest.raises(QueryError, match=r"no saved query 'everythin'.*'everything'"):
            lake.rerun("everythin")

    @pytest.mark.parametrize(
        "name", ["", "1st", "with space", "a" * 64, "é", "a/b", "a.b", "abcdefabcdef", "-x", "a\n"]
    )
    def test_what_is_no_name(self, name: str) -> None:
        with pytest.raises(QueryError, match="is no name for a query"):
            checked_name(name)

    def test_the_versions_that_it_cites_are_never_cleaned_up(self, world: DatalakeWorld) -> None:
        lake = world.open()
        kept = lake.query("tag = 'hard'")
        kept.save("hard")
        lake.tag("0.jpg", "hard")
        unnamed = lake.query("tag = 'hard'")
        lake.tag("1.jpg", "hard")
        for name in kept.table_versions:
            world.catalog.table(name).cleanup(older_than=dt.timedelta(0))
        assert lake.rerun("hard").digest == kept.digest
        assert lake.rerun(kept.query_id).digest == kept.digest
        gone = unnamed.table_versions["image_tags"]
        with pytest.raises(CatalogError, match=rf"Version {gone} of table image_tags .*cleaned up"):
            lake.rerun(unnamed.query_id)
        with pytest.raises(CatalogError, match=f"Version {gone}"):
            unnamed.save("too_late")
        assert [q.name for q in lake.queries()] == ["hard"]


class TestRerun:
    def test_as_of_then_gives_the_same_and_today_what_differs(self, world: DatalakeWorld) -> None:
        lake = world.open()
        asked = lake.query("tag = 'hard' order by width desc")
        asked.save("hard")
        lake.tag(["0.jpg", "4.jpg"], "hard")
        lake.tag("2.jpg", "hard", remove=True)
        for which in ("hard", asked.query_id):
            assert lake.rerun(which).digest == asked.digest
            found = lake.rerun(which, today=True)
            assert found.then.digest == asked.digest
            assert world.numbers(found.today.image_ids) == [4, 0]
            assert world.numbers(found.added) == [4, 0]
            assert world.numbers(found.removed) == [2]

    def test_an_image_that_was_taken_out_since_is_in_the_answer_of_then(
        self, world: DatalakeWorld
    ) -> None:
        lake = world.open()
        asked = lake.query("width >= 300")
        world.take_out(4)
        found = lake.rerun(asked.query_id, today=True)
        assert found.then.digest == asked.digest
        assert world.numbers(found.then.taken_out) == world.numbers(found.removed) == [4]

    def test_a_sample_is_drawn_again_as_it_was(self, world: DatalakeWorld) -> None:
        lake = world.open()
        asked = lake.query(sample=3, seed=7)
        assert lake.rerun(asked.query_id).digest == asked.digest

    def test_latest_means_then_what_it_meant_then_and_today_what_it_means_today(
        self, world: DatalakeWorld
    ) -> None:
        lake = world.open()
        world.write_dataset("fruit@one", {1: "train"})
        world.write_dataset("fruit@two", {1: "train", 2: "val"})
        known = world.references.datasets
        known["fruit@latest"] = known["fruit@one"]
        asked = lake.query(dataset="fruit@latest")
        asked.save("newest")
        known["fruit@latest"] = known["fruit@two"]
        for which in ("newest", asked.query_id):
            assert lake.rerun(which).digest == asked.digest
            found = lake.rerun(which, today=True)
            assert world.numbers(found.then.image_ids) == [1]
            assert world.numbers(found.added) == [2]
        assert lake.saved("newest").pins == asked.pins
        assert list(asked.pins) == ["dataset fruit@latest"]

    def test_what_models_did_then_is_pinned_too(self, world: DatalakeWorld) -> None:
        lake = world.open()
        world.write_model("one", results={0: {"correct": False}}, labels={0: "kiwi"})
        world.write_model("two", results={0: {"correct": True}}, labels={0: "lemon"})
        known = world.references.models
        known["m"] = known["one"]
        asked = lake.query(
            "predictions('m', label = 'kiwi') >= 1 and results('m', correct = false)"
        )
        known["m"] = known["two"]
        assert lake.rerun(asked.query_id).digest == asked.digest
        assert world.numbers(lake.rerun(asked.query_id, today=True).removed) == [0]

    def test_likeness_that_is_not_what_it_was(self, world: DatalakeWorld) -> None:
        lake = world.open()
        write_signatures(world, {0: [1, 0], 1: [0, 1]})
        asked = lake.query("similarity('0.jpg') > -2")
        world.catalog.table("signatures").delete(f"image_id = '{world.ids[1]}'")
        with pytest.raises(QueryError, match=r"what is not kept.*likeness"):
            lake.rerun(asked.query_id)

    def test_an_id_that_is_not_in_the_log(self, world: DatalakeWorld) -> None:
        with pytest.raises(QueryError, match=r"no query '0123456789ab' in its log.*queries"):
            world.open().rerun("0123456789ab")
