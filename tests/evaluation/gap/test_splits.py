from __future__ import annotations

import pyarrow as pa

from cv_pipeline.evaluation.gap.splits import unit_numbers

TRAIN, TEST = pa.array([0, 1, 2]), pa.array([3, 4, 5])


def test_units_of_two_splits_are_one_only_when_they_are():
    """Numbered split by split, the first unit of either would be the same."""
    images = pa.table(
        {"image_id": list("abcdef"), "unit": ["a", "a", "c", "d", "d", "c"]},
    )
    assert unit_numbers(images, TRAIN).tolist() == [0, 0, 1]
    assert unit_numbers(images, TEST).tolist() == [2, 2, 1]


def test_without_units_every_image_is_its_own():
    images = pa.table({"image_id": list("abcdef")})
    assert {*unit_numbers(images, TRAIN).tolist()}.isdisjoint(unit_numbers(images, TEST).tolist())
