"""Images divided into batches by difficulty, so that hard ones stall no others."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.datalake.image_batches import batch_images
from cv_pipeline.catalog.schemas import IMAGE_FEATURES, PRELABELS, SAMPLED_IMAGES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError
from cv_pipeline.labeling.batches.declared import list_labeling_batches
from cv_pipeline.labeling.batches.division import difficulties, divide
from cv_pipeline.labeling.sampling.selection import arms_of
from cv_pipeline.labeling.settings.work_section import BatchRules, Difficulty
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import image_ids, table_of

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def write_prelabels(
    catalog: Catalog,
    images: list[str],
    uncertainty: list[float],
    *,
    objects: int = 1,
    kind: str = "class",
    model: str = "m",
    made_at: datetime = NOW,
) -> None:
    rows = table_of(
        PRELABELS,
        len(images) * objects,
        image_id=list(np.repeat(images, objects)),
        model=model,
        object=np.tile(np.arange(objects), len(images)),
        label="apple",
        kind=kind,
        uncertainty=np.repeat(uncertainty, objects),
        made_at=made_at,
    )
    catalog.table("prelabels").merge(rows, on=["image_id", "model", "object"])


@pytest.mark.parametrize(
    ("kind", "objects", "uncertainty", "level"),
    [
        ("class", 1, 0.39, 0),
        ("class", 1, 0.4, 1),  # a threshold belongs to what is above it
        ("class", 1, 0.7, 2),
        ("bbox", 3, 1.9, 0),  # of boxes it is corrections to be expected
        ("bbox", 3, 2.0, 1),
        ("bbox", 3, 5.0, 2),
        ("bbox", 8, 0.0, 1),  # many objects are work, however sure the model is
        ("bbox", 20, 0.0, 2),
    ],
)
def test_how_hard_an_image_is_by_its_prelabels(
    catalog: Catalog, kind: str, objects: int, uncertainty: float, level: int
) -> None:
    [image] = image_ids(1)
    write_prelabels(catalog, [image], [uncertainty], objects=objects, kind=kind)
    assert difficulties(catalog, pa.array([image])).tolist() == [level]


def test_the_highest_that_any_measure_says_counts(catalog: Catalog) -> None:
    images = image_ids(4)
    write_prelabels(catalog, images[:3], [0.1, 0.1, 0.9])
    contrast = [0.2, 0.05, 0.01]
    features = table_of(IMAGE_FEATURES, 3, image_id=images[:3], contrast=contrast, sharpness=9.0)
    catalog.table("image_features").merge(features, on=["image_id"])
    # nothing is known of the fourth, which is medium
    assert difficulties(catalog, pa.array(images)).tolist() == [0, 1, 2, 1]
    strict = Difficulty(contrast=(0.3, 0.3))
    assert difficulties(catalog, pa.array(images), rule=strict).tolist() == [2, 2, 2, 1]


def test_the_latest_prelabels_count(catalog: Catalog) -> None:
    [image] = image_ids(1)
    write_prelabels(catalog, [image], [0.9], model="old", made_at=datetime(2026, 1, 1, tzinfo=UTC))
    write_prelabels(catalog, [image], [0.1], model="new")
    assert difficulties(catalog, pa.array([image])).tolist() == [0]


def test_batches_are_of_one_difficulty_and_none_is_too_large(catalog: Catalog) -> None:
    images = image_ids(100)
    write_prelabels(catalog, images, [0.1] * 50 + [0.5] * 30 + [0.9] * 20)
    rules = BatchRules(max_images=20)
    parts = divide(catalog, pa.array(images), name="x", task_type="classification", rules=rules)
    assert [(p.name, p.images) for p in parts] == [
        ("x-easy-001", 17),
        ("x-easy-002", 17),
        ("x-easy-003", 16),
        ("x-medium-001", 15),
        ("x-medium-002", 15),
        ("x-hard-001", 20),
    ]
    found = [batch_images(catalog, part.name).to_pylist() for part in parts]
    assert sorted(chain(*found)) == sorted(images)
    assert set(chain(*found[:3])) == set(images[:50])
    told = {b.name: (b.difficulty, b.task_type) for b in list_labeling_batches(catalog)}
    assert told["x-hard-001"] == ("hard", "classification")


def test_dividing_again_or_after_a_break_gives_the_same(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cv_pipeline.labeling.batches import division

    images = pa.array(image_ids(40))
    rules = BatchRules(max_images=10)
    real, calls = division.declare, []

    def breaks(*args: Any, **settings: Any) -> bool:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **settings)

    monkeypatch.setattr(division, "declare", breaks)
    with pytest.raises(KeyboardInterrupt):
        divide(catalog, images, name="x", task_type="detection", rules=rules)
    monkeypatch.undo()
    parts = divide(catalog, images, name="x", task_type="detection", rules=rules)
    assert [part.new for part in parts] == [False, False, False, True]
    assert all(b.declared and b.images == 10 for b in list_labeling_batches(catalog))
    again = divide(catalog, images, name="x", task_type="detection", rules=rules)
    assert not any(part.new for part in again)


def test_one_kind_of_batches_where_difficulty_does_not_count(catalog: Catalog) -> None:
    rules = BatchRules(by_difficulty=False, max_images=30)
    parts = divide(catalog, pa.array(image_ids(40)), name="x", task_type="detection", rules=rules)
    assert [(part.name, part.images) for part in parts] == [("x-001", 20), ("x-002", 20)]


def test_no_image_is_no_batch(catalog: Catalog) -> None:
    with pytest.raises(LabelingError, match="no image to divide"):
        divide(catalog, pa.array([], pa.string()), name="x", task_type="detection")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"uncertainty": (0.7, 0.4)}, "uncertainty: medium must begin at or below hard"),
        ({"objects": (-1, 4)}, "not below 0"),
        ({"contrast": (0.03, 0.06)}, "contrast: hard must begin at or below medium"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(rule: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Difficulty.model_validate(rule)


def test_parts_of_a_selected_batch_keep_which_algorithm_chose_each_image(catalog: Catalog) -> None:
    images = image_ids(4)
    arms = ["random", "rarity", "rarity", "rarity"]
    chosen = table_of(SAMPLED_IMAGES, 4, batch="next", image_id=images, arm=arms, at=NOW)
    catalog.table("sampled_images").merge(chosen, on=["batch", "image_id"])
    for _ in range(2):
        (part,) = divide(
            catalog, pa.array(images), name="day", task_type="x", query="set_aside = 'next'"
        )
    found = arms_of(catalog, part.name).to_pylist()
    assert {row["image_id"]: row["arm"] for row in found} == dict(zip(images, arms, strict=True))
    (other,) = divide(
        catalog, pa.array(images), name="all", task_type="x", query="labelled = false"
    )
    assert not len(arms_of(catalog, other.name))
