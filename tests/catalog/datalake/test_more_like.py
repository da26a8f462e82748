from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_pipeline.catalog.datalake.more_like import COPY, _spread, _without_copies
from cv_pipeline.catalog.datalake.query_result import QueryResult
from cv_pipeline.catalog.schemas import IMAGES
from cv_pipeline.errors import QueryError
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world, write_signatures
from tests.catalog.event_lake import rows_of


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    return make_datalake_world(tmp_path)


def test_the_most_alike_come_first_and_the_examples_never(world: DatalakeWorld) -> None:
    write_signatures(world, {0: [1, 0], 1: [0, 1], 2: [1, 0.3], 3: [0.2, 1], 4: [-1, -1]})
    found = world.open().more_like("path = '0.jpg' or path = '1.jpg'", n=10)
    assert world.numbers(found.image_ids) == [3, 2, 4]  # 5 has no descriptor
    assert found.similarity == pytest.approx(
        [1 / np.sqrt(1.04), 1 / np.sqrt(1.09), -1 / np.sqrt(2)], abs=1e-6
    )
    assert world.numbers(found.nearest)[:2] == [1, 0]
    assert found.examples == 2
    assert world.numbers(world.open().more_like("path = '0.jpg'", n=1).image_ids) == [2]


def test_of_copies_only_one_is_listed(world: DatalakeWorld) -> None:
    write_signatures(world, {0: [1, 0], 1: [1, 0.5], 2: [1, 0.501], 3: [1, 0.9], 4: [0, 1]})
    found = world.open().more_like("path = '0.jpg'", n=10)
    assert world.numbers(found.image_ids) == [1, 3, 4]
    assert COPY > 0.9


def test_what_is_chosen_from_can_be_said(world: DatalakeWorld) -> None:
    write_signatures(world, {n: [1, n] for n in range(6)})
    lake = world.open()
    chosen = lake.more_like("path = '0.jpg'", n=10, among="metadata.scene = 'outdoor'")
    assert set(world.numbers(chosen.image_ids)) <= {1, 3, 4}
    chosen = lake.more_like("path = '0.jpg'", n=10, unlabelled=True)
    assert not {1, 5} & set(world.numbers(chosen.image_ids))
    world.take_out(1)
    assert 1 not in world.numbers(lake.more_like("path = '0.jpg'", n=10).image_ids)


def test_images_that_come_in_meanwhile_move_no_numbers(
    world: DatalakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_signatures(world, {n: [1, n] for n in range(6)})
    lake = world.open()
    wanted = "metadata.scene = 'outdoor'"
    before = lake.more_like("path = '0.jpg'", n=10, among=wanted)
    first = {"image_id": "0" * 64, "path": "new.jpg", "width": 1}  # so all others move by one
    ask, waiting = lake.query, [rows_of(IMAGES, [first])]

    def ask_and_ingest(*args: Any, **keywords: Any) -> QueryResult:
        found = ask(*args, **keywords)
        while waiting:
            world.catalog.table("images").merge(waiting.pop(), on=["image_id"])
        return found

    monkeypatch.setattr(lake, "query", ask_and_ingest)
    meanwhile = lake.more_like("path = '0.jpg'", n=10, among=wanted)
    assert lake.query("path = 'new.jpg'").count == 1
    assert meanwhile.image_ids.equals(before.image_ids)
    assert meanwhile.nearest.equals(before.nearest)


def test_nothing_to_compare_with(world: DatalakeWorld) -> None:
    lake = world.open()
    with pytest.raises(QueryError, match=r"None of the examples has a descriptor.*image_features"):
        lake.more_like("path = '0.jpg'")
    with pytest.raises(QueryError, match="The query selects no image"):
        lake.more_like("path = 'nowhere'")
    with pytest.raises(QueryError, match="0 images cannot be listed"):
        lake.more_like("path = '0.jpg'", n=0)
    write_signatures(world, {0: [1, 0]})
    assert len(lake.more_like("path = '0.jpg'").image_ids) == 0


def test_of_many_examples_those_furthest_apart_are_compared_with() -> None:
    """On a quarter circle: after the first, the other end and then the middle."""
    angles = np.linspace(0, np.pi / 2, 91)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert _spread(rows, 3).tolist() == [0, 45, 90]
    assert _spread(rows, 91).tolist() == list(range(91))


def test_behind_many_copies_others_are_found() -> None:
    rows = np.array([[1, 0]] * 200 + [[0, 1]], np.float32)
    assert _without_copies(rows, np.arange(201), 2).tolist() == [0, 200]
    assert _without_copies(rows, np.arange(201), 9).tolist() == [0, 200]
