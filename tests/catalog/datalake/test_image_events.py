from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from cv_pipeline.catalog.lake import current_metadata, current_tags
from cv_pipeline.catalog.schemas import IMAGE_METADATA, IMAGE_TAGS
from cv_pipeline.errors import QueryError
from tests.catalog.datalake_world import DatalakeWorld
from tests.catalog.event_lake import rows_of

WRITER = """
import sys
from cv_pipeline import Datalake

lake = Datalake.open("fruit")
print("ready", flush=True)
sys.stdin.readline()
for n in range(4):
    lake.tag(["0.jpg", "1.jpg"], f"{sys.argv[1]}-{n}", "both")
    lake.tag("2.jpg", "hard", remove=True)
    lake.set_metadata("3.jpg", {sys.argv[1]: n})
"""


class TestTags:
    def test_only_what_changes_is_written(self, world: DatalakeWorld) -> None:
        lake = world.open()
        assert lake.tag(lake.query("width <= 200"), "hard", "new") == 5  # 2.jpg is hard already
        version = world.catalog.table("image_tags").version
        assert lake.tag(lake.query("width <= 200"), "hard", "new") == 0
        assert lake.tag("5.jpg", "hard", remove=True) == 0
        assert world.catalog.table("image_tags").version == version
        assert lake.tag(lake.query("tag = 'hard'"), "hard", remove=True) == 3
        assert set(current_tags(world.catalog)["tag"].to_pylist()) == {"new"}

    @pytest.mark.parametrize("kind", ["result", "images", "ids", "array", "paths", "one", "twice"])
    def test_images_are_named_in_any_way(self, world: DatalakeWorld, kind: str) -> None:
        lake = world.open()
        result = lake.query("width = 100")
        images = {
            "result": result,
            "images": list(result),
            "ids": [world.ids[1]],
            "array": pa.array([world.ids[1]]),
            "paths": ("1.jpg",),
            "one": world.ids[1][:8],
            "twice": ["1.jpg", world.ids[1]],
        }[kind]
        assert lake.tag(images, "x") == 1
        assert lake.image("1.jpg").tags == ("x",)

    def test_a_clock_that_is_ahead_does_not_undo_what_comes_later(
        self, world: DatalakeWorld
    ) -> None:
        ahead = datetime.now(UTC) + timedelta(hours=1)
        of_image = {"image_id": world.ids[0], "actor": "anna", "at": ahead}
        tags = rows_of(IMAGE_TAGS, [of_image | {"tag": "odd", "present": True}])
        world.catalog.table("image_tags").append(tags)
        values = rows_of(IMAGE_METADATA, [of_image | {"key": "scene", "value": "z"}])
        world.catalog.table("image_metadata").append(values)
        lake = world.open()
        assert lake.tag(["0.jpg", "1.jpg"], "odd", remove=True) == 1
        assert lake.set_metadata("0.jpg", scene="a") == 1
        assert lake.image("0.jpg").tags == ()
        assert lake.image("0.jpg").metadata["scene"] == "a"

    def test_nothing_to_tag(self, world: DatalakeWorld) -> None:
        lake = world.open()
        assert lake.tag(lake.query("width > 9999"), "x") == 0
        assert lake.tag([], "x") == 0
        assert lake.tag("0.jpg") == 0

    def test_a_person_who_confirms_a_rule_touches_the_image(self, world: DatalakeWorld) -> None:
        lake = world.open()
        assert lake.tag("0.jpg", "dark", actor="auto:brightness") == 1
        assert lake.image("0.jpg").properties["tags_count"] == 0
        assert lake.tag("0.jpg", "dark") == 1
        assert lake.image("0.jpg").properties["tags_count"] == 1
        assert lake.tag("0.jpg", "dark", actor="auto:brightness") == 0
        assert lake.tag("0.jpg", "dark", actor="ben") == 0
        actors = world.catalog.table("image_tags").read()["actor"].to_pylist()
        assert actors == ["anna", "auto:brightness", "anna"]

    @pytest.mark.parametrize("tag", ["", " x", "a\nb", "a\0", "x" * 201, 3])
    def test_what_is_no_tag(self, world: DatalakeWorld, tag: object) -> None:
        with pytest.raises(QueryError, match=r"is no tag|is longer than"):
            world.open().tag("0.jpg", tag)  # type: ignore[arg-type]

    def test_an_image_that_is_not_in_the_lake(self, world: DatalakeWorld) -> None:
        lake = world.open()
        with pytest.raises(QueryError, match=r"no image '9\.jpg'"):
            lake.tag(["0.jpg", "9.jpg"], "x")
        with pytest.raises(QueryError, match="2 images are not in project fruit, such as 'a'"):
            lake.tag(pa.array(["a", world.ids[0], "b"]), "x")
        assert lake.query("tag = 'x'").count == 0


class TestMetadata:
    def test_only_what_changes_is_written(self, world: DatalakeWorld) -> None:
        lake = world.open()
        outdoor = lake.query(metadata={"scene": "outdoor"})
        assert lake.set_metadata(outdoor, scene="outdoor", line=7, ok=True) == 8
        assert lake.set_metadata(outdoor, {"line": "7"}, ok="true") == 0
        assert lake.set_metadata(outdoor, scene=None, no_such=None) == 4
        assert lake.query(metadata={"scene": {"set": True}}).count == 1
        assert lake.image("0.jpg").metadata == {"line": "7", "ok": "true"}
        assert lake.query(metadata={"line": {">": 6.5}}).count == 4

    def test_keys_that_are_no_python_names(self, world: DatalakeWorld) -> None:
        lake = world.open()
        lake.set_metadata("0.jpg", {"any key": 0.5, "values": 1, "actor": "x"}, actor="ben")
        assert lake.image("0.jpg").metadata == {
            "actor": "x", "any key": "0.5", "scene": "outdoor", "values": "1",
        }  # fmt: skip
        with pytest.raises(QueryError, match="is no metadata key"):
            lake.set_metadata("0.jpg", {"a\tb": 1})


def test_two_who_write_at_once_lose_nothing(world: DatalakeWorld) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, me],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in "AB"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    lake = world.open()
    expected = tuple(sorted(["both", *(f"{me}-{n}" for me in "AB" for n in range(4))]))
    assert lake.image("0.jpg").tags == lake.image("1.jpg").tags == expected
    assert lake.image("2.jpg").tags == ()
    assert lake.image("3.jpg").metadata == {"A": "3", "B": "3", "scene": "outdoor"}
    metadata = current_metadata(world.catalog)
    assert metadata.num_rows == len({(r["image_id"], r["key"]) for r in metadata.to_pylist()})
